"""The action model: its contract is checked before its weights, and its answers are probabilities."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from models.errors import ContractMismatch, LayoutUnknown, ModelError, WeightsCorrupt, WeightsMissing
from models.runtime.action import ActionModel
from models.runtime.contract import load_contract, verify_weights
from tests.fakes import FakeNetwork, contract_of, waving_keypoints


def windows(count: int) -> tuple[np.ndarray, np.ndarray]:
    keypoints = np.stack([waving_keypoints(tick / 15) for tick in range(30)])
    return np.tile(keypoints, (count, 1, 1, 1)), np.ones((count, 30), np.bool_)


def test_action_model_gives_probabilities_that_sum_to_one() -> None:
    model = ActionModel(contract_of(), FakeNetwork([2.0, 0.0, 1.0]))

    probabilities = model(*windows(3))

    assert probabilities.shape == (3, 3)
    assert probabilities.sum(axis=1) == pytest.approx([1, 1, 1])
    assert probabilities[0] == pytest.approx(np.exp([2, 0, 1]) / np.exp([2, 0, 1]).sum(), rel=1e-5)


def test_action_model_divides_by_its_temperature() -> None:
    sharp = ActionModel(contract_of(), FakeNetwork([2.0, 0.0, 1.0]))
    calibrated = ActionModel(contract_of(temperature=2.0), FakeNetwork([2.0, 0.0, 1.0]))

    assert calibrated(*windows(1)).max() < sharp(*windows(1)).max()


def test_action_model_does_not_overflow_on_large_logits() -> None:
    model = ActionModel(contract_of(), FakeNetwork([2000.0, 0.0, -2000.0]))

    assert model(*windows(1))[0] == pytest.approx([1, 0, 0])


@pytest.mark.parametrize(
    ("shape", "fed"),
    [(["batch", 1, 30, 13, 5], (2, 1, 30, 13, 5)), (["batch", 30, 13, 5], (2, 30, 13, 5))],
    ids=["one person per window", "no people axis"],
)
def test_action_model_feeds_the_shape_of_the_contract(shape: list[object], fed: tuple[int, ...]) -> None:
    network = FakeNetwork([1.0, 0.0, 0.0])
    inputs = [{"name": "skeleton", "shape": shape, "dtype": "float32"}]

    ActionModel(contract_of(inputs=inputs), network)(*windows(2))

    assert network.fed == [fed]


@pytest.mark.parametrize(
    ("rule", "is_unknown"),
    [
        ({"method": "max_probability", "threshold": 0.7}, True),
        ({"method": "max_probability", "threshold": 0.6}, False),
        ({"method": "energy", "threshold": -2.5}, True),
        ({"method": "energy", "threshold": -2.3}, False),
        ({"method": "off", "threshold": 0.0}, False),
    ],
)
def test_action_model_refuses_what_is_like_nothing_trained(rule: dict[str, object], is_unknown: bool) -> None:
    model = ActionModel(contract_of(unknown=rule), FakeNetwork([2.0, 0.0, 1.0]))  # p 0.665, energy -2.41

    assert model.judge(*windows(1)).is_unknown.tolist() == [is_unknown]


def test_action_model_asks_no_network_for_an_empty_batch() -> None:
    network = FakeNetwork([1.0, 0.0, 0.0])

    probabilities = ActionModel(contract_of(), network)(
        np.zeros((0, 30, 17, 3), np.float32), np.zeros((0, 30), np.bool_)
    )

    assert probabilities.shape == (0, 3)
    assert network.fed == []


@pytest.mark.parametrize(
    ("logits", "samples"), [([1.0, 0.0], 30), ([1.0, 0.0, 0.0], 29)], ids=["two logits", "short window"]
)
def test_action_model_names_what_does_not_fit(logits: list[float], samples: int) -> None:
    keypoints, valid = windows(1)

    with pytest.raises(ContractMismatch, match="expected"):
        ActionModel(contract_of(), FakeNetwork(logits))(keypoints[:, :samples], valid[:, :samples])


def test_contract_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(contract_of().model_dump_json())

    assert load_contract(path) == contract_of()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"task": "pose"}, ContractMismatch),
        ({"num_frames": 48}, ContractMismatch),
        ({"temperature": 0}, ContractMismatch),
        ({"labels": ["walk", "swim", "none"]}, ContractMismatch),
        ({"features": "everyday99"}, ContractMismatch),
        ({"layout": "octopus8"}, LayoutUnknown),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_contract_is_refused_when_it_contradicts_itself(
    tmp_path: Path, changes: dict[str, object], error: type[ModelError]
) -> None:
    path = tmp_path / "model.json"
    path.write_text(contract_of().model_copy(update=changes).model_dump_json(warnings=False))

    with pytest.raises(error):
        load_contract(path)


def test_contract_that_is_absent_is_weights_missing(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"model\.json"):
        load_contract(tmp_path / "model.json")


def test_weights_are_compared_with_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")

    verify_weights(contract_of(sha256=hashlib.sha256(b"weights").hexdigest()), path)
    with pytest.raises(WeightsCorrupt, match=r"model\.onnx"):
        verify_weights(contract_of(), path)
    with pytest.raises(WeightsMissing):
        verify_weights(contract_of(), tmp_path / "absent.onnx")
