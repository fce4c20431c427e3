"""Folders of detectors and pose estimators for tests: small ONNX networks with the outputs of real ones."""

from pathlib import Path

import numpy as np

from models.runtime.people_folder import write_people_folder
from models.weights.registry import InputContract, ModelSpec
from tests.models.runtime.networks import write_constant, write_random

STANDING = np.array(
    [
        [0, -95], [4, -99], [-4, -99], [8, -97], [-8, -97], [20, -70], [-20, -70], [25, -35], [-25, -35], [25, 0],
        [-25, 0], [12, 0], [-12, 0], [12, 50], [-12, 50], [12, 100], [-12, 100],
    ],
    np.float32,
)  # fmt: skip
"""(17, 2) joints of somebody 200 high who stands; centre at 0, 0."""


def detector_folder(folder: Path) -> Path:
    """One who detects the same person, 120..200 x 40..220 of a 320 x 240 picture, whatever it sees."""
    boxes = np.array([[120, 40, 200, 220, 0.9]], np.float32)
    path = write_constant(folder.with_suffix(".onnx"), ("batch", 3, 240, 320), {
        "dets": boxes, "labels": np.zeros(1, np.int64),
    })  # fmt: skip
    spec = ModelSpec(
        folder.name, "detect", "rtmdet", {}, labels=("person",), input=InputContract((320, 240)), licence="Apache-2.0"
    )
    return write_people_folder(folder, spec, path, "a test")


def simcc_folder(folder: Path, layout: str = "coco17", num_joints: int = 17, *, is_random: bool = False) -> Path:
    """One who sees somebody standing in every crop; further joints than COCO's lie on the nose. Or random weights."""
    shape = {"simcc_x": (num_joints, 384), "simcc_y": (num_joints, 512)}
    path = folder.with_suffix(".onnx")
    if is_random:
        write_random(path, ("batch", 3, 256, 192), shape)
    else:
        x, y = (np.zeros(shape[axis], np.float32) for axis in ("simcc_x", "simcc_y"))
        # As high in the crop as the region's factor and the margin around joints leave, so that regions rest.
        joints = np.concatenate([STANDING, np.repeat(STANDING[:1], num_joints - 17, axis=0)])
        points = joints * (256 / (1.25 * 1.16) / 199) + (96, 128)
        rows = np.arange(num_joints)
        x[rows, np.round(2 * points[:, 0]).astype(int)] = 0.95
        y[rows, np.round(2 * points[:, 1]).astype(int)] = 0.95
        write_constant(path, ("batch", 3, 256, 192), {"simcc_x": x, "simcc_y": y})
    spec = ModelSpec(
        folder.name, "pose", "simcc", {}, layout=layout, input=InputContract((192, 256), "rgb"), licence="Apache-2.0"
    )
    return write_people_folder(folder, spec, path, "a test")


def one_stage_folder(folder: Path) -> Path:
    """One who finds the person of `detector_folder` with joints, in one pass, and warns of its licence."""
    row = np.zeros((300, 57), np.float32)
    joints = STANDING * (180 / 199 / 1.16) + (160, 130)
    row[0, :6] = 120, 40, 200, 220, 0.9, 0
    row[0, 6:] = np.concatenate([joints, np.full((17, 1), 0.95)], axis=1).reshape(-1)
    path = write_constant(folder.with_suffix(".onnx"), ("batch", 3, 240, 320), {"output0": row})
    spec = ModelSpec(
        folder.name, "detect_pose", "yolo-pose", {}, layout="coco17", labels=("person",), licence="AGPL-3.0",
        input=InputContract((320, 240), "rgb", std=(255.0, 255.0, 255.0)), terms="It reaches what is built on it.",
    )  # fmt: skip
    return write_people_folder(folder, spec, path, "a test")
