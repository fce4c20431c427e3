import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import ConfigInvalid, DatasetInvalid
from pipelines.training.formats.assemble import Labelled, SetPlan, assemble, distinct, named_apart
from pipelines.training.formats.bvh_names import read_map
from pipelines.training.formats.description import SetDescription, with_labels
from pipelines.training.formats.listing import class_of, read_list, split_of
from pipelines.training.formats.recordings import Recording
from pipelines.training.formats.splits import SplitRule, divide, parse_rule
from pipelines.training.skeletons import Annotation


def _list(folder: Path, text: str, name: str = "list.csv") -> tuple[list[Recording], list[str]]:
    for video in ("walk/01.mp4", "fall/01.mp4"):
        (folder / video).parent.mkdir(exist_ok=True)
        (folder / video).touch()
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    refused: list[str] = []
    return read_list(folder / name, lambda where, why: refused.append(f"{where}: {why}")), refused


def test_a_list_says_file_label_times_split_and_subject(tmp_path: Path) -> None:
    text = "video,label,start,end,split,subject\nwalk/01.mp4,walk,1.5,1:02,train,anna\nfall/01.mp4,fall,,,validation,\n"

    found, refused = _list(tmp_path, text)

    assert not refused
    assert found == [
        Recording(tmp_path / "walk/01.mp4", "walk/01", "", "walk", "train", "anna", 1.5, 62.0),
        Recording(tmp_path / "fall/01.mp4", "fall/01", "", "fall", "val", None, 0.0, None),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.csv", "walk/01.mp4,walk\n"),
        ("list.csv", "\ufeffPath;Class\r\nwalk/01.mp4;walk\r\n"),
        ("list.tsv", "video\tlabel\nwalk/01.mp4\twalk\n"),
        ("list.csv", 'label,video\nwalk,"walk/01.mp4"\n\n'),
        ("list.txt", "walk/01.mp4 walk\n"),
    ],
    ids=["no header", "excel", "tsv", "other order", "pyskl"],
)
def test_lists_of_every_kind_are_read(tmp_path: Path, name: str, text: str) -> None:
    found, refused = _list(tmp_path, text, name)

    assert not refused
    assert [(source.name, source.label) for source in found] == [("walk/01", "walk")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("gone.mp4,walk,,,", "list.csv: line 2: gone.mp4: no such file"),
        (",walk,,,", "line 2: no video is named"),
        ("walk/01.mp4,walk,x,,", "line 2: start is 'x', expected seconds"),
        ("walk/01.mp4,walk,3,2,", "line 2: end 2 s is not after start 3 s"),
        ("walk/01.mp4,walk,-1,2,", "line 2: start is '-1', expected seconds from 0"),
        ("walk/01.mp4,walk,0,inf,", "line 2: end is 'inf'"),
        ("walk/01.mp4,walk,,,trian", "line 2: split 'trian', expected train, val or test"),
    ],
)
def test_a_row_that_cannot_be_used_is_told_and_left_out(tmp_path: Path, row: str, message: str) -> None:
    found, refused = _list(tmp_path, f"video,label,start,end,split\n{row}\nfall/01.mp4,fall,,,train\n")

    assert [source.name for source in found] == ["fall/01"]
    assert len(refused) == 1
    assert message in refused[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty list"),
        ("clip_id,label\n1,walk\n", "line 1: no column `video` among clip_id, label"),
        ("video,path,label\na,b,c\n", "line 1: two columns for `video`"),
        ("video,label\nw\xe4lk.mp4,walk\n".encode("latin-1"), "line 2: not UTF-8 text"),
        ("video,label\n\0,walk\n", "line 2: not text"),
    ],
)
def test_a_file_that_is_no_list_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetInvalid, match=message):
        _list(tmp_path, text)


_SEEDS = {
    "list.csv": b'video,label,start,end,split,subject\na.mp4,walk,1,2,train,x\n"a.mp4",fall,,,test,\n',
    "labels.csv": b"0,walk\n1,fall\n",
    "labels.json": b'{"0": "walk", "1": "fall"}',
    "labels.toml": b'classes = ["a", "b"]\nlayout = "coco17"\nfps = 25\n[everyday]\na = "walk"\n',
    "map.toml": b'layout = "coco17"\n[joints]\nleft_elbow = "Arm"\n',
}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(sorted(_SEEDS)),
    st.lists(st.tuples(st.integers(0, 200), st.sampled_from([b"", b'"', b",", b"\r", b"\xff", b"1e999", b"[", b"\0"]))),
    st.integers(0, 60),
)
def test_a_mutated_list_or_file_of_labels_is_read_or_refused_and_nothing_else(
    tmp_path: Path, name: str, changes: list[tuple[int, bytes]], cut: int
) -> None:
    content = _SEEDS[name]
    for place, change in changes:
        place %= len(content)
        content = content[:place] + change + content[place + 1 :]
    path = tmp_path / name
    path.write_bytes(content[: max(0, len(content) - cut)])

    with contextlib.suppress(DatasetInvalid):
        if name == "list.csv":
            read_list(path, lambda _where, _why: None)
        elif name == "map.toml":
            read_map(path)
        else:
            with_labels(SetDescription(), path)


