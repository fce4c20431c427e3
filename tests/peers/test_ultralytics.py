"""YOLO networks exported by `actogram models export-yolo` against `ultralytics.YOLO.predict`, on real pictures."""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from models.arrays import FloatArray, Image
from models.runtime.build import build_detector, build_one_stage
from models.runtime.onestage import OneStage
from models.runtime.people_folder import load_people_folder
from models.runtime.session import Session
from service.commands.models import command
from service.commands.own_environment import ULTRALYTICS
from tests.models.conftest import iter_images
from tests.peers.environments import require, run

pytestmark = [pytest.mark.peers, pytest.mark.slow]

CLIPS = ("mmaction2_demo_skeleton.mp4", "upfall_a1_t1_c2.mp4")
NETWORKS = ("yolov8n", "yolo11n", "yolo26n", "yolov8n-pose", "yolo11n-pose", "yolo26n-pose")
CASES = [(name, False) for name in NETWORKS] + [("yolo26n", True), ("yolo26n-pose", True)]
BOX_PX, JOINT_PX, SCORE = 0.5, 0.5, 1e-3


@dataclass(frozen=True)
class Peer:
    """The environment, a folder of checkpoints with random weights, and pictures as arrays and as files."""

    environment: Path
    folder: Path
    images: list[Image]
    files: list[Path]


@pytest.fixture(scope="module")
def peer(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Peer:
    environment, folder = require(ULTRALYTICS), tmp_path_factory.mktemp("yolo")
    images = [image for clip in CLIPS for image in iter_images(data_dir / "video" / clip, every=20, count=2)]
    images.append(np.ascontiguousarray(images[0][:301, :407]))  # sides that no padding divides
    files = [folder / f"{index}.png" for index in range(len(images))]
    for image, file in zip(images, files, strict=True):
        assert cv2.imwrite(str(file), image)
    run(environment, "ultralytics_peer.py", "make", folder, files[0], *NETWORKS)
    return Peer(environment, folder, images, files)


@pytest.mark.parametrize(("name", "is_end_to_end"), CASES)
def test_people_are_those_that_ultralytics_predicts(name: str, is_end_to_end: bool, peer: Peer, tmp_path: Path) -> None:
    folder = export(peer, name, is_end_to_end, tmp_path)
    theirs = predicted(peer, name, is_end_to_end, tmp_path / "answers.json")

    ours = found(folder, peer.images)

    assert sum(len(answer["score"]) for answer in theirs) > 10
    for mine, their in zip(ours, theirs, strict=True):
        compare(mine, their)


def export(peer: Peer, name: str, is_end_to_end: bool, folder: Path) -> Path:
    """The folder that the command writes; the exporter itself has compared the file with torch."""
    arguments = ["export-yolo", str(peer.folder / f"{name}.pt"), "-o", str(folder / "network"), "--venv"]
    flags = ["--end-to-end"] if is_end_to_end else []
    done = CliRunner().invoke(command, [*arguments, str(peer.environment / "bin" / "python"), *flags])
    assert done.exit_code == 0, done.output
    assert "licence AGPL-3.0" in done.output
    return folder / "network"


def predicted(peer: Peer, name: str, is_end_to_end: bool, target: Path) -> list[dict[str, FloatArray]]:
    """What Ultralytics says of the same pictures."""
    how = "predict-end-to-end" if is_end_to_end else "predict"
    run(peer.environment, "ultralytics_peer.py", how, peer.folder / f"{name}.pt", target, *peer.files)
    answers = json.loads(target.read_text())
    return [{key: np.array(value, np.float32) for key, value in answer.items()} for answer in answers]


def found(folder: Path, images: list[Image]) -> list[dict[str, FloatArray]]:
    """What we say of the pictures with the exported folder."""
    spec, path = load_people_folder(folder)
    if spec.task == "detect":
        return [{"xyxy": people.xyxy, "score": people.score} for people in build_detector(spec, path)(images)]
    assert build_one_stage(spec, path)[1].layout == "coco17"
    posed = OneStage(spec, Session(path)).find(images)
    return [{"xyxy": one.boxes.xyxy, "score": one.boxes.score, "keypoints": one.keypoints} for one in posed]


def compare(mine: dict[str, FloatArray], their: dict[str, FloatArray]) -> None:
    """Each of theirs is one of ours to half a pixel, but for one in a hundred.

    Random networks give hundreds of boxes that overlap by just as much as suppression allows, or score just as much as
    is asked for; the last bit decides about those.
    """
    is_box = (their["xyxy"][:, 2:] > their["xyxy"][:, :2]).all(axis=1) if len(their["score"]) else np.zeros(0, bool)
    their = {key: value[is_box] for key, value in their.items() if len(value)}  # untrained YOLO26 turns some inside out
    if not their:
        assert not len(mine["score"])
        return
    most = max(len(their["score"]), len(mine["score"]))
    slack = -(-most // 100)
    assert abs(len(mine["score"]) - len(their["score"])) <= slack
    if not most:
        return
    apart = np.abs(their["xyxy"][:, None] - mine["xyxy"][None]).max(axis=2)
    rows, is_same = apart.argmin(axis=1), apart.min(axis=1) <= BOX_PX
    assert int((~is_same).sum()) <= slack
    found, expected = ({key: value[at] for key, value in one.items() if len(value)} for one, at in
                       ((mine, rows[is_same]), (their, is_same)))  # fmt: skip
    assert len(set(rows[is_same].tolist())) == len(expected["score"])
    np.testing.assert_allclose(found["score"], expected["score"], atol=SCORE)
    if "keypoints" in found:
        limit = expected["keypoints"][:, :, :2].max(axis=(0, 1))
        points = np.clip(found["keypoints"][:, :, :2], 0, limit)  # theirs end at the picture's edge, ours do not
        np.testing.assert_allclose(points, expected["keypoints"][:, :, :2], atol=JOINT_PX)
        np.testing.assert_allclose(found["keypoints"][:, :, 2], expected["keypoints"][:, :, 2], atol=SCORE)
