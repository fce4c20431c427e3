"""NTU RGB+D and NTU RGB+D 120: `.skeleton` files by the published preprocessing, official names and splits.

Shahroudy, Liu, Ng, Wang: NTU RGB+D: A Large Scale Dataset for 3D Human Activity Analysis, CVPR 2016.
Liu, Shahroudy, Perez, Wang, Duan, Kot: NTU RGB+D 120: A Large-Scale Benchmark for 3D Human Activity Understanding,
TPAMI 2019. The choice of bodies follows the authors' advice (motion, spread) in the form that CTR-GCN and PYSKL use.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from models.arrays import BoolArray, FloatArray
from pipelines.errors import DatasetInvalid
from pipelines.stream.file_names import printable
from pipelines.training.formats.ntu_file import JOINTS, Body, parse
from pipelines.training.formats.recordings import Format, ReadOptions, RecordedJoints, Recording
from pipelines.training.formats.text import read_text
from pipelines.training.skeletons import usual_score

_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")
_SHAPE_HW, _RATE_HZ = (1080, 1920), 30.0
_SHORT_FRAMES = 11
"""Bodies of no more frames than this are noise where there are others."""
_WIDE, _WIDE_SHARE = 0.8, 0.69754
"""A body wider than 0.8 of its height in so large a share of its frames is furniture."""
_NOTHING = 1e-3
TRAIN_SUBJECTS = frozenset({
    1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38, 45, 46, 47, 49, 50, 52, 53, 54, 55, 56,
    57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94, 95, 97, 98, 100, 103,
})  # fmt: skip
"""Both papers' cross-subject protocols: those up to 40 are the first data set's."""


def find(folder: Path) -> list[Recording]:
    """The `.skeleton` files below a folder, or the one file; those with missing skeletons are told by `read`."""
    paths = sorted(folder.rglob("*.skeleton")) if folder.is_dir() else [folder]
    return [Recording(path, printable(path.stem)) for path in paths]


def read(source: Recording, reading: ReadOptions) -> RecordedJoints:
    """One file: up to two bodies, those that move most first. Raises DatasetInvalid."""
    name = source.path.stem
    parts = _NAME.fullmatch(name)
    if parts is None:
        raise DatasetInvalid(f"{printable(source.path.name)}: expected a name as S001C002P003R002A013.skeleton")
    setup, camera, subject, _, action = (int(part) for part in parts.groups())
    if not 1 <= action <= len(names()):
        raise DatasetInvalid(f"{name}: action {action}, expected 1 to {len(names())}")
    if name in missing():
        raise DatasetInvalid(f"{name}: its skeletons are missing or incomplete, by the authors' list")
    bodies = _ranked(parse(read_text(source.path).split("\n"), printable(source.path.name)))
    if not bodies:
        raise DatasetInvalid(f"{name}: no frame shows a body")
    xyz, pixels, state = _lay_out(bodies)
    kept = slice(0, reading.num_persons)
    extra = {"subject": subject, "setup": setup, "view": camera}
    label = names()[action - 1]
    if reading.dim == 2:
        score = np.where(np.isfinite(pixels).all(axis=-1), state, 0).astype(np.float32)
        flat = np.nan_to_num(pixels, nan=0.0)
        return RecordedJoints(flat[kept], score[kept], "nturgbd25", _RATE_HZ, _SHAPE_HW, label, extra)
    # Half precision as in the published files, so that the same recipe sees the same numbers.
    xyz = xyz.astype(np.float16).astype(np.float32)
    return RecordedJoints(xyz[kept], usual_score(xyz)[kept], "nturgbd25", _RATE_HZ, None, label, extra)


def splits(sequences: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """`xsub`, `xview` of the first 60 actions and, where there are later ones, `xset`, each as _train and _val.

    With later actions `xsub` and `xset` are those of NTU RGB+D 120; `ntu60_xsub` and `ntu60_xview` the others.
    """
    parts = {name: tuple(int(part) for part in found.groups()) for name in sequences if (found := _NAME.match(name))}
    first = [name for name, (*_, action) in parts.items() if action <= 60]
    subject = {name: values[2] in TRAIN_SUBJECTS for name, values in parts.items()}
    is_view = {name: values[1] != 1 for name, values in parts.items()}
    is_set = {name: values[0] % 2 == 0 for name, values in parts.items()}
    if len(first) == len(parts):
        return _halves("xsub", parts, subject) | _halves("xview", parts, is_view)
    return (
        _halves("xsub", parts, subject) | _halves("xset", parts, is_set)
        | _halves("ntu60_xsub", first, subject) | _halves("ntu60_xview", first, is_view)
    )  # fmt: skip


def classes(labels: Sequence[str]) -> tuple[str, ...]:
    """The 60 names of NTU RGB+D, or all 120 where one of the later ones is there."""
    return names() if set(labels) & set(names()[60:]) else names()[:60]


@cache
def names() -> tuple[str, ...]:
    """The 120 actions in the order of their numbers."""
    return tuple(Path(__file__).with_name("ntu_classes.txt").read_text("utf-8").split("\n")[:120])


@cache
def missing() -> frozenset[str]:
    """The 535 samples that the authors ask to leave out."""
    lines = Path(__file__).with_name("ntu_missing.txt").read_text("utf-8").splitlines()
    rows = [line.split() for line in lines if not line.startswith("#")]
    return frozenset(f"{row[0]}A{int(action):03d}" for row in rows for action in row[1:])


def _halves(
    name: str, items: Sequence[str] | Mapping[str, object], is_train: Mapping[str, bool]
) -> dict[str, tuple[str, ...]]:
    return {
        f"{name}_train": tuple(item for item in items if is_train[item]),
        f"{name}_val": tuple(item for item in items if not is_train[item]),
    }


def _ranked(bodies: Mapping[str, Body]) -> list[Body]:
    """The bodies that are people, those that move most first."""
    found = sorted(bodies.values(), key=lambda body: -_motion(np.stack(body.xyz)))
    if len(found) < 2:
        return found
    long = [body for body in found if len(body.xyz) > _SHORT_FRAMES] or found[:1]
    if len(long) == 1:
        return long
    slim = {id(body): _is_slim(np.stack(body.xyz)) for body in long}
    people = [body for body in long if (~slim[id(body)]).mean() < _WIDE_SHARE] or long[:1]
    return sorted(people, key=lambda body: -_slim_motion(np.stack(body.xyz), slim[id(body)]))


def _motion(xyz: FloatArray) -> float:
    """How much all joints scatter together, over all frames: the authors' measure of the main subject."""
    return float(xyz.reshape(-1, 3).var(axis=0).sum())


