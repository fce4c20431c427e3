"""One table of labels: everything that speaks of an action finds it there."""

import json
from pathlib import Path

import pytest

from models.runtime.contract import load_contract
from models.weights.registry import ZOO_PATH
from pipelines.actions import load_actions
from pipelines.errors import ConfigInvalid
from pipelines.stream.render.palette import colour_of
from service.action_colours import PAGE_MODULE, page_module

_WALK = '{ colour = "#4c8df6", severity = "info", min_duration_s = 0.6, merge_gap_s = 1.0, precision = 0.8 }'


def test_every_label_of_the_default_model_is_in_the_table_in_its_order() -> None:
    contract, table = load_contract(ZOO_PATH / "everyday-tcn" / "model.json"), load_actions()

    assert contract.labels == tuple(label for label in table.labels if label in contract.labels)
    assert {name: rule.severity for name, rule in contract.actions.items()} == {
        name: table.actions[name].severity for name in contract.actions
    }


def test_page_has_the_colours_of_the_table() -> None:
    assert PAGE_MODULE.read_text("utf-8") == page_module(load_actions()), "run `make colours`"


@pytest.mark.parametrize("label", [*load_actions().labels[:-1], "unknown"])
def test_page_and_pictures_give_a_label_the_same_colour(label: str) -> None:
    rows = (
        line.strip().rstrip(",").split(": ") for line in PAGE_MODULE.read_text("utf-8").splitlines() if ": " in line
    )
    page = {name: json.loads(colour) for name, colour in rows}

    assert page[label] == "#{:02x}{:02x}{:02x}".format(*colour_of(label))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (_WALK.replace("#4c8df6", "blue"), r"actions\.walk\.colour: String should match"),
        (_WALK.replace("info", "grave"), r"actions\.walk\.severity: Input should be"),
        (_WALK.replace(" }", ", speed = 1 }"), r"actions\.walk\.speed: Extra inputs"),
        (_WALK.replace(" }", ', begins = "fly" }'), "walk begins or ends with 'fly'"),
    ],
    ids=["colour", "severity", "unknown key", "pose that is no label"],
)
def test_table_refuses_what_it_does_not_know(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "actions.toml"
    path.write_text(f'neutral = "#ecece8"\nunknown = "#9a9a96"\n[actions]\nwalk = {row}\n', "utf-8")

    with pytest.raises(ConfigInvalid, match=message):
        load_actions(path)
