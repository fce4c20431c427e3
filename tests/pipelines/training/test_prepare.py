import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import DatasetInvalid
from pipelines.training.datasets import load_set, save_set
from pipelines.training.formats.convert import Conversion
from pipelines.training.formats.recordings import Recording
from pipelines.training.formats.splits import SplitRule
from pipelines.training.prepare import VideoJob, find_videos, tracks_of
from pipelines.training.prepare_parts import Parts
from pipelines.training.prepare_videos import PrepareProgress, Videos, prepare_videos
from pipelines.training.prepare_workers import Load
from pipelines.training.skeletons import SkeletonSet
from tests.pipelines.training.video_fakes import (
    DEADLY_WIDTH,
    deadly_networks,
    make_set,
    pair_networks,
    quick_networks,
)
from tests.videos import Clip, write_video

LONG = Clip(size_wh=(128, 96), num_frames=30, fps=12.0)


def _videos(folder: Path, *names: str, clip: Clip = LONG) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, clip)
    return folder


def _listed(folder: Path, sources: list[Recording], load: Load = quick_networks, together: int = 0) -> SkeletonSet:
    with Parts(folder / "out.npz", load().names) as parts:
        how = Conversion("out", rule=SplitRule("none"))
        return prepare_videos(sources, how, Videos(load, "coco17", 1.0, together), parts, PrepareProgress())


