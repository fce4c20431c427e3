"""The same movement gives the same answer of the default model at every frame rate."""

from collections.abc import Callable

import numpy as np
import pytest

from models.arrays import FloatArray
from models.runtime.action import ActionModel
from models.weights.registry import load_registry
from models.weights.store import WeightStore
from pipelines.stream.build import NetworkChoice, build_actions, load_action
from pipelines.stream.config import PipelineConfig
from tests.fakes import poses_of, waving_keypoints

SECONDS = 4.0


def standing(time_s: float) -> FloatArray:
    """A little sway."""
    keypoints = waving_keypoints(0.0)
    keypoints[:, 0] += 2 * np.sin(2 * np.pi * 0.3 * time_s)
    return keypoints


def falling(time_s: float) -> FloatArray:
    """Upright for 2.8 s, then tipping about the feet to 85 degrees within 0.7 s, faster and faster."""
    keypoints = waving_keypoints(0.0)
    angle = np.radians(85) * np.clip((time_s - 2.8) / 0.7, 0, 1) ** 2
    feet = np.array([320.0, 340.0])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    keypoints[:, :2] = (keypoints[:, :2] - feet) @ turn.T + feet
    return keypoints


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ActionModel:
    store = WeightStore(tmp_path_factory.mktemp("cache"), offline=True)
    return load_action(NetworkChoice(), load_registry(), store)


def last_answer(model: ActionModel, movement: Callable[[float], FloatArray], rate_hz: float) -> FloatArray:
    chain = build_actions(model, PipelineConfig(), "camera")
    for index in range(round(SECONDS * rate_hz) + 1):
        time_s = index / rate_hz
        for scores in chain(poses_of(time_s, people={1: movement(time_s)})).raw:
            last = scores
    return last.probabilities


@pytest.mark.parametrize("rate_hz", [8, 15, 25, 29.97])
@pytest.mark.parametrize("movement", [waving_keypoints, standing, falling])
def test_answer_is_the_same_at_every_frame_rate(
    model: ActionModel, movement: Callable[[float], FloatArray], rate_hz: float
) -> None:
    truth = last_answer(model, movement, 60.0)

    found = last_answer(model, movement, rate_hz)

    assert found.argmax() == truth.argmax()
    assert np.abs(found - truth).max() < 0.25


def test_a_fall_is_a_fall_and_standing_is_none(model: ActionModel) -> None:
    labels = [model.labels[int(last_answer(model, movement, 30.0).argmax())] for movement in (standing, falling)]

    assert labels[0] != "fall"
    assert labels[1] == "fall"
