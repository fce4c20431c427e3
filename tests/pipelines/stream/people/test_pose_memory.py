"""What is remembered of a body, and how long a test of rotations that was in vain is not repeated."""

import numpy as np
import pytest

from pipelines.stream.people.pose_hypothesis import PoseHypothesis
from pipelines.stream.people.pose_memory import PoseMemory
from pipelines.stream.people.rotation import QUARTERS, Trial

REGION = np.array([100, 100, 200, 0], np.float32)


def guess(presence: float = 0.9, side: float = 100.0) -> PoseHypothesis:
    keypoints = np.zeros((17, 3), np.float32)
    keypoints[:, 1] = np.linspace(0, side, 17)
    keypoints[:, 2] = 0.5
    return PoseHypothesis(REGION, keypoints, presence, REGION)


def trial(num_regions: int = 3, to_beat: float = 8.0) -> Trial:
    return Trial(0, tuple(REGION for _ in QUARTERS[:num_regions]), None, 100.0, to_beat)


def waits(body: PoseMemory, tests: int) -> list[float]:
    """How long each test in vain keeps the next one away, seconds."""
    found, now_s = [], 10.0
    for _ in range(tests):
        body.note_test(trial(), guess(), now_s, is_better=False)
        until_s = now_s
        while not body.is_worth(trial(), guess(), until_s):
            until_s += 0.01
        found.append(until_s - now_s)
        now_s = until_s
    return found


def test_test_in_vain_is_repeated_later_and_later_within_a_bound() -> None:
    body = PoseMemory.begin(guess(), 0.0)

    found = waits(body, 6)

    assert found == pytest.approx([0.1, 0.2, 0.4, 0.8, 0.8, 0.8], abs=0.02)


def test_test_that_helped_is_repeated_at_once_and_forgets_the_wait() -> None:
    body = PoseMemory.begin(guess(), 0.0)
    waits(body, 4)

    body.note_test(trial(), guess(), 20.0, is_better=True)

    assert body.is_worth(trial(), guess(), 20.01)
    assert waits(body, 1) == pytest.approx([0.1], abs=0.02)


@pytest.mark.parametrize(
    ("news", "present"),
    [
        pytest.param(trial(), guess(presence=0.5), id="less evidence than the test could not beat"),
        pytest.param(trial(num_regions=4), guess(), id="another reason for doubt"),
        pytest.param(trial(to_beat=-np.inf), guess(), id="lost from sight"),
    ],
)
def test_news_ends_the_wait(news: Trial, present: PoseHypothesis) -> None:
    body = PoseMemory.begin(guess(), 0.0)
    body.note_test(trial(), guess(), 10.0, is_better=False)

    assert not body.is_worth(trial(), guess(), 10.05)
    assert body.is_worth(news, present, 10.05)


def test_source_whose_time_jumps_back_waits_for_nothing() -> None:
    body = PoseMemory.begin(guess(), 100.0)

    body.note_test(trial(), guess(), 100.0, is_better=False)

    assert body.is_worth(trial(), guess(), 1.0)


def test_size_follows_slowly_and_colour_is_kept_among_others() -> None:
    body = PoseMemory.begin(guess(side=100), 0.0)
    own, other = np.zeros(8, np.float32), np.ones(8, np.float32)
    small, large = body.size_px, PoseMemory.begin(guess(side=200), 0.0).size_px

    body.see(guess(side=200), 0.1)
    body.see_colour(own, is_crowded=True)
    body.see_colour(other, is_crowded=True)

    assert small < body.size_px < small + 0.3 * (large - small)
    assert body.colour is not None
    assert body.colour.tolist() == own.tolist()
