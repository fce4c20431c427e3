import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from models.errors import ContractMismatch
from models.runtime.card import card_text
from models.runtime.contract import ActionContract, load_contract
from models.weights.registry import ZOO_PATH
from tests.fakes import contract_of


def test_contract_of_the_shipped_model_is_judged_alone_from_every_sample() -> None:
    contract = load_contract(ZOO_PATH / "everyday-tcn" / "model.json")

    assert contract.num_persons == 1
    assert (contract.sampling, contract.stream) == ("resample", "joint")
    assert contract.num_samples == contract.num_frames
    assert not contract.members
    assert not contract.defaults


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": "heatmap", "stream": "bone"}, "stream 'bone' does not go with features 'heatmap'"),
        ({"labels": ["walk", "walk"]}, "labels that occur twice: walk"),
        ({"inputs": []}, "at least one input"),
        ({"window_s": 0.01, "sampling": "uniform"}, "less than one sample"),
        ({"members": [{"folder": "../other", "weight": 1}]}, "folder"),
    ],
)
def test_contract_that_contradicts_itself_says_how(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ActionContract.model_validate(contract_of().model_dump() | changes)


def test_folder_that_an_earlier_version_imported_says_what_to_do(tmp_path: Path) -> None:
    values = contract_of().model_dump(mode="json")
    old = {key: value for key, value in values.items() if key not in {"window_s", "rate_hz", "unknown", "actions"}}
    (tmp_path / "model.json").write_text(json.dumps(old | {"features": "reference"}))

    with pytest.raises(ContractMismatch, match=r"model\.json: .*import the checkpoint again"):
        load_contract(tmp_path / "model.json")


def test_card_marks_what_is_a_default() -> None:
    text = card_text(contract_of(defaults=["window_s", "unknown"]))

    lines = {line.split(":")[0]: line for line in text.splitlines() if ":" in line}
    assert lines["window"].endswith("2 s (default)")
    assert lines["unknown"].endswith("probability below 0.4 (default)")
    assert "default" not in lines["rate"]
