"""Label stage: what is shown for each person now, without flicker."""

from collections.abc import Mapping, Sequence

from models.runtime.contract import NONE_LABEL, ActionRule
from pipelines.stream.config import SmoothConfig
from pipelines.types import ActionScores, ActionState, PersonStatus, Poses


class LabelStage:
    """Holds one label per person: it changes only for an action that is clearly stronger, or when its own fades.

    num_flips: how often a shown action was replaced by another one, over all people.
    """

    def __init__(self, config: SmoothConfig, labels: Sequence[str], rules: Mapping[str, ActionRule]) -> None:
        self._config = config
        self._labels = tuple(labels)
        self._rules = rules
        self._states: dict[int, ActionState] = {}
        self.num_flips = 0

    def __call__(self, poses: Poses, scores: tuple[ActionScores, ...]) -> tuple[ActionState, ...]:
        """One state per person of `poses`, in the same order; between two windows the last one stands."""
        present = {int(track_id) for track_id in poses.track_id}
        self._forget(poses, present)
        for item in scores:
            if item.track_id in present:
                self._states[item.track_id] = self._update(item)
        return tuple(self._state(int(track_id), poses.time_s) for track_id in poses.track_id)

    def reset(self) -> None:
        """Forget what was shown."""
        self._states.clear()

    def _forget(self, poses: Poses, present: set[int]) -> None:
        """Drop ended tracks, and those out of sight for longer than a state is frozen."""
        horizon_s = poses.time_s - self._config.hold_s
        stale = [key for key, state in self._states.items() if key not in present and state.time_s < horizon_s]
        for track_id in [*stale, *(track_id for track_id, _ in poses.ended)]:
            self._states.pop(track_id, None)

    def _state(self, track_id: int, time_s: float) -> ActionState:
        return self._states.setdefault(track_id, ActionState(track_id, time_s, None, 0.0, "warming_up"))

    def _update(self, item: ActionScores) -> ActionState:
        """The next state of one person; `unknown` also when nothing reaches its threshold and `none` does not win."""
        if item.status in ("warming_up", "not_assessable"):
            return ActionState(item.track_id, item.time_s, None, 0.0, item.status, item.reason)
        score_of = {name: float(p) for name, p in zip(self._labels, item.probabilities, strict=True)}
        action = self._choose(item.track_id, score_of) if item.status != "unknown" else None
        if action is not None:
            return ActionState(item.track_id, item.time_s, action, score_of[action], "assessed", partner=item.partner)
        is_none = item.status == "none"
        score = score_of[NONE_LABEL] if is_none else 0.0
        status: PersonStatus = "none" if is_none else "unknown"
        return ActionState(item.track_id, item.time_s, None, score, status, partner=item.partner)

    def _choose(self, track_id: int, score_of: Mapping[str, float]) -> str | None:
        """The action to show, with hysteresis around the one that is shown."""
        shown = self._shown(track_id)
        able = [name for name, rule in self._rules.items() if score_of.get(name, 0.0) >= rule.threshold]
        best = max(able, key=lambda name: score_of[name], default=None)
        if shown is not None and score_of[shown] >= self._rules[shown].offset_threshold:
            is_beaten = best is not None and score_of[best] >= score_of[shown] + self._config.margin
            best = best if is_beaten else shown
        if best is not None and shown is not None and best != shown:
            self.num_flips += 1
        return best

    def _shown(self, track_id: int) -> str | None:
        state = self._states.get(track_id)
        return state.action if state is not None else None
