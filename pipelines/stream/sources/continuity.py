"""Whether a frame follows on the one before, or a new scene or another stretch of time begins with it."""

from collections import deque
from statistics import median

from models.arrays import Image
from pipelines.stream.sources.scene_cut import SceneCut
from pipelines.types import BreakReason

MAX_GAP_S = 0.5
"""Longest time without a picture that is no break; as `WindowConfig.max_gap_s`, up to which poses are interpolated."""
_USUAL_STEPS = 3.0  # a source of few pictures a second has no gap between any two of them
_MEMORY = 15


class Continuity:
    """Sees the frames of one source in order and says which of them begin something new.

    step_s: expected distance of two frames, until enough of them have come to tell.
    """

    def __init__(self, step_s: float) -> None:
        self._steps_s = deque([step_s], maxlen=_MEMORY)
        self._is_cut = SceneCut()
        self._last_s: float | None = None
        self._size_hw: tuple[int, ...] = ()
        self._pending: BreakReason | None = None

    def interrupt(self, reason: BreakReason) -> None:
        """The next frame does not follow on the last one, whichever picture it will be."""
        self._pending = self._pending or reason

    def judge(self, time_s: float, image: Image) -> BreakReason | None:
        """Why this frame does not follow on the one before; None where it does, and for the first."""
        is_first, step_s = self._last_s is None, time_s - (self._last_s or 0.0)
        found = self._pending or self._gap(step_s) or self._resized(image)
        if found is not None or is_first:
            self._is_cut.restart(image)
        elif self._is_cut(image):
            found = "scene_cut"
        if not is_first:
            self._steps_s.append(step_s)
        self._last_s, self._size_hw, self._pending = time_s, image.shape[:2], None
        return None if is_first else found

    def _gap(self, step_s: float) -> BreakReason | None:
        return "gap" if step_s > max(MAX_GAP_S, _USUAL_STEPS * median(self._steps_s)) else None

    def _resized(self, image: Image) -> BreakReason | None:
        return "size_change" if image.shape[:2] != self._size_hw else None
