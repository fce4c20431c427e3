"""Networks exported by `actogram models export-mmpose` against mmpose's and mmdet's own inference, on real pictures."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from models.arrays import FloatArray, Image, IntArray
from models.runtime.build import build_detector, build_pose
from models.runtime.onestage import OneStage
from models.runtime.people_folder import load_people_folder
from models.runtime.pose import FOLLOW_FACTOR
from models.runtime.session import Session
from service.commands.models import command
from service.commands.own_environment import OPENMMLAB
from tests.models.conftest import iter_images
from tests.peers.environments import require, run

pytestmark = [pytest.mark.peers, pytest.mark.slow, pytest.mark.timeout(1800)]

_BODY = "mmpose/configs/body_2d_keypoint"
_HEATMAP = f"{_BODY}/topdown_heatmap/coco/td-hm_hrnet-w32"
TOP_DOWN = {
    "rtmpose-t": f"{_BODY}/rtmpose/coco/rtmpose-t_8xb256-420e_coco-256x192.py",
    "rtmpose-t-halpe26": f"{_BODY}/rtmpose/body8/rtmpose-t_8xb1024-700e_body8-halpe26-256x192.py",
    "rtmpose-m-wholebody": (
        "mmpose/configs/wholebody_2d_keypoint/rtmpose/coco-wholebody/rtmpose-m_8xb64-270e_coco-wholebody-256x192.py"
    ),
    "hrnet-w32": f"{_HEATMAP}_8xb64-210e_coco-256x192.py",
    "hrnet-w32-dark": f"{_HEATMAP}_dark-8xb64-210e_coco-256x192.py",
    "hrnet-w32-udp": f"{_HEATMAP}_udp-8xb64-210e_coco-256x192.py",
}
DETECTORS = {
    "rtmdet-nano-person": "mmpose/demo/mmdetection_cfg/rtmdet_nano_320-8xb32_coco-person.py",
    "rtmdet-tiny": "mmdet/configs/rtmdet/rtmdet_tiny_8xb32-300e_coco.py",
    "yolox-tiny": "mmdet/configs/yolox/yolox_tiny_8xb8-300e_coco.py",
}
ONE_STAGE = {"rtmo-s": f"{_BODY}/rtmo/coco/rtmo-s_8xb32-600e_coco-640x640.py"}
LAYOUTS = {"rtmpose-t-halpe26": "halpe26", "rtmpose-m-wholebody": "wholebody133"}
BOXES = np.array(
    [
        [700, 200, 950, 900],  # tall, as somebody who stands
        [300, 400, 900, 640],  # wide, as somebody who lies
        [-40, 300, 140, 760],  # cut by the picture's edge
        [400, 500, 431, 577],  # small
    ],
    np.float32,
)
BOX_PX, JOINT_PX, SCORE = 0.5, 0.5, 1e-3


@dataclass(frozen=True)
class Peer:
    """The environment, its folder of networks and answers, and the pictures: a square one of 640 first."""

    environment: Path
    folder: Path
    images: list[Image]


@pytest.fixture(scope="module")
def peer(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Peer:
    environment, folder = require(OPENMMLAB), tmp_path_factory.mktemp("openmmlab")
    first = next(iter_images(data_dir / "video" / "mmaction2_demo_skeleton.mp4", every=1, count=1))
    second = next(iter_images(data_dir / "video" / "upfall_a1_t1_c2.mp4", every=1, count=1))
    images = [np.ascontiguousarray(first[200:840, 600:1240]), first, second]
    files = [str(folder / f"{index}.png") for index in range(len(images))]
    assert all(cv2.imwrite(file, image) for image, file in zip(images, files, strict=True))
    job = {"networks": TOP_DOWN | DETECTORS | ONE_STAGE, "pictures": files, "boxes": BOXES.tolist()}
    (folder / "job.json").write_text(json.dumps(job))
    run(environment, "openmmlab_peer.py", folder, folder / "job.json", timeout_s=1500)
    return Peer(environment, folder, images)


@pytest.mark.parametrize("name", TOP_DOWN)
def test_joints_are_those_of_mmposes_top_down_inference(name: str, peer: Peer, tmp_path: Path) -> None:
    spec, path = load_people_folder(export(peer, name, tmp_path))
    pose = build_pose(spec, path)

    answers = [pose([image] * len(BOXES), regions(spec.input.size_wh)) for image in peer.images]

    assert spec.layout == LAYOUTS.get(name, "coco17")
    for answer, theirs in zip(answers, answers_of(peer, name), strict=True):
        expected = np.array([one["keypoints"][0] for one in theirs], np.float32)
        score = np.array([one["visibility"][0] for one in theirs], np.float32)
        is_seen = score > 0
        assert is_seen.mean() > 0.9
        apart = np.abs(answer.keypoints[:, :, :2][is_seen] - expected[is_seen]).max(axis=1)
        # The top of a random map may be so flat that which cell is highest, and DARK's step, hang on the last bit.
        assert float((apart <= JOINT_PX).mean()) >= (0.95 if spec.decode.get("method") == "dark" else 0.98)
        difference = np.abs(answer.keypoints[:, :, 2] - np.clip(score, 0, 1))
        assert float((difference <= SCORE).mean()) >= 0.99
        assert float(difference.max()) <= 5 * SCORE


@pytest.mark.parametrize("name", DETECTORS)
def test_people_are_those_that_mmdet_finds(name: str, peer: Peer, tmp_path: Path) -> None:
    spec, path = load_people_folder(export(peer, name, tmp_path))

    answers = build_detector(spec, path)(peer.images)

    theirs = answers_of(peer, name)
    assert sum(len(one["score"]) for one in theirs) > 5
    for image, answer, their in zip(peer.images, answers, theirs, strict=True):
        limit = np.array(image.shape[1::-1] * 2, np.float32)  # mmdet leaves boxes of YOLOX outside
        boxes = np.clip(np.array(their["xyxy"], np.float32).reshape(-1, 4), 0, limit)
        inside = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        expected, score = boxes[inside], np.array(their["score"], np.float32)[inside]
        rows = same_people(expected, answer.xyxy)
        np.testing.assert_allclose(answer.xyxy[rows], expected, atol=BOX_PX)
        np.testing.assert_allclose(answer.score[rows], score, atol=SCORE)


@pytest.mark.parametrize("name", ONE_STAGE)
def test_people_and_joints_are_those_of_mmposes_rtmo_when_the_picture_needs_no_scaling(
    name: str, peer: Peer, tmp_path: Path
) -> None:
    spec, path = load_people_folder(export(peer, name, tmp_path))

    found = OneStage(spec, Session(path)).find(peer.images[:1])[0]

    their = answers_of(peer, name)[0]
    expected = np.array(their["keypoints"], np.float32)
    assert len(expected) > 3
    assert len(found.keypoints) == len(expected)
    distance = np.abs(found.keypoints[None, :, :, :2] - expected[:, None]).max(axis=(2, 3))
    rows = distance.argmin(axis=1)
    assert float(distance.min(axis=1).max()) < JOINT_PX
    np.testing.assert_allclose(found.keypoints[rows, :, 2], their["visibility"], atol=SCORE)
    np.testing.assert_allclose(found.boxes.score[rows], their["score"], atol=SCORE)


def export(peer: Peer, name: str, folder: Path) -> Path:
    """The folder that the command writes; the exporter itself has compared the file with torch."""
    files = [str(peer.folder / f"{name}.{ending}") for ending in ("py", "pth")]
    options = ["-o", str(folder / "network"), "--venv", str(peer.environment / "bin" / "python"), "--licence", "MIT"]
    done = CliRunner().invoke(command, ["export-mmpose", *files, *options])
    assert done.exit_code == 0, done.output
    assert "licence MIT" in done.output
    return folder / "network"


def regions(size_wh: tuple[int, int]) -> FloatArray:
    """Upright regions of the boxes as mmpose fixes their aspect: the crop's longer side holds 1.25 boxes, or more."""
    width, height = BOXES[:, 2] - BOXES[:, 0], BOXES[:, 3] - BOXES[:, 1]
    side = np.maximum(height, width * size_wh[1] / size_wh[0]) * FOLLOW_FACTOR
    centre = (BOXES[:, :2] + BOXES[:, 2:]) / 2
    return np.concatenate([centre, side[:, None], np.zeros((len(BOXES), 1))], axis=1).astype(np.float32)


def answers_of(peer: Peer, name: str) -> list[Any]:
    """What the framework said: per picture a person's or a detector's answer, of top-down networks one per box."""
    answers: list[Any] = json.loads((peer.folder / f"{name}.json").read_text())
    return answers


def same_people(theirs: FloatArray, ours: FloatArray) -> IntArray:
    """The row of ours that is each of theirs."""
    assert len(theirs) == len(ours)
    if not len(theirs):
        return np.zeros(0, np.int64)
    rows: IntArray = np.abs(theirs[:, None] - ours[None]).max(axis=2).argmin(axis=1)
    assert len(set(rows.tolist())) == len(rows)
    return rows
