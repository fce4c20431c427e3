"""Stats: what each stage cost, and what the process took."""

import resource
import sys
import time
from collections.abc import Callable


class StageClock:
    """Times the stages of one frame after another: `lap` names the stage that has just ended."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._total_s: dict[str, float] = {}
        self._frame_ms: dict[str, float] = {}
        self._lap_s = 0.0
        self._num_frames = 0

    def start(self) -> None:
        """Begin a frame."""
        self._frame_ms = {}
        self._num_frames += 1
        self._lap_s = self._clock()

    def lap(self, stage: str) -> None:
        """Give the time since the last lap to a stage."""
        now_s = self._clock()
        self._frame_ms[stage] = self._frame_ms.get(stage, 0.0) + 1000 * (now_s - self._lap_s)
        self._total_s[stage] = self._total_s.get(stage, 0.0) + now_s - self._lap_s
        self._lap_s = now_s

    @property
    def frame_ms(self) -> dict[str, float]:
        """Milliseconds per stage of the present frame."""
        return dict(self._frame_ms)

    def mean_ms(self) -> dict[str, float]:
        """Mean milliseconds per frame and stage so far."""
        return {stage: 1000 * total_s / max(self._num_frames, 1) for stage, total_s in self._total_s.items()}


def peak_rss_bytes() -> int:
    """The most resident memory that this process ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
