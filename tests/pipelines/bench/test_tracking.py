"""Numbers that break and falls that are lost, counted on made-up tracks; our chain and a tracker of boxes on a clip."""

import importlib.util
from collections.abc import Sequence

import numpy as np
import pytest

from models.arrays import FloatArray
from pipelines.bench.clip_set import BenchClip
from pipelines.bench.followers import OURS, Update, begin_peer, follow_boxes, follow_ours
from pipelines.bench.tracking import (
    Numbered,
    TrackingReport,
    compare,
    count_breaks,
    count_numbers,
    is_kept,
    report_object,
    table,
)
from pipelines.errors import PackageMissing
from pipelines.types import Frame
from tests.stream_fakes import FakeSource, networks_of

_SIZE_WH = (640, 480)
_HZ = 10.0


def _seen(*spans: tuple[int, int, int, float]) -> list[Numbered]:
    """Of spans of number, first row, last row and left edge: who is where in each of forty pictures."""
    return [[(number, _box(left)) for number, first, last, left in spans if first <= row <= last] for row in range(40)]


def _box(left: float) -> FloatArray:
    return np.array([left, 100, left + 80, 300], np.float32)


_TIMES_S = [row / _HZ for row in range(40)]


@pytest.mark.parametrize(
    ("spans", "breaks"),
    [
        pytest.param([(1, 0, 39, 200)], 0, id="one person, one number"),
        pytest.param([(1, 0, 15, 200), (2, 20, 39, 210)], 1, id="a number ends, another begins there"),
        pytest.param([(1, 0, 9, 200), (2, 10, 19, 200), (3, 20, 39, 200)], 2, id="twice"),
        pytest.param([(1, 0, 5, 200), (2, 30, 39, 200)], 0, id="much later it is somebody else"),
        pytest.param([(1, 0, 15, 200), (2, 20, 39, 400)], 0, id="elsewhere it is somebody else"),
        pytest.param([(1, 0, 15, 0), (2, 20, 39, 0)], 0, id="who leaves may return"),
        pytest.param([(1, 0, 15, 200), (2, 0, 39, 210)], 0, id="who was there before is no heir"),
    ],
)
def test_break_is_a_number_that_goes_on_as_another(spans: list[tuple[int, int, int, float]], breaks: int) -> None:
    assert count_breaks(_seen(*spans), _TIMES_S, _SIZE_WH) == breaks


def test_numbers_that_flash_up_do_not_count() -> None:
    assert count_numbers(_seen((1, 0, 39, 200), (2, 5, 6, 400)), _TIMES_S) == 1


@pytest.mark.parametrize(
    ("spans", "kept"),
    [
        pytest.param([(1, 0, 39, 200)], True, id="one number"),
        pytest.param([(1, 0, 16, 200), (2, 17, 39, 200)], False, id="two halves"),
        pytest.param([(1, 0, 12, 200), (1, 14, 39, 200)], True, id="one picture missing"),
        pytest.param([], False, id="nobody"),
    ],
)
def test_fall_is_kept_when_one_number_is_seen_through_it(spans: list[tuple[int, int, int, float]], kept: bool) -> None:
    assert is_kept(_seen(*spans), _TIMES_S, (1.5, 2.0)) is kept


def test_clip_is_compared_by_every_tracker_in_turn() -> None:
    frames = list(FakeSource(num_frames=45, rate_hz=15.0))
    networks = networks_of()
    once: list[int] = []

    def begin(rate_hz: float) -> Update:
        def update(rows: FloatArray) -> Numbered:
            once.append(len(rows))
            return [(len(once) // 20, rows[0, :4])]

        return update

    ways = {OURS: lambda shown, _: follow_ours(networks, shown), "restless": follow_boxes(networks, begin)}
    reports = list(compare([(BenchClip(name="a", falls=((1.0, 1.5),)), frames)], ways, 15.0))

    assert reports == [TrackingReport(OURS, "a", 1, 0, 1, 0), TrackingReport("restless", "a", 2, 2, 1, 1)]
    assert once == [1] * 45
    assert "restless" in table(reports).splitlines()[2]
    assert report_object(reports)[0]["tracker"] == OURS


def test_clip_without_pictures_gives_nobody() -> None:
    reports = list(compare([(BenchClip(name="a"), ())], {"none": _nobody}, 15.0))

    assert reports == [TrackingReport("none", "a", 0, 0, 0, 0)]


def _nobody(frames: Sequence[Frame], rate_hz: float) -> list[Numbered]:
    return [[] for _ in frames]


@pytest.mark.skipif(importlib.util.find_spec("trackers") is not None, reason="the package is installed")
def test_peer_says_what_to_install_when_the_package_is_missing() -> None:
    with pytest.raises(PackageMissing, match="pip install 'trackers"):
        begin_peer("bytetrack")
