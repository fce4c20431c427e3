"""Headroom: how many pictures may wait, by how much of the time their analysis takes."""

import pytest

from pipelines.stream.headroom import Headroom


def _watched(takes_s: float, period_s: float, seconds: float, headroom: Headroom | None = None) -> Headroom:
    """A source whose pictures come every period and take so long each."""
    found, now_s = headroom or Headroom(), 0.0
    while now_s < seconds:
        found.note(now_s, now_s + takes_s)
        now_s += max(period_s, takes_s)
    return found


def test_one_picture_waits_until_it_is_known_how_long_they_take() -> None:
    assert Headroom().frames == 1


@pytest.mark.parametrize(
    ("takes_s", "frames"),
    [
        pytest.param(0.03, 3, id="half idle"),
        pytest.param(0.06, 1, id="nearly always busy"),
        pytest.param(0.2, 1, id="too slow for the source"),
    ],
)
def test_several_wait_only_where_the_analysis_catches_up(takes_s: float, frames: int) -> None:
    assert _watched(takes_s, 1 / 15, 6).frames == frames


def test_a_share_between_the_limits_changes_nothing() -> None:
    free = _watched(0.02, 1 / 15, 6)
    busy = _watched(0.2, 1 / 15, 6)

    assert _watched(0.052, 1 / 15, 6, free).frames == 3
    assert _watched(0.052, 1 / 15, 6, busy).frames == 1


def test_one_long_picture_among_short_ones_changes_nothing() -> None:
    headroom = _watched(0.02, 1 / 15, 6)

    headroom.note(6.0, 6.15)

    assert headroom.frames == 3
