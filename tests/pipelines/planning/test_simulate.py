"""The simulation: the same by seed, near what was measured, and jammed where it should be."""

import pytest

from pipelines.planning.simulate import Machine, Site, Station, simulate
from tests.bench.scaling import MEASURED, TWO_CORES

CALM = Machine(cores=4, decode_s=0.001, look_s=0.005, label_s=0.005)


def test_same_seed_gives_the_same_outcome() -> None:
    first, again, other = (simulate(Site(3, 1, CALM), 5, seed) for seed in (1, 1, 2))

    assert first == again
    assert first != other


@pytest.mark.parametrize("cameras", [1, 2, 4])
def test_simulation_is_within_fifteen_percent_of_what_was_measured(cameras: int) -> None:
    labels, age_ms = MEASURED[cameras]

    found = simulate(Site(cameras, 1, TWO_CORES), 30)

    assert found.labels_per_camera_s == pytest.approx(labels, rel=0.15)
    assert found.ages_ms["p50"] == pytest.approx(age_ms, rel=0.15)


def test_every_picture_is_labelled_where_there_is_time() -> None:
    found = simulate(Site(2, 1, CALM), 10)

    assert found.labels_per_camera_s == pytest.approx(15, rel=0.02)
    assert found.dropped == {"buffer": 0}


def test_newest_picture_is_kept_where_there_is_none() -> None:
    slow = Machine(cores=1, decode_s=0.0, look_s=0.0, label_s=0.5)

    found = simulate(Site(2, 1, slow), 30)

    assert found.core_use == pytest.approx(1, rel=0.05)
    assert found.dropped["buffer"] > 0
    assert (found.ages_ms["p99"] or 0) < 2000


def test_full_station_drops_labels_and_says_how_full_it_is() -> None:
    narrow = Station("live channel", "label", 0.1, waiting_max=4)

    found = simulate(Site(4, 4, CALM, stations=(narrow,)), 10)

    assert found.use["live channel"] > 1
    assert found.dropped["live channel"] > 0
    assert found.labels_per_camera_s == pytest.approx(10 / 4, rel=0.1)


def test_progress_ends_with_the_whole() -> None:
    told: list[float] = []

    simulate(Site(1, 1, CALM), 1, progress=told.append)

    assert told[-1] == 1
    assert len(told) == 10
