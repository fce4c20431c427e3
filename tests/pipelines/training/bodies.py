"""A small upright body and sets made of it, for the tests of training."""

from pathlib import Path

import numpy as np

from models.arrays import FloatArray
from pipelines.training.corpus import Corpus, TrainingClip, pack
from pipelines.training.datasets import Annotation, SkeletonSet, save_set

# COCO-17 in metres, y up, facing the camera: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles.
_X = [0, 0.03, -0.03, 0.07, -0.07, 0.2, -0.2, 0.25, -0.25, 0.27, -0.27, 0.12, -0.12, 0.13, -0.13, 0.13, -0.13]
_Y = [1.65, 1.68, 1.68, 1.66, 1.66, 1.45, 1.45, 1.18, 1.18, 0.95, 0.95, 0.95, 0.95, 0.5, 0.5, 0.08, 0.08]


def body(num_frames: int = 40) -> FloatArray:
    """(T, 17, 3) a person who stands still, metres, y up."""
    one = np.stack([np.array(_X), np.array(_Y), np.zeros(17)], axis=-1)
    return np.repeat(one[None], num_frames, axis=0).astype(np.float32)


def waving(num_frames: int, seed: int) -> FloatArray:
    """The body with its right arm swinging above the shoulder."""
    joints = body(num_frames)
    phase = np.arange(num_frames) / 4 + seed
    joints[:, 10, 1] = 1.75 + 0.05 * np.sin(phase)
    joints[:, 10, 0] = -0.3 + 0.2 * np.sin(phase)
    joints[:, 8, 1] = 1.5
    return joints


def picture(joints: FloatArray) -> FloatArray:
    """(T, 17, 3) the same seen from the front, pixels, y down, 0 in the third place."""
    flat = joints * np.array([100, -100, 0], np.float32) + np.array([300, 300, 0], np.float32)
    return flat.astype(np.float32)


def clip(
    label: int, joints: FloatArray | None = None, is_3d: bool = True, rate_hz: float = 20, **more: object
) -> TrainingClip:
    """One clip of that label; `more` names the other fields."""
    joints = body() if joints is None else joints
    joints = joints if is_3d else picture(joints)
    fields: dict[str, object] = {"name": "c", "source": "tiny", "group": "g", "not_fall": False} | more
    seen = np.ones(joints.shape[:2], np.bool_)
    return TrainingClip(joints=joints, seen=seen, rate_hz=rate_hz, label=label, is_3d=is_3d, **fields)  # type: ignore[arg-type]


def corpus(*clips: TrainingClip, window_s: float = 2.0) -> Corpus:
    """Clips packed for windows of two seconds."""
    return pack(clips, window_s)


def write_sets(folder: Path) -> None:
    """Two sets that the everyday table knows: `utkinect` in 3D and `jhmdb14` in 2D, standing against waving arms."""
    folder.mkdir(parents=True)
    for name, flat, classes in (
        ("utkinect", False, ["walk", "waveHands"]),
        ("jhmdb14", True, ["clap", "wave"]),
    ):
        annotations = []
        for index in range(16):
            joints = waving(30, index) if index % 2 else body(30)
            joints = joints + np.random.default_rng(index).normal(0, 0.01, joints.shape).astype(np.float32)
            points = picture(joints)[..., :2] if flat else joints
            annotations.append(
                Annotation(
                    f"{name}_{index}", index % 2, points[None].astype(np.float32), np.ones((1, 30, 17), np.float32),
                    extra={"subject": index // 2},
                )
            )  # fmt: skip
        names = tuple(item.name for item in annotations)
        train, test = ("split1_train", "split1_test") if flat else ("xsub_train", "xsub_val")
        splits = {train: names[:12], test: names[12:]}
        save_set(
            SkeletonSet(name, tuple(classes), splits, tuple(annotations), tuple(range(17)), 15.0),
            folder / f"{name}.npz",
        )


def write_own_clips(path: Path, video: str, terms: str) -> None:
    """A set as `actogram prepare --segments` makes it: six people who stand in one video."""
    annotations = tuple(
        Annotation(
            f"{video}#{index}", 0, picture(body(30))[None, ..., :2], np.ones((1, 30, 17), np.float32), (400, 600),
            {"video": video, "person": f"p{index}", "rate_hz": 10.0},
        )
        for index in range(6)
    )  # fmt: skip
    splits = {"train": tuple(item.name for item in annotations), "test": ()}
    save_set(
        SkeletonSet("clips", ("stand",), splits, annotations, tuple(range(17)), 25.0, {"terms": {video: terms}}), path
    )