@pytest.mark.parametrize(
    ("name", "label", "split"),
    [
        ("walk/01", "walk", None),
        ("train/walk/01", "walk", "train"),
        ("walk/Val/01", "walk", "val"),
        ("01", "clips", None),
    ],
)
def test_folders_name_class_and_split(name: str, label: str, split: str | None) -> None:
    source = Recording(Path("/data/clips") / f"{name}.mp4", name)

    assert (class_of(source), split_of(name)) == (label, split)


def test_recordings_of_one_name_are_told_apart_by_ending_and_then_by_folder() -> None:
    paths = ["/a/x/01.mp4", "/a/x/01.avi", "/b/x/01.mp4", "/b/x/02.mp4"]
    sources = [Recording(Path(path), "/".join(Path(path).with_suffix("").parts[-2:])) for path in paths]

    assert [source.name for source in distinct(sources)] == ["a/x/01.mp4", "x/01.avi", "b/x/01.mp4", "x/02"]


def _row(name: str, label: int = 0, **extra: object) -> Annotation:
    return Annotation(name, label, np.ones((1, 2, 17, 2), np.float32), np.ones((1, 2, 17), np.float32), None, extra)


def test_sequences_of_one_name_get_numbers() -> None:
    items = [Labelled(_row(name)) for name in ("a", "a", "a~2", "a")]

    assert [item.annotation.name for item in named_apart(items)] == ["a", "a~3", "a~2", "a~4"]


@pytest.mark.parametrize(
    ("labels", "classes", "indexes"),
    [
        (["walk", None, "fall"], ("fall", "walk"), [1, -1, 0]),
        (["10", "2"], tuple(f"class_{index}" for index in range(11)), [10, 2]),
        ([None], ("unlabelled",), [-1]),
    ],
)
def test_labels_become_classes(labels: list[str | None], classes: tuple[str, ...], indexes: list[int]) -> None:
    items = [Labelled(_row(str(index)), label) for index, label in enumerate(labels)]

    made = assemble(items, SetPlan("mine", "coco17", SplitRule("none")))

    assert (made.classes, [row.label for row in made.annotations]) == (classes, indexes)


def test_a_share_keeps_people_on_one_side_and_every_class_on_both() -> None:
    rows = [
        _row(f"{who}-{take}", label, subject=f"{label}{who}") for label in (0, 1) for who in range(10) for take in "ab"
    ]
    rows = [_row(f"{row.label}/{row.name}", row.label, **dict(row.extra)) for row in rows]

    splits = divide(rows, SplitRule("share", share=0.7, seed=1), {}, {})
    again = divide(rows, SplitRule("share", share=0.7, seed=1), {}, {})
    other = divide(rows, SplitRule("share", share=0.7, seed=2), {}, {})

    sides = {part: {str(row.extra["subject"]) for row in rows if row.name in names} for part, names in splits.items()}
    assert splits == again != other
    assert not sides["train"] & sides["test"]
    assert (len(splits["train"]), len(splits["test"])) == (28, 12)
    assert {row.label for row in rows if row.name in splits["test"]} == {0, 1}


def test_named_subjects_learn_and_the_others_are_measured_on() -> None:
    rows = [_row("a", subject="anna"), _row("b", subject=7), _row("c", subject="ben")]

    assert divide(rows, parse_rule("subjects:anna,7", 0), {}, {}) == {"train": ("a", "b"), "test": ("c",)}
    with pytest.raises(ConfigInvalid, match="names subject 'eve'; subjects: 7, anna, ben"):
        divide(rows, parse_rule("subjects:eve", 0), {}, {})


def test_what_is_given_wins_and_official_splits_stay() -> None:
    rows = [_row("a"), _row("b"), _row("c")]
    given = {"a": "train", "b": "val"}

    assert divide(rows, SplitRule(), given, {}) == {"train": ("a",), "val": ("b",), "test": ("b",)}
    assert divide(rows, SplitRule(), {}, {"xsub_train": ("a",)}) == {"xsub_train": ("a",)}
    with pytest.raises(ConfigInvalid, match="neither a column `split` nor folders"):
        divide(rows, SplitRule("given"), {}, {})
    with pytest.raises(ConfigInvalid, match="put nothing into train, only into val"):
        divide(rows, SplitRule(), {"a": "val"}, {})


@pytest.mark.parametrize(
    "text", ["share", "share:1", "share:0", "share:1.5", "share:-0.5", "subjects:", "random", "none:1"]
)
def test_a_split_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ConfigInvalid, match="expected auto, none, csv"):
        parse_rule(text, 0)
