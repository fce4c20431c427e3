"""Watching a live source: how many pictures wait follows from how long their analysis takes."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from pipelines.stream.buffer import FrameBuffer
from pipelines.stream.watch import watch
from pipelines.types import Event, Frame, FrameResult, Poses


@dataclass
class Camera:
    """A source and an analysis on one clock that only they move; pictures come in bursts of three.

    takes_s: the analysis of one picture. period_s: between two bursts.
    """

    takes_s: float
    period_s: float
    now_s: float = 0.0
    sent: int = 0
    due_s: float = 0.0
    buffer: FrameBuffer = field(default_factory=lambda: FrameBuffer(1))

    def process(self, frame: Frame) -> FrameResult:
        """Nobody, after a while; what comes meanwhile goes into the buffer."""
        self.now_s += self.takes_s
        self.deliver()
        nobody = np.zeros(0, np.float32)
        poses = Poses(
            frame.index, frame.time_s, frame.size_wh, np.zeros(0, np.int64), np.zeros((0, 17, 3), np.float32),
            np.zeros((0, 4), np.float32), nobody, (), (), 0,
        )  # fmt: skip
        return FrameResult(frame, poses, (), (), (), {})

    def finish(self) -> tuple[Event, ...]:
        """Nothing was open."""
        return ()

    def deliver(self) -> None:
        """The bursts that are due."""
        while self.due_s <= self.now_s:
            for _ in range(3):
                self.buffer.put(Frame(self.sent, self.now_s, np.zeros((2, 2, 3), np.uint8)))
                self.sent += 1
            self.due_s += self.period_s


def _watched(camera: Camera, seconds: float) -> int:
    """How many pictures were analysed."""
    seen: list[int] = []

    def tick() -> None:
        if not len(camera.buffer):
            camera.now_s = max(camera.now_s, camera.due_s)
            camera.deliver()

    tick()
    is_stopped: Callable[[], bool] = lambda: camera.now_s > seconds  # noqa: E731 - named for its type
    watch(
        camera.buffer, camera, lambda result, _: seen.append(result.frame.index), tick, is_stopped, lambda: camera.now_s
    )
    return len(seen)


@pytest.mark.parametrize(
    ("takes_s", "least", "most"),
    [
        pytest.param(0.02, 0.85, 1.0, id="there is time to catch up: nearly all are analysed"),
        pytest.param(0.1, 0.3, 0.7, id="there is none: what is too much is dropped"),
    ],
)
def test_pictures_of_a_burst_wait_only_while_their_analysis_catches_up(
    takes_s: float, least: float, most: float
) -> None:
    camera = Camera(takes_s, period_s=0.2)

    seen = _watched(camera, 20)

    assert least <= seen / camera.sent <= most
    assert camera.buffer.dropped == camera.sent - seen - len(camera.buffer)
