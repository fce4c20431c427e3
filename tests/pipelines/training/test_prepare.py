from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import DatasetInvalid
from pipelines.stream.build import PeopleNetworks
from pipelines.training.datasets import load_set, save_set
from pipelines.training.prepare import find_videos, prepare, unique_names
from tests.stream_fakes import FakeDetector, FakePoses
from tests.videos import Clip, write_video

NETWORKS = PeopleNetworks(detector=FakeDetector((44, 8, 84, 90)), pose=FakePoses())
LONG = Clip(size_wh=(128, 96), num_frames=30, fps=12.0)


def test_find_videos_looks_into_folders_and_names_nothing_twice(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "x.mp4", tmp_path / "y.MP4"
    first.parent.mkdir()
    for path in (first, second, tmp_path / "notes.txt"):
        path.touch()

    assert find_videos([tmp_path, first]) == [first, second]


def test_prepare_makes_one_sequence_per_person_with_the_time_of_every_frame(tmp_path: Path) -> None:
    (tmp_path / "walk").mkdir()
    video = write_video(tmp_path / "walk" / "one.mp4", LONG)

    skeletons = prepare([video], NETWORKS, "mine", by_folder=True)
    save_set(skeletons, tmp_path / "mine.npz")
    found = load_set(tmp_path / "mine.npz")

    (track,) = found.annotations
    assert found.classes == ("walk",)
    assert (track.label, track.shape_hw, track.extra["video"]) == (0, (96, 128), "one")
    times = np.asarray(track.extra["time_s"])
    assert track.keypoint.shape == (1, len(times), 17, 2)
    np.testing.assert_allclose(np.diff(times), 1 / 12, atol=0.01)
    assert found.rate_hz == pytest.approx(12, abs=0.2)
    assert (track.score > 0).mean() > 0.9


def test_prepare_leaves_out_what_is_no_video_and_goes_on(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all")
    good = write_video(tmp_path / "good.mp4", LONG)
    refused: list[str] = []
    shares: list[float] = []

    skeletons = prepare(
        [broken, good], NETWORKS, "mine",
        on_frame=lambda _, share: shares.append(share), on_refused=lambda path, _: refused.append(path.name),
    )  # fmt: skip

    assert refused == ["broken.mp4"]
    assert [item.extra["video"] for item in skeletons.annotations] == ["good"]
    assert shares == sorted(shares)
    assert shares[-1] > 0.9


def test_prepare_drops_tracks_that_are_too_short(tmp_path: Path) -> None:
    video = write_video(tmp_path / "short.mp4", LONG)

    assert prepare([video], NETWORKS, "mine", min_seconds=60).annotations == ()


def test_prepare_of_nothing_says_which_endings_it_knows(tmp_path: Path) -> None:
    with pytest.raises(DatasetInvalid, match=r"no video among .* \(endings .*\.mp4"):
        find_videos([tmp_path])


@pytest.mark.parametrize(
    ("videos", "names"),
    [
        (["/v/walk/01.mp4", "/v/fall/01.mp4", "/v/fall/02.mp4"], ["walk/01", "fall/01", "02"]),
        (["/v/a/x.mp4", "/v/a/x.avi"], ["x.mp4", "x.avi"]),
        (["/v/a/c/x.mp4", "/v/b/c/x.mp4"], ["a/c/x", "b/c/x"]),
        (["/v/a/x.mp4", "/v/a/x.avi", "/v/b/x.mp4"], ["a/x", "x.avi", "b/x"]),
        (["/v/x.mp4", "/v/x.avi", "/v/x.mp4.mkv"], ["v/x", "x.avi", "v/x.mp4"]),
        ([], []),
    ],
)
def test_videos_of_the_same_name_are_told_apart(videos: list[str], names: list[str]) -> None:
    assert unique_names([Path(video) for video in videos]) == names


@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
def test_set_of_videos_of_the_same_name_can_be_read_again(tmp_path: Path, suffix: str) -> None:
    for kind in ("walk", "fall"):
        (tmp_path / kind).mkdir()
        write_video(tmp_path / kind / "01.mp4", LONG)

    save_set(prepare(find_videos([tmp_path]), NETWORKS, "mine", by_folder=True), tmp_path / f"mine{suffix}")
    found = load_set(tmp_path / f"mine{suffix}")

    assert [(row.name, found.classes[row.label], row.extra["video"]) for row in found.annotations] == [
        ("fall/01#1", "fall", "fall/01"), ("walk/01#1", "walk", "walk/01"),
    ]  # fmt: skip
