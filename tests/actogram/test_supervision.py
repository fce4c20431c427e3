"""Whoever works with `supervision` gets its own values."""

import sys
from pathlib import Path

import numpy as np
import pytest

import actogram
from pipelines.errors import PackageMissing
from tests.stream_fakes import networks_of
from tests.videos import Clip, write_video


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4", Clip(num_frames=60, size_wh=(320, 240)))


def test_frames_become_detections_and_key_points(video: Path) -> None:
    sv = pytest.importorskip("supervision")

    found = actogram.analyze(video, choice=networks_of())
    frames = list(found.to_supervision())

    skeleton = found.skeleton(found.people[0].track_id)
    assert [frame.time_s for frame in frames] == skeleton.time_s.tolist()
    first = frames[0]
    assert isinstance(first.detections, sv.Detections)
    assert isinstance(first.key_points, sv.KeyPoints)
    assert first.detections.tracker_id.tolist() == [found.people[0].track_id]
    assert np.array_equal(first.detections.xyxy[0], skeleton.xyxy[0])
    assert np.array_equal(first.key_points.xy[0], skeleton.keypoints[0, :, :2])
    assert first.detections.data["class_name"].tolist() == [skeleton.action[0] or ""]


def test_annotators_of_supervision_draw_what_they_get(video: Path) -> None:
    sv = pytest.importorskip("supervision")
    picture = np.zeros((240, 320, 3), np.uint8)

    frame = next(actogram.analyze(video, choice=networks_of()).to_supervision())
    boxes = sv.BoxAnnotator().annotate(picture.copy(), frame.detections)
    joints = sv.VertexAnnotator(radius=3).annotate(picture.copy(), frame.key_points)

    assert boxes.any()
    assert joints.any()


def test_moment_of_a_camera_becomes_the_same(video: Path) -> None:
    pytest.importorskip("supervision")
    from actogram.supervision import frame_of

    with actogram.watch(str(video), choice=networks_of()) as moments:
        frames = [frame_of(moment) for moment in moments]

    assert any(len(frame.detections) for frame in frames)
    assert all(len(frame.detections) == len(frame.key_points) for frame in frames)


def test_missing_package_is_named(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    found = actogram.analyze(video, choice=networks_of())

    with pytest.raises(PackageMissing, match="pip install supervision"):
        next(found.to_supervision())
