from pathlib import Path

import pytest

from pipelines.errors import ConfigInvalid
from pipelines.training.datasets import load_set
from pipelines.training.labels import load_labels
from pipelines.training.manifest import load_manifest, manifest_segments

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
    assert table.require("utdmhad").meaning("clap") == "?"
    assert table.require("precog").whole == "!fall !gesture"
    assert table.denied("!fall !gesture") == (1,)


def test_a_label_that_the_table_lacks_is_refused_by_name() -> None:
    with pytest.raises(ConfigInvalid, match="unknown label 'fly'"):
        load_labels().only(["walk", "fly"])


def test_a_run_learns_the_labels_that_its_sets_teach_and_those_that_it_makes_itself() -> None:
    table = load_labels().taught_by(["nwucla"])

    assert table.labels == (
        "walk", "stand", "sit_down", "sitting", "stand_up", "lie", "fall", "pick_up", "throw", "none"
    )  # fmt: skip


def test_every_set_that_is_shared_stands_in_the_table(data_dir: Path) -> None:
    shared = {path.stem for path in (data_dir / "skeleton").glob("*.pkl")}

    table = load_labels()

    assert shared == {name for name, rows in table.sets.items() if not rows.optional}
    assert all(rows.terms != "not stated" for rows in table.sets.values())


@pytest.mark.parametrize("name", [name for name, rows in load_labels().sets.items() if not rows.optional])
def test_every_class_of_a_real_set_has_a_meaning(data_dir: Path, name: str) -> None:
    skeletons, rows = load_set(data_dir / "skeleton" / f"{name}.pkl"), load_labels().require(name)

    said = {str(row.extra["coarse"]) for row in skeletons.annotations} if rows.coarse else set(skeletons.classes)
    assert said <= set(rows.classes)
    assert {rows.train, rows.test} <= set(skeletons.splits)


@pytest.mark.parametrize("name", [name for name, rows in load_labels().sets.items() if rows.apart == "people"])
def test_no_person_is_in_both_parts_of_a_set_that_says_so(data_dir: Path, name: str) -> None:
    rows = load_labels().require(name)
    if rows.optional:
        pytest.skip(f"{name} is made by its user")
    skeletons = load_set(data_dir / "skeleton" / f"{name}.pkl")

    people = {
        part: {
            rows.person(str(row.extra[rows.group or ""]))
            for row in skeletons.annotations
            if row.name in skeletons.splits[split]
        }
        for part, split in (("train", rows.train), ("test", rows.test))
    }

    assert people["train"]
    assert not people["train"] & people["test"]


def test_every_word_of_a_manifest_has_a_meaning(data_dir: Path) -> None:
    rows = load_manifest(data_dir / "video2" / "manifest.json")

    segments = manifest_segments(rows, load_labels())

    assert {row.label for row in rows} <= set(load_labels().words)
    assert segments.keys() <= {row.name for row in rows}
    shown = {segment.shows for video in segments.values() for segment in video.segments}
    assert shown <= set(load_labels().require("video2").classes)


def test_sets_of_the_same_people_are_told_together() -> None:
    table = load_labels()

    assert table.same_source(["utdmhad"]) == ("utdmhad", "utdmhad_openpose2d")
    assert table.same_source(["gtu"]) == ("gtu",)


@pytest.mark.parametrize(
    ("meaning", "names"),
    [
        ("!fall", {"fall"}),
        ("!fall !strike", {"fall", "punch", "kick", "throw", "push"}),
        ("!gesture", {"wave", "clap"}),
        ("walk", set()),
        ("", set()),
        ("@fall", set()),
    ],
)
def test_a_partial_label_rules_out_labels_and_whole_families(meaning: str, names: set[str]) -> None:
    table = load_labels()

    assert {table.labels[index] for index in table.denied(meaning)} == names


def test_what_is_like_no_label_is_not_learnt_from_and_is_all_that_the_foreign_table_holds() -> None:
    table = load_labels()

    foreign = table.foreign_only().require("utdmhad")

    assert table.require("utdmhad").meaning("bowling") == "?"
    assert {name for name, meaning in foreign.classes.items() if meaning} == {"basketball_shoot", "bowling"}


def test_another_numbered_split_is_taken_by_the_sets_that_have_it() -> None:
    table = load_labels().with_split(3)

    assert (table.require("jhmdb14").train, table.require("jhmdb14").test) == ("split3_train", "split3_test")
    assert table.require("nwucla") == load_labels().require("nwucla")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('classes = { a = "dance" }', "names .*dance"),
        ('classes = { a = "!dance" }', "names .*!dance"),
        ('classes = { a = "!fall walk" }', "names .*!fall walk"),
        ('classes = { a = "walk" }\ncolour = 1', "colour"),
    ],
    ids=["unknown label", "unknown denial", "a denial beside a label", "unknown key"],
)
def test_label_table_refuses_what_it_does_not_know(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "labels.toml").write_text(_TABLE + row, "utf-8")

    with pytest.raises(ConfigInvalid, match=message):
        load_labels(tmp_path / "labels.toml")
