"""Step stage: continual networks see each person's joints one sample at a time, and remember the rest as a state."""

from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray, Image
from models.runtime.continual import ContinualModel
from models.skeleton.derive import derive
from models.skeleton.layouts import COCO17, Layout, require_layout
from pipelines.stream.actions.answers import Answers
from pipelines.stream.actions.window import mix
from pipelines.types import ActionScores, Poses, Window, WindowBatch, Withheld

_EPSILON_S = 1e-6


@dataclass(slots=True)
class _Track:
    """One person's past: the last joints seen, the last sample stepped, and what the network remembers."""

    time_s: float
    keypoints: FloatArray
    sample: int
    state: FloatArray
    num_steps: int = 0
    scaled: FloatArray | None = None


class StepStage:
    """Steps every person on a grid of media time at the model's rate, and answers when the window stage asks.

    Somebody who was out of sight for longer than may be interpolated begins anew; whoever left is forgotten: the
    memory is one state per person in sight. layout: of the poses' joints. max_gap_s: longest gap that is interpolated.
    Raises LayoutNotServed.
    """

    def __init__(self, model: ContinualModel, max_gap_s: float, layout: Layout = COCO17) -> None:
        self._model = model
        self._rate_hz = model.contract.rate_hz
        self._max_gap_s = max_gap_s
        self._derived = derive(layout, require_layout(model.contract.layout))
        self._answers = Answers(model.labels)
        self._tracks: dict[int, _Track] = {}

    def see(self, poses: Poses, image: Image | None) -> None:  # noqa: ARG002 - other stages look at the picture
        """Step everybody in this frame up to its time. Raises ModelError where the network fails."""
        self._forget(poses)
        due = {
            int(track_id): self._samples(int(track_id), poses, index) for index, track_id in enumerate(poses.track_id)
        }
        for number in range(max(map(len, due.values()), default=0)):
            self._step(
                {track_id: samples[number] for track_id, samples in due.items() if number < len(samples)}, poses.size_wh
            )

    def __call__(self, batch: WindowBatch) -> tuple[ActionScores, ...]:
        """The newest answer for each window that is due; whose past is too short is still warming up."""
        answers = [self._answer(window) for window in batch.ready]
        return (*answers, *(self._answers.without(item) for item in batch.withheld))

    def reset(self) -> None:
        """Forget everybody."""
        self._tracks.clear()

    @property
    def num_tracks(self) -> int:
        """People whose past is remembered."""
        return len(self._tracks)

    def _forget(self, poses: Poses) -> None:
        horizon_s = poses.time_s - self._max_gap_s - _EPSILON_S
        gone = [track_id for track_id, track in self._tracks.items() if track.time_s < horizon_s]
        for track_id in [*gone, *(track_id for track_id, _ in poses.ended)]:
            self._tracks.pop(track_id, None)

    def _samples(self, track_id: int, poses: Poses, index: int) -> list[FloatArray]:
        """The joints at each sample of the grid since the person's last one, the newest last."""
        keypoints = self._derived(poses.keypoints[index])
        newest = int(np.floor(poses.time_s * self._rate_hz + _EPSILON_S))
        track = self._tracks.get(track_id)
        if track is None:
            state = self._model.new_state(1)[0]
            self._tracks[track_id] = _Track(poses.time_s, keypoints, newest, state)
            return [keypoints]
        span_s = max(poses.time_s - track.time_s, _EPSILON_S)
        found = []
        for sample in range(track.sample + 1, newest + 1):
            share = np.clip((sample / self._rate_hz - track.time_s) / span_s, 0, 1)
            found.append(mix(track.keypoints, keypoints, np.float32(share)))
        track.time_s, track.keypoints, track.sample = poses.time_s, keypoints, newest
        return found

    def _step(self, joints: dict[int, FloatArray], size_wh: tuple[int, int]) -> None:
        """One step of everybody who has a sample, in one batch."""
        tracks = [self._tracks[track_id] for track_id in joints]
        state = np.stack([track.state for track in tracks])
        scaled, states = self._model.step(np.stack(list(joints.values())), size_wh, state)
        for track, row, next_state in zip(tracks, scaled, states, strict=True):
            # Copies: a row of the batch would keep everybody else's state alive.
            track.state, track.scaled = next_state.copy(), row
            track.num_steps += 1

    def _answer(self, window: Window) -> ActionScores:
        track = self._tracks.get(window.track_id)
        if track is None or track.scaled is None or track.num_steps < self._model.warmup_steps:
            return self._answers.without(Withheld(window.track_id, window.end_s, "warming_up"))
        judged = self._model.judged(track.scaled[None])
        return self._answers.of(window, judged.probabilities[0], bool(judged.is_unknown[0]))
