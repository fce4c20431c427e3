"""Smooth stage: the mean of each person's last windows, and doubt between labels of one family."""

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np

from models.arrays import FloatArray
from models.runtime.contract import NONE_LABEL, FamilyRule
from pipelines.stream.config import SmoothConfig
from pipelines.types import ActionScores, PersonStatus, Poses

_EPSILON_S = 1e-6
_WITHHELD = ("warming_up", "not_assessable")


class SmoothStage:
    """Averages probabilities over the last windows by time, never across a pause longer than that.

    families: name → rule by which an answer that is sure of the family and not of a member is unknown.
    """

    def __init__(
        self, config: SmoothConfig, labels: Sequence[str], families: Mapping[str, FamilyRule] | None = None
    ) -> None:
        self._config = config
        self._labels = tuple(labels)
        self._families = [
            ([self._labels.index(label) for label in rule.labels], rule) for rule in (families or {}).values()
        ]
        self._recent: dict[int, deque[ActionScores]] = {}

    def __call__(self, poses: Poses, scores: tuple[ActionScores, ...]) -> tuple[ActionScores, ...]:
        """The same people with smoothed probabilities; withheld ones pass as they are.

        A window that is unknown counts with probability 0 for every label: what is like nothing trained is no evidence.
        """
        self._forget(poses)
        return tuple(item if item.status in _WITHHELD else self._smooth(item) for item in scores)

    def reset(self) -> None:
        """Forget every window."""
        self._recent.clear()

    def _forget(self, poses: Poses) -> None:
        horizon_s = poses.time_s - max(self._config.mean_s, 1.0)
        stale = [track_id for track_id, recent in self._recent.items() if recent[-1].time_s < horizon_s]
        for track_id in [*stale, *(track_id for track_id, _ in poses.ended)]:
            self._recent.pop(track_id, None)

    def _smooth(self, new: ActionScores) -> ActionScores:
        recent = self._recent.setdefault(new.track_id, deque())
        recent.append(new)
        while recent[0].time_s < new.time_s - self._config.mean_s + _EPSILON_S and len(recent) > 1:
            recent.popleft()
        known = [item.probabilities for item in recent if item.status != "unknown"]
        mean = np.sum([np.zeros_like(new.probabilities), *known], axis=0) / np.float32(len(recent))
        is_known = 2 * len(known) > len(recent) and not self._drop_unsure(mean)
        status = self._status(int(mean.argmax())) if is_known else "unknown"
        return ActionScores(new.track_id, new.time_s, mean, status, partner=new.partner)

    def _drop_unsure(self, mean: FloatArray) -> bool:
        """Whether a family is probable and none of its members clearly; none of them may become an event then."""
        unsure = False
        for members, rule in self._families:
            whole = float(mean[members].sum())
            if whole >= rule.threshold and float(mean[members].max()) < rule.share * whole:
                mean[members] = 0.0
                unsure = True
        return unsure

    def _status(self, strongest: int) -> PersonStatus:
        return "none" if self._labels[strongest] == NONE_LABEL else "assessed"
