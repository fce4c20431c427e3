"""Pauses double up to the longest one, and no two are alike."""

import random

import pytest

from pipelines.backoff import Backoff


@pytest.mark.parametrize(
    ("num_failures", "full_s"), [(0, 1.0), (1, 1.0), (2, 2.0), (5, 16.0), (7, 60.0), (10_000, 60.0)]
)
def test_backoff_stays_within_its_spread_of_the_doubled_pause(num_failures: int, full_s: float) -> None:
    backoff = Backoff(first_s=1.0, longest_s=60.0, spread=(0.8, 1.2))

    pauses = [backoff.pause_s(num_failures, random.Random(seed)) for seed in range(50)]

    assert all(0.8 * full_s <= pause <= 1.2 * full_s for pause in pauses)
    assert len(set(pauses)) == 50
