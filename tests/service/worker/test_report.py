"""What a stream's worker counts of the people in a frame."""

import multiprocessing
from collections import deque
from pathlib import Path

import numpy as np

from pipelines.types import ActionState, Frame, FrameResult, NetworkId, NetworksUsed, Poses
from service.protocol.messages import Sample, StreamTask
from service.protocol.pause_clock import PauseClock
from service.worker.channel import Channel, MessageQueue
from service.worker.report import Reporter

_SIZE = (64, 48)
_USED = NetworksUsed(NetworkId("d"), NetworkId("p"), NetworkId("m"))


def result(skipped: int, states: tuple[ActionState, ...]) -> FrameResult:
    """A frame with so many people who have a state, and so many more."""
    rows = len(states)
    poses = Poses(
        0, 0.0, _SIZE, np.arange(rows), np.zeros((rows, 17, 3), np.float32), np.zeros((rows, 4), np.float32),
        np.ones(rows, np.float32), (None,) * rows, skipped=skipped,
    )  # fmt: skip
    frame = Frame(0, 0.0, np.zeros((*_SIZE[::-1], 3), np.uint8))
    return FrameResult(frame, poses, states, ())


def test_people_who_are_not_judged_are_counted_with_the_reason(tmp_path: Path) -> None:
    samples: deque[Sample] = deque()
    task = StreamTask("yard", 1, "push:", {"folder": str(tmp_path)})
    ours, _ = multiprocessing.Pipe()
    reporter = Reporter(task, Channel(task, MessageQueue(ours), samples, PauseClock(1.0)), _USED, lambda _: False)
    states = (
        ActionState(0, 0.0, None, 0.0, "not_assessable", "occluded"),
        ActionState(1, 0.0, None, 0.0, "not_assessable", "occluded"),
        ActionState(2, 0.0, "walk", 0.9, "assessed"),
    )

    reporter.frame(result(3, states), 0.0)
    reporter.frame(result(0, states[2:]), 0.0)
    reporter.flush()

    told = {one.labels["reason"]: one.values for one in samples if one.metric == "persons_skipped_total"}
    assert told == {"occluded": (2.0,), "budget": (3.0,)}
