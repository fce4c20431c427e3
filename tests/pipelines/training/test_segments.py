import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipelines.errors import ConfigInvalid
from pipelines.training.__main__ import main
from pipelines.training.config import TrainConfig
from pipelines.training.corpus import read_clips, with_sets
from pipelines.training.datasets import Annotation, SkeletonSet, load_set, save_set
from pipelines.training.labels import load_labels
from pipelines.training.segments import (
    EVERYDAY,
    SegmentTable,
    Side,
    VideoSegment,
    VideoSegments,
    cut_segments,
    load_segments,
)

RATE_HZ = 10.0
_POINTS = np.stack([np.linspace(0, 40, 17), np.linspace(0, 120, 17)], axis=-1)


def _track(name: str, x: float, from_s: float, to_s: float, lost_s: tuple[float, float] = (0, 0)) -> Annotation:
    """A body 40 wide and 120 high whose left edge stands at x of a picture of 400 by 200."""
    times = np.arange(round(from_s * RATE_HZ), round(to_s * RATE_HZ) + 1) / RATE_HZ
    keypoint = np.broadcast_to(_POINTS + np.array([x, 40]), (1, len(times), 17, 2)).astype(np.float32)
    score = np.ones((1, len(times), 17), np.float32)
    score[:, (times > lost_s[0]) & (times < lost_s[1])] = 0
    extra = {"video": "hall", "time_s": times.astype(np.float32), "rate_hz": RATE_HZ}
    return Annotation(name, -1, keypoint, score, (200, 400), extra)


def _prepared(*tracks: Annotation) -> SkeletonSet:
    return SkeletonSet("clips", (), {}, tracks, tuple(range(17)), 25.0)


def _table(*segments: VideoSegment) -> SegmentTable:
    return {"hall": VideoSegments(terms="ours", segments=segments)}


def _segment(shows: str, from_s: float, to_s: float, at: tuple[float, float] | None = None) -> VideoSegment:
    return VideoSegment(who="one", shows=shows, from_s=from_s, to_s=to_s, at=at)


def _spans(pieces: SkeletonSet) -> list[tuple[str, float, float]]:
    times = [np.asarray(piece.extra["time_s"]) for piece in pieces.annotations]
    return [
        (piece.name.split("@")[0], round(float(time[0]), 1), round(float(time[-1]), 1))
        for piece, time in zip(pieces.annotations, times, strict=True)
    ]


def test_a_segment_cuts_everyone_who_is_seen_long_enough_in_it() -> None:
    tracks = _prepared(_track("a", 10, 0, 10), _track("b", 200, 3, 9), _track("c", 300, 4.5, 10))

    pieces = cut_segments(tracks, _table(_segment("walk", 2.0, 5.0)))

    assert _spans(pieces) == [("a", 2.0, 5.0), ("b", 3.0, 5.0)]
    assert {pieces.classes[piece.label] for piece in pieces.annotations} == {"walk"}
    assert pieces.splits == {"train": tuple(piece.name for piece in pieces.annotations), "test": ()}
    assert pieces.meta["terms"] == {"hall": "ours"}


@pytest.mark.parametrize(
    ("at", "expected"),
    [((0.08, 0.5), ["a"]), ((0.55, 0.5), ["b"]), ((0.3, 0.5), []), ((0.08, 0.05), [])],
    ids=["the left one", "the right one", "between them", "above"],
)
def test_a_point_names_one_of_several_people(at: tuple[float, float], expected: list[str]) -> None:
    tracks = _prepared(_track("a", 10, 0, 10), _track("b", 200, 0, 10))

    pieces = cut_segments(tracks, _table(_segment("stand", 2.0, 5.0, at)))

    assert [name for name, _, _ in _spans(pieces)] == expected


@pytest.mark.parametrize(
    ("side", "expected"),
    [("left", ["a"]), ("right", ["c"]), ("not-left", ["c"]), ("not-right", ["a"])],
)
def test_a_side_names_one_of_those_who_are_near_at_the_start(side: Side, expected: list[str]) -> None:
    small = _track("b", 390, 0, 10)
    small = replace(small, keypoint=small.keypoint * 0.3 + 300)
    tracks = _prepared(_track("a", 10, 0, 10), small, _track("c", 200, 0.3, 10), _track("late", 300, 4, 10))
    segment = VideoSegment(who="one", shows="kick", from_s=5.0, to_s=8.0, side=side)

    pieces = cut_segments(tracks, _table(segment))

    assert [name for name, _, _ in _spans(pieces)] == expected


