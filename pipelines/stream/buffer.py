"""The bounded buffer between a source and the pipeline: what to do when it is full is a named policy."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal

from pipelines.types import Frame

DropPolicy = Literal["drop_oldest", "wait", "latest_only"]
DropReason = Literal["buffer_full", "superseded", "stopped"]

_WAIT_S = 0.5  # waits are taken in slices, so that a lost notification costs half a second and never a stream


class FrameBuffer:
    """Hands frames from one producer thread to one consumer thread.

    capacity: frames held at most; `latest_only` holds one whatever is given.
    policy: `drop_oldest` keeps the newest frames (cameras), `wait` makes the producer wait (files), `latest_only` keeps
            the last frame alone, for the lowest age.
    on_put: called after a frame came in or the end was reached, in the producer's thread: wakes a consumer of many
            buffers.
    Every frame that goes in either comes out or is counted in `dropped_by_reason`. Where a dropped frame does not
    follow on the one before, neither does the next one that comes out.
    """

    def __init__(
        self, capacity: int = 4, policy: DropPolicy = "drop_oldest", on_put: Callable[[], None] | None = None
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity} frames, expected at least 1")
        self._capacity = 1 if policy == "latest_only" else capacity
        self._policy = policy
        self._on_put = on_put
        self._frames: deque[Frame] = deque()
        self._changed = threading.Condition()
        self._dropped: Counter[DropReason] = Counter()
        self._has_ended = False
        self._is_stopped = False
        self._error: Exception | None = None

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def dropped(self) -> int:
        """Frames that went in and will never come out."""
        return self._dropped.total()

    @property
    def dropped_by_reason(self) -> dict[DropReason, int]:
        """Dropped frames by reason: `buffer_full`, `superseded` by a newer one, or left when it was `stopped`."""
        with self._changed:
            return dict(+self._dropped)

    @property
    def is_done(self) -> bool:
        """Whether no frame will come out any more."""
        with self._changed:
            return self._is_stopped or (self._has_ended and not self._frames)

    def resize(self, capacity: int) -> None:
        """Hold so many frames at most from the next one on, under `drop_oldest`; no effect under another policy."""
        if capacity < 1:
            raise ValueError(f"capacity is {capacity} frames, expected at least 1")
        with self._changed:
            if self._policy == "drop_oldest":
                self._capacity = capacity

    def put(self, frame: Frame, timeout_s: float | None = None) -> bool:
        """Take a frame in; under `wait`, wait for room until `timeout_s` is over or the buffer is stopped.

        Returns False where the frame was not taken: no room in time, or the buffer has ended or is stopped.
        """
        with self._changed:
            if self._policy == "wait" and not self._wait(self._has_room, timeout_s):
                return False
            if self._is_stopped or self._has_ended:
                return False
            while len(self._frames) >= self._capacity:
                frame = self._inherit(self._frames.popleft(), frame)
                self._dropped["superseded" if self._policy == "latest_only" else "buffer_full"] += 1
            self._frames.append(frame)
            self._changed.notify_all()
        self._tell()
        return True

    def get(self, timeout_s: float | None = None) -> Frame | None:
        """The oldest frame, or None when none came in time or none will come any more (`is_done`).

        timeout_s: 0 does not wait, None waits for a frame, the end or a stop.
        Raises the producer's error once the frames before it are taken.
        """
        with self._changed:
            self._wait(self._has_news, timeout_s)
            if self._frames:
                frame = self._frames.popleft()
                self._changed.notify_all()
                return frame
            if self._error is not None and not self._is_stopped:
                raise self._error
            return None

    def __iter__(self) -> Iterator[Frame]:
        """Frames until the end or a stop; raises the producer's error."""
        while (frame := self.get()) is not None:
            yield frame

    def end(self, error: Exception | None = None) -> None:
        """Say that no more frames will be put; those held still come out, then `error` is raised."""
        with self._changed:
            self._has_ended = True
            self._error = self._error or error
            self._changed.notify_all()
        self._tell()

    def stop(self) -> None:
        """Drop what is held and wake every wait; may be called twice."""
        with self._changed:
            self._dropped["stopped"] += len(self._frames)
            self._frames.clear()
            self._is_stopped = True
            self._changed.notify_all()
        self._tell()

    def _inherit(self, dropped: Frame, new: Frame) -> Frame:
        """Hand a dropped frame's break on to the frame after it; returns `new`, changed where that is it."""
        if not dropped.is_break:
            return new
        if not self._frames:
            return new if new.is_break else replace(new, break_reason=dropped.break_reason)
        if not self._frames[0].is_break:
            self._frames[0] = replace(self._frames[0], break_reason=dropped.break_reason)
        return new

    def _has_room(self) -> bool:
        return len(self._frames) < self._capacity or self._is_stopped or self._has_ended

    def _has_news(self) -> bool:
        return bool(self._frames) or self._is_stopped or self._has_ended

    def _wait(self, is_met: Callable[[], bool], timeout_s: float | None) -> bool:
        if timeout_s is not None:
            return self._changed.wait_for(is_met, timeout_s)
        while not self._changed.wait_for(is_met, _WAIT_S):
            pass
        return True

    def _tell(self) -> None:
        if self._on_put is not None:
            self._on_put()
