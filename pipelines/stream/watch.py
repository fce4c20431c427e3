"""Watch: a live source through a pipeline until somebody stops it or it ends."""

import time
from collections.abc import Callable

from pipelines.stream.buffer import FrameBuffer
from pipelines.stream.headroom import Headroom
from pipelines.stream.pipeline import Pipeline
from pipelines.types import Event, FrameResult

_TICK_S = 0.1


def watch(
    buffer: FrameBuffer,
    pipeline: Pipeline,
    on_result: Callable[[FrameResult, float], None],
    on_tick: Callable[[], None],
    is_stopped: Callable[[], bool],
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
            began_s = time.monotonic()
            on_result(pipeline.process(frame), began_s)
            headroom.note(began_s, time.monotonic())
            buffer.resize(headroom.frames)
        elif buffer.is_done:
            break
        on_tick()
    return pipeline.finish()
