"""Cameras whose pictures lie in memory, so that decoding is not the limit; detections may be remembered as well."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.bench.clip_set import read_frames
from pipelines.bench.remembered import RememberedDetector
from pipelines.stream.buffer import FrameBuffer
from pipelines.stream.build import Networks
from pipelines.types import Frame


@dataclass(frozen=True, slots=True)
class Recording:
    """The pictures of the beginning of a clip. period_s: seconds after which it begins again."""

    frames: tuple[Frame, ...]
    period_s: float


def record(path: Path, rate_hz: float, seconds: float) -> Recording:
    """Decode the first seconds of a clip; raises what FileSource raises."""
    frames = read_frames(path, rate_hz, seconds)
    return Recording(frames, (frames[-1].time_s if frames else 0.0) + 1 / rate_hz)


def remembering(networks: Networks, recordings: Sequence[Recording]) -> Networks:
    """The same networks, whose detector looks at each recorded picture once."""
    frames = tuple(frame for recording in recordings for frame in recording.frames)
    glance = networks.glance and RememberedDetector(networks.glance, frames)
    return replace(networks, detector=RememberedDetector(networks.detector, frames), glance=glance)


class RecordedCamera:
    """Plays a recording over and over at its own pace.

    late_s: after how many seconds it begins. Each round begins with a break, as a file that starts again does.
    """

    def __init__(self, recording: Recording, buffer: FrameBuffer, late_s: float = 0.0) -> None:
        self._recording = recording
        self._buffer = buffer
        self._late_s = late_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorded camera", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; may be called twice."""
        self._stopped.set()

    def _run(self) -> None:
        began_s, index = time.monotonic() + self._late_s, 0
        while not self._stopped.is_set() and self._recording.frames:
            for frame in self._recording.frames:
                due_s = began_s + frame.time_s
                if self._stopped.wait(max(0.0, due_s - time.monotonic())):
                    break
                again = "reconnect" if index and frame is self._recording.frames[0] else frame.break_reason
                self._buffer.put(Frame(index, due_s, frame.image, due_s, again))
                index += 1
            began_s += self._recording.period_s
        self._buffer.end()
