from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models.arrays import FloatArray, Image
from models.runtime.detector import DetectedPeople
from models.runtime.pose import Landmarks
from pipelines.bench.clip_set import find_video, load_clips, read_frames
from pipelines.bench.noise import NoiseSetting, measure, replay, report_object, table
from pipelines.bench.noisy_pose import NoisyPoses
from pipelines.bench.remembered import RememberedDetector, RememberedPoses
from pipelines.bench.transcript import Transcript, compare, count_falls
from pipelines.errors import SourceUnavailable
from pipelines.stream.config import PipelineConfig
from pipelines.types import Event, Frame
from tests.stream_fakes import FakeDetector, FakePoses, FakeSource, networks_of
from tests.videos import Clip, write_video

REGIONS = np.array([[100.0, 100.0, 256.0, 0.0], [300.0, 200.0, 512.0, np.pi / 2]], np.float32)
IMAGE = np.zeros((480, 640, 3), np.uint8)


def noisy(sigma: float, seed: int = 0, *, on_scores: bool = True) -> Landmarks:
    return NoisyPoses(FakePoses(), sigma, seed, on_scores=on_scores)([IMAGE] * 2, REGIONS)


def test_noise_is_as_large_as_asked_in_pixels_of_the_crop() -> None:
    still = FakePoses()([IMAGE] * 2, REGIONS)

    runs = np.stack([noisy(0.5, seed).keypoints[..., :2] - still.keypoints[..., :2] for seed in range(200)])

    np.testing.assert_allclose(runs.std(axis=(0, 2, 3)), [0.5, 1.0], rtol=0.05)


def test_noise_moves_the_next_region_and_leaves_it_in_place_on_average() -> None:
    following = np.stack([noisy(0.5, seed).next_region for seed in range(200)])

    np.testing.assert_allclose(following.mean(axis=0), REGIONS, atol=0.2)
    assert (following.std(axis=0)[:, :3] > 0.2).all()


def test_noise_of_one_seed_is_always_the_same() -> None:
    np.testing.assert_array_equal(noisy(0.1, 3).keypoints, noisy(0.1, 3).keypoints)
    assert not np.array_equal(noisy(0.1, 3).keypoints, noisy(0.1, 4).keypoints)


def test_noise_spares_the_scores_when_told() -> None:
    still = FakePoses()([IMAGE] * 2, REGIONS)

    spared, touched = noisy(0.1, on_scores=False), noisy(0.1)

    np.testing.assert_array_equal(spared.presence, still.presence)
    assert not np.array_equal(touched.presence, still.presence)


def test_remembered_detector_looks_once_at_each_picture_of_the_clip() -> None:
    seen: list[int] = []
    detector = FakeDetector((0, 0, 10, 10))

    def counting(images: Sequence[Image]) -> list[DetectedPeople]:
        seen.append(len(images))
        return detector(images)

    frames = list(FakeSource(2))
    frames[1] = Frame(1, 0.1, frames[1].image.copy())
    remembered = RememberedDetector(counting, frames)

    for frame in [*frames, *frames]:
        remembered([frame.image])
    remembered([frames[0].image.copy()])
    remembered([frames[0].image.copy()])

    assert seen == [1, 1, 1, 1]


def test_remembered_poses_answer_for_a_region_that_moved_by_less_than_a_pixel() -> None:
    asked: list[int] = []
    estimator = FakePoses()

    class Counting(FakePoses):
        def __call__(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
            asked.append(len(regions))
            return estimator(images, regions)

    frames = list(FakeSource(1))
    remembered, images = RememberedPoses(Counting(), frames), [frames[0].image] * 2
    remembered(images, REGIONS)

    near = remembered(images, REGIONS + np.array([0.3, 0, 0, 0], np.float32))
    far = remembered(images, REGIONS + np.array([9, 0, 0, 0], np.float32))

    assert asked == [2, 2]
    np.testing.assert_array_equal(near.keypoints, estimator(images, REGIONS).keypoints)
    assert not np.array_equal(far.keypoints, near.keypoints)


def said(*actions: str, track_id: int = 1, offset_px: float = 0.0) -> Transcript:
    heard = Transcript()
    heard.boxes[track_id] = {0: np.array([0, 0, 10, 10], np.float32) + np.float32(offset_px)}
    heard.shown[track_id] = list(actions)
    for number, action in enumerate(actions):
        event = Event(
            f"{track_id}-{number}", track_id, action, "confirmed", float(number), number + 1.0, 0.9, (0, 0, 1, 1)
        )
        heard.add_events([event], number + 0.5)
    return heard


def test_people_are_matched_by_where_they_are_not_by_their_number() -> None:
    assert compare(said("stand", "fall"), said("stand", "fall", track_id=7)).events


@pytest.mark.parametrize(
    "other",
    [said("stand"), said("fall", "stand"), said("stand", "fall", offset_px=500.0), Transcript()],
    ids=["one less", "other order", "somebody else", "nobody"],
)
def test_another_sequence_is_told(other: Transcript) -> None:
    assert not compare(said("stand", "fall"), other).events


def test_falls_are_counted_once_and_those_that_nobody_had_are_invented() -> None:
    assert count_falls(said("fall"), [(0.0, 0.4)]) == (1, 0)
    assert count_falls(said("fall"), []) == (0, 1)
    assert count_falls(said("stand"), [(0.0, 0.4)]) == (0, 0)
    assert count_falls(said("stand", "walk", "stand", "fall"), [(0.0, 0.4)]) == (0, 1)


def test_replay_says_the_same_twice_and_the_tables_tell_it(tmp_path: Path) -> None:
    write_video(tmp_path / "one.mp4", Clip(size_wh=(320, 240), num_frames=60))
    setting = NoiseSetting(tmp_path, (0.0, 0.01), num_seeds=2)
    lines: list[str] = []

    reports = measure(load_clips(["one"]), networks_of(), PipelineConfig(), setting, lines.append)

    assert [run.same_events for run in reports[0].runs] == [True] * 4
    assert reports[0].runs[0].first is None
    assert any(reports[0].announced.values())
    assert len(lines) == 4
    assert "| all, 1 | 0.01 | 100.0% | 1 of 1 |" in table(reports, setting)
    assert report_object(reports, setting)["seeds"] == 2


def test_the_list_holds_fourteen_falls_and_files_that_exist(data_dir: Path) -> None:
    clips = load_clips()

    paths = [find_video(data_dir, clip.name) for clip in clips]

    assert 20 <= len(paths) <= 24
    assert sum(len(clip.falls) for clip in clips) == 14


def test_a_clip_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="no clip named nothing"):
        find_video(tmp_path, "nothing")


def test_frames_end_where_told_and_replay_takes_none(tmp_path: Path) -> None:
    write_video(tmp_path / "one.mp4", Clip(size_wh=(320, 240), num_frames=60))

    assert read_frames(tmp_path / "one.mp4", 15.0, 1.0)[-1].time_s <= 1.0
    assert replay((), networks_of(), PipelineConfig()).boxes == {}
