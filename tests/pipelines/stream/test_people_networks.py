"""Detectors and pose estimators by name and by folder, and people of any joint layout through the same chain."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import ContractMismatch, ModelError, ModelUnknown, WeightsCorrupt, WeightsMissing
from models.runtime.people_folder import write_people_folder
from models.weights.registry import load_registry
from models.weights.store import WeightStore
from pipelines.results import Summary
from pipelines.stream.analyze import Run, analyze
from pipelines.stream.build import NetworkChoice, Networks, build_people, load_people_networks, with_action
from pipelines.stream.config import PipelineConfig
from pipelines.stream.people_networks import with_named
from pipelines.types import Frame, Poses
from tests.people_folders import detector_folder, one_stage_folder, simcc_folder
from tests.stream_fakes import FakeDetector, FakeSource, networks_of

_REGISTRY = load_registry()


def _store(folder: Path) -> WeightStore:
    return WeightStore(folder / "cache", offline=True)


def test_folders_take_the_places_that_they_are_named_for(tmp_path: Path) -> None:
    detector, pose = detector_folder(tmp_path / "boxes"), simcc_folder(tmp_path / "joints")

    people = load_people_networks(NetworkChoice(detector=str(detector), pose=str(pose)), _store(tmp_path))

    assert people.names == ("boxes", "joints")
    assert people.detector_id.sha256 == hashlib.sha256((detector / "model.onnx").read_bytes()).hexdigest()
    assert people.pose_id.sha256 == hashlib.sha256((pose / "model.onnx").read_bytes()).hexdigest()


@pytest.mark.parametrize("place", ["detector", "pose"])
def test_one_stage_network_takes_both_places_wherever_it_is_named(tmp_path: Path, place: str) -> None:
    folder = str(one_stage_folder(tmp_path / "both"))
    base = NetworkChoice()

    choice = with_named(base, folder if place == "detector" else None, folder if place == "pose" else None, _REGISTRY)
    people = load_people_networks(choice, _store(tmp_path))

    assert people.names == ("both", "both")
    assert people.detector_id == people.pose_id


def test_one_stage_network_leaves_the_place_that_is_named_to_another(tmp_path: Path) -> None:
    both, joints = str(one_stage_folder(tmp_path / "both")), str(simcc_folder(tmp_path / "joints"))

    people = load_people_networks(with_named(NetworkChoice(), both, joints, _REGISTRY), _store(tmp_path))

    assert people.names == ("both", "joints")


def test_camera_that_names_a_detector_keeps_the_default_pose_estimator(tmp_path: Path) -> None:
    both, boxes = str(one_stage_folder(tmp_path / "both")), str(detector_folder(tmp_path / "boxes"))
    base = NetworkChoice(detector=both)

    choice = with_named(base, boxes, None, _REGISTRY)

    assert (choice.detector, choice.pose) == (boxes, both)


def test_what_is_open_already_is_not_opened_again(tmp_path: Path) -> None:
    detector, pose = str(detector_folder(tmp_path / "boxes")), str(simcc_folder(tmp_path / "joints"))
    other = str(simcc_folder(tmp_path / "others", is_random=True))
    first = load_people_networks(NetworkChoice(detector=detector, pose=pose), _store(tmp_path))

    second = load_people_networks(NetworkChoice(detector=detector, pose=other), _store(tmp_path), beside=first)

    assert second.detector is first.detector
    assert second.pose is not first.pose


@pytest.mark.parametrize(
    ("choice", "error", "words"),
    [
        pytest.param({"detector": "nope"}, ModelUnknown, "'nope', expected a detector: rtmdet-nano-person", id="name"),
        pytest.param({"detector": "blazepose-full"}, ModelUnknown, "is a pose estimator", id="pose as detector"),
        pytest.param({"pose": "rtmdet-nano-person"}, ModelUnknown, "is a detector", id="detector as pose"),
        pytest.param({"pose": "everyday-stgcnpp"}, ModelUnknown, "is an action model", id="action as pose"),
        pytest.param({"detector": "/nowhere/at/all"}, ModelUnknown, "folder with model.json", id="no folder"),
        pytest.param({"detector": "."}, WeightsMissing, "model.json: no such file", id="folder of something else"),
        pytest.param({"detector": "yolo11n"}, WeightsMissing, "yolo11n.onnx", id="no weights"),
        pytest.param({"profile": "nope"}, ModelUnknown, "auto, fast, accurate", id="profile"),
    ],
)
def test_choice_is_refused_with_what_would_do(
    tmp_path: Path, choice: dict[str, str], error: type[ModelError], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(error, match=words):
        load_people_networks(NetworkChoice(**choice), _store(tmp_path))  # type: ignore[arg-type]


def test_folder_of_one_kind_is_refused_in_the_place_of_the_other(tmp_path: Path) -> None:
    folder = simcc_folder(tmp_path / "joints")

    with pytest.raises(ModelUnknown, match="joints is a pose estimator, expected a detector"):
        load_people_networks(NetworkChoice(detector=str(folder)), _store(tmp_path))


def test_folder_is_refused_when_its_network_was_exchanged(tmp_path: Path) -> None:
    folder = simcc_folder(tmp_path / "joints")
    (folder / "model.onnx").write_bytes(b"another")

    with pytest.raises(WeightsCorrupt):
        load_people_networks(NetworkChoice(pose=str(folder)), _store(tmp_path))


def test_folder_is_refused_when_its_network_is_of_another_family(tmp_path: Path) -> None:
    folder = detector_folder(tmp_path / "boxes")
    spec = replace(_REGISTRY.require("yolo11n"), name="boxes")
    write_people_folder(folder, spec, folder / "model.onnx")
    choice = NetworkChoice(detector=str(folder), pose=str(simcc_folder(tmp_path / "joints")))

    with pytest.raises(ContractMismatch, match="expected one of"):
        load_people_networks(choice, _store(tmp_path))


@pytest.mark.parametrize(("layout", "num_joints"), [("coco17", 17), ("halpe26", 26), ("wholebody133", 133)])
def test_people_of_any_layout_are_followed_and_judged(tmp_path: Path, layout: str, num_joints: int) -> None:
    networks = _networks(tmp_path, simcc_folder(tmp_path / "joints", layout, num_joints))

    summary: Summary = analyze(FakeSource(num_frames=60), networks, PipelineConfig(), [], Run("clip.mp4"))

    assert summary.header.layout == layout
    assert summary.header.networks is not None
    assert summary.header.networks.pose.name == "joints"
    assert [one.action for track in summary.tracks for one in track.actions] == ["walk"]


def test_people_of_a_one_stage_network_are_followed_and_judged(tmp_path: Path) -> None:
    choice = with_named(NetworkChoice(), str(one_stage_folder(tmp_path / "both")), None, _REGISTRY)
    networks = with_action(load_people_networks(choice, _store(tmp_path)), networks_of().action)

    summary = analyze(FakeSource(num_frames=60), networks, PipelineConfig(), [], Run("clip.mp4"))

    assert [one.action for track in summary.tracks for one in track.actions] == ["walk"]


@pytest.mark.parametrize("height_px", [56, 90, 250, 1000])
def test_person_is_followed_in_place_at_every_height_when_the_network_predicts_no_region(
    tmp_path: Path, height_px: int
) -> None:
    size_wh = (1600, 1200) if height_px > 400 else (640, 480)
    x, y = size_wh[0] / 2, size_wh[1] / 2
    box = (x - height_px / 5, y - height_px / 2, x + height_px / 5, y + height_px / 2)
    networks = replace(_networks(tmp_path, simcc_folder(tmp_path / "joints")), detector=FakeDetector(box))

    poses = _follow(networks, size_wh)

    assert len(poses) == 1
    low, high = poses.keypoints[0, :, :2].min(axis=0), poses.keypoints[0, :, :2].max(axis=0)
    assert 0.75 * height_px < high[1] - low[1] < 1.05 * height_px
    np.testing.assert_allclose((low + high) / 2, (x, y), atol=0.1 * height_px)


@pytest.mark.parametrize(("layout", "num_joints"), [("coco17", 17), ("wholebody133", 133)])
def test_network_of_random_weights_gives_nobody_or_joints_in_the_picture(
    tmp_path: Path, layout: str, num_joints: int
) -> None:
    networks = _networks(tmp_path, simcc_folder(tmp_path / "joints", layout, num_joints, is_random=True))

    poses = _follow(networks, (640, 480))

    assert poses.keypoints.shape[1:] == (num_joints, 3)
    assert np.isfinite(poses.keypoints).all()


def _networks(folder: Path, pose: Path) -> Networks:
    """The pose estimator of a folder behind a detector that always sees one person."""
    choice = NetworkChoice(detector=str(detector_folder(folder / "boxes")), pose=str(pose))
    return with_action(load_people_networks(choice, _store(folder)), networks_of().action)


def _follow(networks: Networks, size_wh: tuple[int, int], num_frames: int = 45) -> Poses:
    """The people of the last of three seconds' frames."""
    chain = build_people(networks, PipelineConfig())
    picture = np.full((size_wh[1], size_wh[0], 3), 90, np.uint8)
    for index in range(num_frames):
        poses = chain(Frame(index, index / 15, picture))
    return poses
