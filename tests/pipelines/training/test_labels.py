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

    assert table.labels == (
        "walk", "run", "stand", "sit_down", "sitting", "stand_up", "lie", "fall", "pick_up", "jump", "squat", "wave",
        "clap", "punch", "kick", "throw", "push", "none",
    )  # fmt: skip
    assert table.actions["fall"].severity == "alarm"


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
