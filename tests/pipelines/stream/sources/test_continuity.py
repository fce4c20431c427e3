"""Continuity: which frames do not follow on the one before, and why."""

from collections.abc import Sequence

import pytest

from models.arrays import Image
from pipelines.stream.config import WindowConfig
from pipelines.stream.sources.continuity import MAX_GAP_S, Continuity
from pipelines.types import BreakReason
from tests.pipelines.stream.sources.test_scene_cut import scene

ROOM, OTHER, SMALL = scene(0), scene(1), scene(0, (320, 240))


def breaks(times_s: Sequence[float], images: Sequence[Image] | None = None) -> dict[int, BreakReason]:
    """Index of each frame that begins something new, and why."""
    continuity = Continuity(step_s=0.1)
    found = [continuity.judge(time_s, images[i] if images else ROOM) for i, time_s in enumerate(times_s)]
    return {index: reason for index, reason in enumerate(found) if reason is not None}


@pytest.mark.parametrize(
    ("times_s", "expected"),
    [
        pytest.param([0.0, 0.1, 0.2, 0.3], {}, id="steady"),
        pytest.param([5.0, 5.1], {}, id="the first is no break"),
        pytest.param([0.0, 0.1, 0.2, 0.6, 0.7], {}, id="three lost"),
        pytest.param([0.0, 0.1, 0.2, 0.8, 0.9], {3: "gap"}, id="more than may be interpolated"),
        pytest.param([0.0, 0.1, 0.2, 3600.0, 3600.1], {3: "gap"}, id="an hour"),
        pytest.param([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], {1: "gap"}, id="one a second, once that is known"),
        pytest.param([0.0, 0.04, 0.5, 0.54, 1.0], {}, id="variable"),
    ],
)
def test_a_gap_is_longer_than_may_be_interpolated_and_than_usual(
    times_s: list[float], expected: dict[int, BreakReason]
) -> None:
    assert breaks(times_s) == expected


def test_the_longest_gap_is_that_of_the_windows() -> None:
    assert WindowConfig().max_gap_s == MAX_GAP_S


def test_a_cut_and_a_new_size_are_told() -> None:
    images = [ROOM, ROOM, OTHER, OTHER, SMALL, SMALL]

    assert breaks([i / 10 for i in range(6)], images) == {2: "scene_cut", 4: "size_change"}


def test_an_interruption_waits_for_the_next_frame() -> None:
    continuity = Continuity(step_s=0.1)
    continuity.interrupt("reconnect")
    first = continuity.judge(0.0, ROOM)
    continuity.interrupt("clock_jump")

    second, third = continuity.judge(0.1, OTHER), continuity.judge(0.2, OTHER)

    assert (first, second, third) == (None, "clock_jump", None)