def test_a_manifest_says_who_acts_and_when(tmp_path: Path) -> None:
    rows = [
        {"file": "utint_kick_seq01_1.avi", "label": "kick", "seconds": 4.0, "actor": "right", "licence": "research"},
        {"file": "b.mp4", "label": "fall", "seconds": 9.0, "person": "gmdcsa_s2",
         "segments_s": [["Falling (BW)", "2.5 to 8"], ["Standing", "0 to 1; 1.2 to 1.4"]]},
        {"file": "c.mp4", "label": "sit_down", "seconds": 9.0, "segments_s": [["Sitting", "0.6 to 9"]]},
        {"file": "d.mp4", "label": "pick_up", "seconds": 5.0, "segments_s": [["Walking", "1.8 to 5"]]},
        {"file": "not_looked_at.mp4", "bytes": 5},
    ]  # fmt: skip
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(rows), "utf-8")

    table = load_segments(str(path))

    said = {
        name: [(item.shows, item.side, round(item.from_s, 1), item.to_s) for item in rows.segments]
        for name, rows in table.items()
    }
    assert said == {
        "utint_kick_seq01_1": [
            ("kick", "right", 0.0, 4.0), ("!fall !strike !gesture", "not-right", 0.0, 4.0)
        ],
        "b": [("@fall", None, 1.5, 9.0), ("stand", None, 0.0, 1.0)],
        "c": [("sit_down", None, 0.1, 2.6), ("sitting", None, 2.6, 9.0)],
        "d": [("walk", None, 1.8, 5.0), ("pick_up", None, 0.0, 1.8)],
    }  # fmt: skip
    assert [rows.segments[0].who for rows in table.values()] == ["utint-seq01", "gmdcsa-s2", "c", "d"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", None),
        ('[{"file": "a.mp4", "label": "juggle", "seconds": 3}]', "lacks 'juggle'"),
        ('[{"file": "a.mp4", "label": "walk", "seconds": "long"}]', "is no manifest"),
        ("[", "is no manifest"),
    ],
    ids=["empty", "an unknown word", "a wrong value", "no JSON"],
)
def test_a_manifest_that_says_nothing_clear_is_refused(tmp_path: Path, text: str, message: str | None) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(text, "utf-8")

    if message is None:
        assert load_segments(str(path)) == {}
        return
    with pytest.raises(ConfigInvalid, match=message):
        load_segments(str(path))


def test_a_long_stretch_counts_as_often_as_it_is_long() -> None:
    pieces = cut_segments(_prepared(_track("a", 10, 0, 20)), _table(_segment("stand", 0, 12)))

    spans = [(start, stop) for _, start, stop in _spans(pieces)]
    assert len(spans) == 3
    assert (spans[0][0], spans[-1][1]) == (0.0, 12.0)
    assert all(3.5 < stop - start < 4.5 for start, stop in spans)


def test_who_was_lost_for_a_while_is_cut_there() -> None:
    tracks = _prepared(_track("a", 10, 0, 10, lost_s=(3.0, 4.5)), _track("b", 200, 0, 10, lost_s=(3.0, 3.4)))

    pieces = cut_segments(tracks, _table(_segment("walk", 1.0, 5.0)))

    assert _spans(pieces) == [("a", 1.0, 3.0), ("b", 1.0, 5.0)]


def test_pieces_are_learnt_from_at_the_rate_of_their_video_and_by_person() -> None:
    tracks = _prepared(_track("a", 10, 0, 10))
    table = _table(_segment("stand", 1.0, 3.0), _segment("!fall", 4.0, 6.0))

    stand, weak = read_clips(cut_segments(tracks, table), load_labels())

    assert (stand.rate_hz, stand.group) == (RATE_HZ, "one")
    assert (load_labels().labels[stand.label], stand.not_fall) == ("stand", False)
    assert (weak.label, weak.not_fall) == (-1, True)


def test_segments_of_the_public_clips_name_people_once_and_no_clip_of_the_exam() -> None:
    table = load_segments(EVERYDAY)

    assert not [video for video in table if video.startswith(("upfall", "urfd", "ways"))]
    assert all(rows.terms != "not stated" for rows in table.values())
    people = [{segment.who for segment in rows.segments} for rows in table.values()]
    assert sum(map(len, people)) == len(set().union(*people))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{ who = "a", shows = "dance", from_s = 0, to_s = 2 }', r"shows \['dance'\], expected `@fall`"),
        ('{ who = "a", shows = "walk", from_s = 2, to_s = 1 }', r"hall\.segments\.0: .*-1\.00 s, expected 0\.7"),
        ('{ who = "a", shows = "walk", from_s = 0, to_s = 2, at = [1.5, 0] }', r"at\.0: .*less than or equal to 1"),
        ('{ who = "a", shows = "walk", from_s = 0, to_s = 2, when = 1 }', "when: Extra inputs"),
    ],
    ids=["unknown label", "ends before it begins", "outside the picture", "unknown key"],
)
def test_a_segment_that_cannot_be_is_named(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "mine.toml").write_text(f"[hall]\nsegments = [{row}]\n", "utf-8")

    with pytest.raises(ConfigInvalid, match=message):
        load_segments(str(tmp_path / "mine.toml"))


def test_optional_sets_are_learnt_from_where_they_are_and_named_in_the_configuration(tmp_path: Path) -> None:
    table, folders = load_labels(), [tmp_path / "skeleton", tmp_path / "mine"]
    folders[1].mkdir()
    before = with_sets(TrainConfig(), table, folders)
    pieces = cut_segments(_prepared(_track("a", 10, 0, 10)), _table(_segment("walk", 1.0, 5.0)))
    save_set(pieces, folders[1] / "clips.npz")

    after = with_sets(TrainConfig(), table, folders)

    assert set(after.data.sets) - set(before.data.sets) == {"clips"}
    assert load_set(folders[1] / "clips.npz").meta["terms"] == {"hall": "ours"}


def test_prepare_with_segments_says_when_none_of_the_videos_is_among_them(tmp_path: Path) -> None:
    (tmp_path / "other.mp4").touch()

    result = CliRunner().invoke(
        main,
        ["prepare", str(tmp_path), "--out", str(tmp_path / "clips.npz"), "--segments", "everyday",
         "--cache", str(tmp_path), "--offline"],
    )  # fmt: skip

    assert result.exit_code == 2
    assert "actogram: dataset_invalid: none of the 1 videos has segments" in result.output
