"""Tiny sets and recipes for the tests of training."""

from pathlib import Path

import numpy as np

from models.arrays import AnyArray, FloatArray
from models.nets.build import NETWORKS
from pipelines.training.datasets import Annotation, SkeletonSet, save_set
from pipelines.training.fit.pictures import Pictures
from pipelines.training.recipe import Recipe, parse_recipe
from tests.pipelines.training.bodies import body, picture, waving

TINY: dict[str, dict[str, object]] = {
    "stgcn": {"base_channels": 8, "num_stages": 2, "inflate_stages": [2], "down_stages": [2]},
    "stgcn++": {"base_channels": 12, "num_stages": 2, "inflate_stages": [2], "down_stages": [2]},
    "aagcn": {"base_channels": 8, "num_stages": 2, "inflate_stages": [2], "down_stages": [2]},
    "ctrgcn": {"base_channels": 16, "num_stages": 2, "inflate_stages": [2], "down_stages": [2]},
    "dgstgcn": {"base_channels": 16, "num_stages": 2, "inflate_stages": [2], "down_stages": [2]},
    "msg3d": {"base_channels": 12},
    "posec3d-slowonly": {"base_channels": 4},
    "posec3d-slowonly-346": {"base_channels": 4},
    "posec3d-c3d": {"base_channels": 4},
    "posec3d-x3d": {"base_channels": 8, "stage_blocks": [1, 1, 1]},
    "rgbpose": {"rgb_channels": 4, "pose_channels": 4},
    "potion": {"channels": [8, 8]},
    "stf-stgcn++": {"base_channels": 12, "num_stages": 3, "inflate_stages": [2, 3], "down_stages": [2]},
    "stf-msg3d": {"base_channels": 12},
    "slnl-rfa": {"num_systems": 2, "num_learnt_joints": 8, "width": 8, "slnl_blocks": 1, "local_blocks": 1},
    "tcn": {"base_channels": 8},
}
"""Options that make each network small; a network that is not here is built as the paper has it."""


def write_flat_set(folder: Path, name: str = "flat", num: int = 12) -> Path:
    """Standing against waving in COCO-17 pixels of a 640 x 480 picture, two people each, splits `train` and `test`."""
    annotations = []
    for index in range(num):
        joints = [picture(_moving(index, person))[..., :2] for person in range(2)]
        annotations.append(
            Annotation(
                f"{name}_{index}", index % 2, np.stack(joints).astype(np.float32), np.ones((2, 30, 17), np.float32),
                (480, 640), {"subject": index // 2},
            )
        )  # fmt: skip
    return _write(folder / f"{name}.npz", ("stand", "wave"), annotations)


def write_deep_set(folder: Path, name: str = "deep", num: int = 12) -> Path:
    """The same in 3D on twenty joints of a Kinect without names: only the number says which is which."""
    annotations = []
    for index in range(num):
        joints = np.concatenate([_moving(index, 0), _moving(index, 0)[:, :3] + 0.1], axis=1)
        annotations.append(
            Annotation(
                f"{name}_{index}", index % 2, joints[None], np.ones((1, 30, 20), np.float32),
                extra={"subject": index // 2},
            )
        )  # fmt: skip
    return _write(folder / f"{name}.npz", ("stand", "wave"), annotations, to_coco17=None)


def _moving(index: int, person: int) -> FloatArray:
    joints = waving(30, index) if index % 2 else body(30)
    generator = np.random.default_rng([index, person])
    return (joints + person + generator.normal(0, 0.01, joints.shape)).astype(np.float32)


def _write(
    path: Path, classes: tuple[str, ...], annotations: list[Annotation],
    to_coco17: tuple[int, ...] | None = tuple(range(17)),
) -> Path:  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    names = tuple(item.name for item in annotations)
    cut = 2 * len(names) // 3
    splits = {"train": names[:cut], "test": names[cut:]}
    save_set(SkeletonSet(path.stem, classes, splits, tuple(annotations), to_coco17, 15.0), path)
    return path


def tiny_recipe(network: str, sets: str = "flat", /, **sections: dict[str, object]) -> Recipe:
    """A recipe of two steps of four sequences for a network of the table, on the set `flat` or `deep`."""
    kind = NETWORKS[network].input
    features = {"keypoint": "pyskl-2d" if sets == "flat" else "pyskl-3d", "heatmap": "heatmap", "rgbpose": "rgbpose"}
    raw: dict[str, dict[str, object]] = {
        "data": {"sets": [sets], "group": "subject", "validation_share": 0.4},
        "input": {
            "features": features[kind],
            "layout": "coco17" if sets == "flat" else "kinect20",
            "num_frames": 16,
            "num_persons": 2 if sets == "flat" else 1,
            "side": 32,
        },
        "network": {"name": network, "options": TINY.get(network, {})},
        "optim": {"lr": 0.01, "steps": 2, "batch_size": 4},
        "run": {"look_every": 2},
    }
    merged = {key: value | sections.pop(key, {}) for key, value in raw.items()}
    whole: dict[str, object] = {"name": "tiny", **merged, **sections}
    return parse_recipe(whole, "tiny")


class PaintedPictures:
    """Pictures of a sequence without a video: noise that depends on the frame."""

    def frames(self, name: str, index: AnyArray) -> Pictures:
        """(T, 480, 640, 3)."""
        generator = np.random.default_rng(len(name))
        still = generator.integers(0, 255, (480, 640, 3)).astype(np.uint8)
        return np.stack([np.roll(still, int(frame), axis=1) for frame in index])
