from pathlib import Path

import pytest

from pipelines.errors import ConfigInvalid
from pipelines.training.datasets import load_set
from pipelines.training.labels import load_labels

_TABLE = """
[sets.tiny]
"""


def test_everyday_labels_hold_what_people_do_in_a_building() -> None:
    table = load_labels()

    assert {"walk", "stand", "sit_down", "sitting", "stand_up", "lie", "fall", "pick_up"} <= set(table.labels)
    assert table.labels[-1] == "none"
    assert table.actions["fall"].severity == "alarm"


def test_a_network_keeps_its_labels_when_the_table_has_more() -> None:
    table = load_labels().only(["walk", "wave", "none"])

    assert table.labels == ("walk", "wave", "none")
    assert set(table.actions) == {"walk", "wave"}
    assert table.require("utdmhad").meaning("walk") == "walk"
    assert table.require("utdmhad").meaning("clap") == ""
    assert table.require("precog").whole == "!fall"


def test_a_label_that_the_table_lacks_is_refused_by_name() -> None:
    with pytest.raises(ConfigInvalid, match="unknown label 'fly'"):
        load_labels().only(["walk", "fly"])


def test_a_run_learns_the_labels_that_its_sets_teach_and_those_that_it_makes_itself() -> None:
    table = load_labels().taught_by(["nwucla"])

    assert table.labels == (
        "walk", "stand", "sit_down", "sitting", "stand_up", "lie", "fall", "pick_up", "throw", "none"
    )  # fmt: skip


@pytest.mark.parametrize("name", ["jhmdb14", "urfd", "utkinect", "msraction3d", "movenet_falls", "ardata", "precog"])
def test_every_class_of_a_real_set_has_a_meaning(data_dir: Path, name: str) -> None:
    skeletons, rows = load_set(data_dir / "skeleton" / f"{name}.pkl"), load_labels().require(name)

    assert set(skeletons.classes) == set(rows.classes)
    assert {rows.train, rows.test} <= set(skeletons.splits)


def test_another_numbered_split_is_taken_by_the_sets_that_have_it() -> None:
    table = load_labels().with_split(3)

    assert (table.require("jhmdb14").train, table.require("jhmdb14").test) == ("split3_train", "split3_test")
    assert table.require("nwucla") == load_labels().require("nwucla")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('classes = { a = "dance" }', "names .*dance"),
        ('classes = { a = "walk" }\ncolour = 1', "colour"),
    ],
    ids=["unknown label", "unknown key"],
)
def test_label_table_refuses_what_it_does_not_know(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "labels.toml").write_text(_TABLE + row, "utf-8")

    with pytest.raises(ConfigInvalid, match=message):
        load_labels(tmp_path / "labels.toml")