def test_find_videos_looks_into_folders_and_names_each_by_its_path_below_them(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "x.mp4", tmp_path / "y.MP4"
    first.parent.mkdir()
    for path in (first, second, tmp_path / "notes.txt"):
        path.touch()

    assert find_videos([tmp_path, first]) == [Recording(first, "a/x"), Recording(second, "y")]


def test_find_videos_of_nothing_says_which_endings_it_knows(tmp_path: Path) -> None:
    with pytest.raises(DatasetInvalid, match=r"no video among .* \(endings .*\.mp4"):
        find_videos([tmp_path])


def test_a_name_that_is_no_text_is_made_printable(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.mp4")).touch()

    assert [source.name for source in find_videos([tmp_path])] == ["caf\N{REPLACEMENT CHARACTER}"]


def test_a_track_has_the_time_of_every_frame(tmp_path: Path) -> None:
    video = write_video(tmp_path / "one.mp4", LONG)
    shares: list[float] = []

    (track,) = tracks_of(VideoJob(video), quick_networks(), shares.append)

    times = np.asarray(track.extra["time_s"])
    assert (track.name, track.label, track.shape_hw) == ("1", -1, (96, 128))
    assert track.keypoint.shape == (1, len(times), 17, 2)
    np.testing.assert_allclose(np.diff(times), 1 / 12, atol=0.01)
    assert (track.score > 0).mean() > 0.9
    assert shares == sorted(shares)
    assert shares[-1] > 0.9


def test_tracks_that_are_too_short_are_dropped_and_nothing_after_the_end_is_read(tmp_path: Path) -> None:
    video = write_video(tmp_path / "short.mp4", LONG)

    assert tracks_of(VideoJob(video, min_s=60), quick_networks()) == []
    (track,) = tracks_of(VideoJob(video, stop_s=1.5), quick_networks())
    assert float(np.asarray(track.extra["time_s"])[-1]) <= 1.5


@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
def test_videos_of_one_name_in_two_folders_are_both_kept(tmp_path: Path, suffix: str) -> None:
    folder = _videos(tmp_path / "v", "walk/01.mp4", "fall/01.mp4")

    make_set(folder, tmp_path / f"mine{suffix}", quick_networks)
    found = load_set(tmp_path / f"mine{suffix}")

    assert [(row.name, found.classes[row.label], row.extra["video"]) for row in found.annotations] == [
        ("fall/01#1", "fall", "fall/01"), ("walk/01#1", "walk", "walk/01"),
    ]  # fmt: skip
    assert (found.layout, found.dim) == ("coco17", 2)
    assert found.rate_hz == pytest.approx(12, abs=0.2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"mine{suffix}", "v"]


def test_the_set_is_the_same_with_any_number_of_workers_and_what_is_no_video_is_told(tmp_path: Path) -> None:
    folder = _videos(tmp_path / "v", *(f"{kind}/{index}.mp4" for kind in ("walk", "fall") for index in range(3)))
    (folder / "walk" / "broken.mp4").write_bytes(b"no video at all")
    refused: list[str] = []
    done: list[float] = []
    progress = PrepareProgress(lambda share, _: done.append(share), lambda name, _: refused.append(name))

    make_set(folder, tmp_path / "one.npz", quick_networks, 1, progress)
    make_set(folder, tmp_path / "two.npz", quick_networks, 2)

    assert refused == ["walk/broken"]
    assert done[-1] == pytest.approx(7)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert {name: len(items) for name, items in load_set(tmp_path / "one.npz").splits.items()} == {
        "train": 4,
        "test": 2,
    }


def test_a_video_that_takes_its_process_down_costs_that_video_alone(tmp_path: Path) -> None:
    folder = _videos(tmp_path / "v", "a.mp4", "c.mp4", "d.mp4")
    _videos(folder, "b.mp4", clip=replace(LONG, size_wh=(DEADLY_WIDTH, 96)))
    refused: list[tuple[str, str]] = []

    made = make_set(
        folder, tmp_path / "mine.npz", deadly_networks, 2,
        PrepareProgress(on_refused=lambda name, why: refused.append((name, why))),
    )  # fmt: skip

    assert refused == [("b", "the process that read it was ended by SIGKILL")]
    assert [row.name for row in made.annotations] == ["a#1", "c#1", "d#1"]


def _wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_that_was_killed_goes_on_and_ends_with_the_same_set(tmp_path: Path) -> None:
    folder = _videos(tmp_path / "v", *(f"{index}.mp4" for index in range(6)))
    make_set(folder, tmp_path / "whole.npz", quick_networks)
    out, parts = tmp_path / "mine.npz", tmp_path / ".mine.npz.parts"
    call = [sys.executable, "-m", "tests.pipelines.training.video_fakes", str(folder), str(out)]
    root = Path(__file__).parents[3]
    counts = []

    for wanted in (2, 4):
        run = subprocess.Popen(call, cwd=root, env=os.environ | {"PYTHONPATH": str(root)})
        _wait_for(lambda least=wanted: len(list(parts.glob("[0-9a-f]*.npz"))) >= least)  # type: ignore[misc]
        run.send_signal(signal.SIGKILL)
        run.wait()
        counts.append(len(list(parts.glob("[0-9a-f]*.npz"))))
    done: list[float] = []
    make_set(folder, out, quick_networks, progress=PrepareProgress(lambda share, _: done.append(share)))

    assert 2 <= counts[0] < 6
    assert done[0] >= counts[-1]
    assert out.read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert not parts.exists()


def test_a_part_that_is_not_whole_is_made_again(tmp_path: Path) -> None:
    folder = _videos(tmp_path / "v", "a.mp4")
    out = tmp_path / "mine.npz"
    with Parts(out, ("quick",)) as parts:
        parts.path(VideoJob(folder / "a.mp4")).write_bytes(b"PK half of a file")

    assert [row.name for row in make_set(folder, out, quick_networks).annotations] == ["a#1"]


def test_a_video_that_has_changed_is_made_again(tmp_path: Path) -> None:
    video = _videos(tmp_path / "v", "a.mp4") / "a.mp4"
    with Parts(tmp_path / "mine.npz", ("quick",)) as parts:
        before = parts.path(VideoJob(video))
        os.utime(video, (1, 1))

        assert parts.path(VideoJob(video)) != before
        assert parts.path(VideoJob(video, min_s=2)) != parts.path(VideoJob(video))


def test_a_set_is_made_by_one_process_at_a_time(tmp_path: Path) -> None:
    with Parts(tmp_path / "mine.npz", ()), pytest.raises(DatasetInvalid, match="another process is making this set"):
        Parts(tmp_path / "mine.npz", (), patience_s=0)


def test_parts_of_a_video_are_cut_out_of_it_with_what_the_list_says(tmp_path: Path) -> None:
    video = write_video(tmp_path / "one.mp4", LONG)
    sources = [
        Recording(video, "one", label="walk", split="train", subject="anna", to_s=1.0),
        Recording(video, "one", label="fall", from_s=1.0, to_s=2.0),
        Recording(video, "one", label="fall", from_s=50.0, to_s=60.0),
    ]

    made = _listed(tmp_path, sources)

    spans = [np.asarray(row.extra["time_s"])[[0, -1]].round(2).tolist() for row in made.annotations]
    assert [(row.name, made.classes[row.label]) for row in made.annotations] == [
        ("one#1@0.00", "walk"),
        ("one#1@1.00", "fall"),
    ]
    assert (spans[0][0] < 0.5, spans[0][1], spans[1]) == (True, 1.0, [1.0, 2.0])
    assert made.annotations[0].extra["subject"] == "anna"
    np.testing.assert_array_equal(made.annotations[1].extra["first_frame"], 12)


def test_people_of_one_video_can_share_a_sequence(tmp_path: Path) -> None:
    video = write_video(tmp_path / "two.mp4", LONG)

    apart = _listed(tmp_path, [Recording(video, "two")], pair_networks)
    together = _listed(tmp_path, [Recording(video, "two", label="handshake")], pair_networks, together=2)

    (pair,) = together.annotations
    assert [row.name for row in apart.annotations] == ["two#1", "two#2"]
    assert pair.name == "two"
    assert pair.keypoint.shape[:2] == (2, apart.annotations[0].keypoint.shape[1])
    assert sorted(pair.keypoint[:, 5, :, 0].mean(axis=-1) < 64) == [False, True]
    save_set(together, tmp_path / "two.pkl")
    assert load_set(tmp_path / "two.pkl").num_persons == 2
