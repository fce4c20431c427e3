"""Watch: a live source through a pipeline until somebody stops it or it ends."""

import time
from collections.abc import Callable
from typing import Protocol

from pipelines.stream.buffer import FrameBuffer
from pipelines.stream.headroom import Headroom
from pipelines.types import Event, Frame, FrameResult

_TICK_S = 0.1


class FrameAnalysis(Protocol):
    """A pipeline."""

    def process(self, frame: Frame) -> FrameResult:
        """What is known after this frame."""
        ...

    def finish(self) -> tuple[Event, ...]:
        """The events that close because no more frames come."""
        ...


def watch(
    buffer: FrameBuffer,
    pipeline: FrameAnalysis,
    on_result: Callable[[FrameResult, float], None],
    on_tick: Callable[[], None],
    is_stopped: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Event, ...]:
    """Every frame that comes out of a buffer, until it is done; returns the events that the end closes.

    The buffer holds more than one frame only while their analysis leaves time to catch up (`headroom.py`).
    on_result: takes what is known of a frame, and the monotonic clock at which its analysis began.
    on_tick: called after every frame, and ten times a second while none comes.
    Raises what ended the source, and ModelError where a network fails.
    """
    headroom = Headroom()
    while not is_stopped():
        frame = buffer.get(_TICK_S)
        if frame is not None:
            began_s = clock()
            on_result(pipeline.process(frame), began_s)
            headroom.note(began_s, clock())
            buffer.resize(headroom.frames)
        elif buffer.is_done:
            break
        on_tick()
    return pipeline.finish()
