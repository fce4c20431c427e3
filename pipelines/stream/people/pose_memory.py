"""What the pose stage remembers of one track: where its body was, its size, its colour, which tests were in vain."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from models.arrays import FloatArray
from pipelines.stream.people.appearance import blend
from pipelines.stream.people.boxes import longer_side
from pipelines.stream.people.pose_hypothesis import PoseHypothesis
from pipelines.stream.people.rotation import Trial

_SIZE_MEMORY_S = 0.5
_PATIENCE_S, _PATIENCE_MAX_S = 0.1, 0.8
_NEWS = 1.0  # of evidence lost, from which the next test waits no longer


@dataclass(slots=True)
class PoseMemory:
    """One track's body; times in media seconds.

    last: where it was last seen well. size_px: its longer side, smoothed. born_s, time_s: first and last sighting.
    colour: its torso's, while nobody else was near. was_strong: whether it ever had a box that only a person gets.
    """

    last: PoseHypothesis
    size_px: float
    born_s: float
    time_s: float
    colour: FloatArray | None = None
    was_strong: bool = False
    _patience_s: float = _PATIENCE_S
    _wait: tuple[float, float] = (np.inf, -np.inf)
    _in_vain: tuple[int, float, float] | None = None

    @classmethod
    def begin(cls, guess: PoseHypothesis, time_s: float) -> Self:
        """A body seen for the first time."""
        return cls(guess, longer_side(guess.xyxy), time_s, time_s)

    def see(self, guess: PoseHypothesis, time_s: float) -> None:
        """Remember where it is now."""
        step = 1 - float(np.exp((self.time_s - time_s) / _SIZE_MEMORY_S))
        self.size_px += step * (longer_side(guess.xyxy) - self.size_px)
        self.last, self.time_s = guess, time_s

    def see_colour(self, colour: FloatArray | None, *, is_crowded: bool) -> None:
        """Remember the clothes; among others only the first look counts."""
        if colour is not None and (not is_crowded or self.colour is None):
            self.colour = blend(self.colour, colour)

    def is_worth(self, trial: Trial, present: PoseHypothesis, time_s: float) -> bool:
        """Whether to test other rotations: not when the same test was in vain just now and nothing got worse since."""
        since_s, until_s = self._wait
        if self._in_vain is None or not since_s <= time_s < until_s:
            return True
        num_regions, to_beat, evidence = self._in_vain
        is_same = num_regions == len(trial.regions) and np.isinf(to_beat) == np.isinf(trial.to_beat)
        return not is_same or present.evidence < evidence - _NEWS

    def note_test(self, trial: Trial, present: PoseHypothesis, time_s: float, *, is_better: bool) -> None:
        """Rotations were tested: the next test comes soon when that helped, else later and later."""
        if is_better:
            self._in_vain, self._patience_s = None, _PATIENCE_S
            return
        self._in_vain = (len(trial.regions), trial.to_beat, present.evidence)
        self._wait = (time_s, time_s + self._patience_s)
        self._patience_s = min(2 * self._patience_s, _PATIENCE_MAX_S)