def _is_slim(xyz: FloatArray) -> BoolArray:
    """(T,) whether a body is at least as tall as a person is, for its width."""
    width, height = np.ptp(xyz[..., 0], axis=1), np.ptp(xyz[..., 1], axis=1)
    found: BoolArray = width <= _WIDE * height
    return found


def _slim_motion(xyz: FloatArray, is_slim: BoolArray) -> float:
    return min(_motion(xyz), _motion(xyz[is_slim])) if is_slim.any() else _motion(xyz)


def _lay_out(bodies: Sequence[Body]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Positions, pixels and states as (M, T, V, ...); later bodies fill the times at which a place is empty."""
    if len(bodies) == 1:
        body = bodies[0]
        return np.stack(body.xyz)[None], np.stack(body.pixels)[None], np.stack(body.state)[None]
    T = max(body.end for body in bodies)
    xyz, pixels = np.zeros((2, T, JOINTS, 3), np.float32), np.full((2, T, JOINTS, 2), np.nan, np.float32)
    state = np.zeros((2, T, JOINTS), np.float32)
    spans = [(bodies[0].start, bodies[0].end), (0, 0)]
    for index, body in enumerate(bodies):
        place = 0 if index == 0 else _free(spans, body)
        if place is None:
            continue
        span = slice(body.start, body.end)
        xyz[place, span], pixels[place, span], state[place, span] = body.xyz, body.pixels, body.state
        low, high = spans[place]
        spans[place] = (min(low, body.start), max(high, body.end))
    return _trimmed(xyz, pixels, state)


def _free(spans: Sequence[tuple[int, int]], body: Body) -> int | None:
    """The first of the two places that is empty while the body is there."""
    return next((place for place, (low, high) in enumerate(spans) if max(low, body.start) >= min(high, body.end)), None)


def _trimmed(xyz: FloatArray, pixels: FloatArray, state: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Without empty frames at both ends; who is there in the first frame comes first."""
    full = np.flatnonzero(np.abs(xyz).sum(axis=(0, 2, 3)) >= _NOTHING)
    if not len(full):
        raise DatasetInvalid("every joint lies at the origin")
    part = slice(full[0], full[-1] + 1)
    xyz, pixels, state = xyz[:, part], pixels[:, part], state[:, part]
    if np.abs(xyz[0, 0, 1]).sum() < _NOTHING < np.abs(xyz[1, 0, 1]).sum():
        return xyz[::-1].copy(), pixels[::-1].copy(), state[::-1].copy()
    return xyz, pixels, state


FORMAT = Format(
    "ntu", find, read, classes, splits,
    {"source": "NTU RGB+D (Shahroudy et al. 2016) and NTU RGB+D 120 (Liu et al. 2019), .skeleton files",
     "terms": "NTU RGB+D and NTU RGB+D 120, academic research only"},
)  # fmt: skip
