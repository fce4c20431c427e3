"""Everything there is to learn from, as pieces of sequences from which windows are cut."""

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.arrays import BoolArray, FloatArray, IntArray
from pipelines.errors import DatasetInvalid
from pipelines.training.config import TrainConfig
from pipelines.training.datasets import Annotation, SkeletonSet, load_set, to_coco17
from pipelines.training.labels import FALL_INSIDE, FOREIGN, SKIP, LabelTable, SetTable, denials
from pipelines.training.transforms import fill, find_fall

UNKNOWN = -1
"""The label of a piece of which only is known what it is not."""


@dataclass(frozen=True, slots=True)
class TrainingClip:
    """A piece of one person's joints with one meaning.

    joints:  (T, 17, 3) float32: metres with y up where `is_3d`, else pixels with y down and 0 in the third place.
    seen:    (T, 17) bool.
    label:   index among the everyday labels, UNKNOWN where only `denied` is known.
    denied:  indexes of labels that it certainly does not show; used where the label is unknown. not_fall: of a fall.
    ends_s:  earliest and latest end of a window, seconds from the piece's start; None places it by its length.
    """

    name: str
    source: str
    group: str
    joints: FloatArray
    seen: BoolArray
    rate_hz: float
    label: int
    not_fall: bool
    is_3d: bool
    motion: bool = True
    ends_s: tuple[float, float] | None = None
    denied: tuple[int, ...] = ()

    @property
    def duration_s(self) -> float:
        """From the first to the last frame."""
        return (len(self.joints) - 1) / self.rate_hz


@dataclass(frozen=True, slots=True)
class Corpus:
    """Clips laid end to end, so that a batch of windows is one indexing.

    joints: (N, 17, 3) and seen (N, 17) of all frames; every other field is one value per clip.
    source: index into `sources`. low_s, high_s: earliest and latest end of a window.
    denied: a set bit for each label that the clip certainly does not show, see `denied_labels`.
    """

    joints: FloatArray
    seen: BoolArray
    first: IntArray
    count: IntArray
    rate_hz: FloatArray
    label: IntArray
    not_fall: BoolArray
    is_3d: BoolArray
    motion: BoolArray
    source: IntArray
    low_s: FloatArray
    high_s: FloatArray
    sources: tuple[str, ...]
    names: tuple[str, ...]
    groups: tuple[str, ...]
    denied: IntArray

    def __len__(self) -> int:
        return len(self.first)


def pack(clips: Sequence[TrainingClip], window_s: float) -> Corpus:
    """Lay clips end to end; raises DatasetInvalid when there is none."""
    if not clips:
        raise DatasetInvalid("there are no sequences left to learn from: check the folder, the sets and their splits")
    sources = tuple(sorted({clip.source for clip in clips}))
    count = np.array([len(clip.joints) for clip in clips], np.int64)
    ends = np.array([clip.ends_s or _ends(clip.duration_s, window_s) for clip in clips], np.float32)
    return Corpus(
        joints=np.concatenate([clip.joints for clip in clips]),
        seen=np.concatenate([clip.seen for clip in clips]),
        first=np.cumsum(count) - count,
        count=count,
        rate_hz=np.array([clip.rate_hz for clip in clips], np.float32),
        label=np.array([clip.label for clip in clips], np.int64),
        not_fall=np.array([clip.not_fall for clip in clips]),
        is_3d=np.array([clip.is_3d for clip in clips]),
        motion=np.array([clip.motion for clip in clips]),
        source=np.array([sources.index(clip.source) for clip in clips], np.int64),
        low_s=ends[:, 0],
        high_s=ends[:, 1],
        sources=sources,
        names=tuple(clip.name for clip in clips),
        groups=tuple(f"{clip.source}/{clip.group}" for clip in clips),
        denied=np.array([sum(1 << index for index in set(clip.denied)) for clip in clips], np.int64),
    )


def denied_labels(denied: IntArray, num_labels: int) -> BoolArray:
    """(B, K) bool of (B,) set bits: the labels that are ruled out."""
    found: BoolArray = (denied[:, None] >> np.arange(num_labels)) & 1 > 0
    return found


def _ends(duration_s: float, window_s: float) -> tuple[float, float]:
    """A long clip fills the window; of a short one at least 70 % lies inside it."""
    if duration_s >= window_s:
        return window_s, duration_s
    return 0.7 * duration_s, window_s + 0.3 * duration_s


def read_clips(skeletons: SkeletonSet, table: LabelTable, names: Iterable[str] | None = None) -> list[TrainingClip]:
    """The clips of a set, of all its sequences or of the named ones; excluded groups never come.

    Raises DatasetInvalid for a set that does not say what its labels and its joints are.
    """
    rows = table.require(skeletons.name)
    _require_described(skeletons)
    wanted = None if names is None else set(names)
    clips: list[TrainingClip] = []
    for annotation in skeletons.annotations:
        if wanted is not None and annotation.name not in wanted:
            continue
        if _group(rows, annotation) not in rows.exclude_groups:
            clips += _clips(skeletons, rows, table, annotation)
    return clips


def _require_described(skeletons: SkeletonSet) -> None:
    missing = []
    if not skeletons.classes and any(annotation.label >= 0 for annotation in skeletons.annotations):
        missing.append("`classes` (the names of its labels, in order)")
    if skeletons.to_coco17 is None:
        missing.append("`to_coco17` (for each COCO joint the index of its own, or None)")
    if missing:
        raise DatasetInvalid(f"{skeletons.name}: the file lacks {' and '.join(missing)}; add what is missing to it")


def split_names(skeletons: SkeletonSet, table: LabelTable, part: str) -> set[str]:
    """Names of the `train` or `test` part, with the whole recordings of the same people or videos."""
    rows = table.require(skeletons.name)
    split = rows.train if part == "train" else rows.test
    if split not in skeletons.splits:
        raise DatasetInvalid(f"{skeletons.name}: no split {split!r}; its splits are {', '.join(skeletons.splits)}")
    names = set(skeletons.splits[split])
    if rows.whole is not None:
        groups = {_group(rows, row) for row in skeletons.annotations if row.name in names}
        names |= {row.name for row in skeletons.annotations if row.label < 0 and _group(rows, row) in groups}
    return names


def with_sets(config: TrainConfig, table: LabelTable, folders: Sequence[Path]) -> TrainConfig:
    """A configuration that names its sets: without any it takes all, optional ones where a folder holds them."""
    if config.data.sets:
        return config
    sets = tuple(name for name, rows in table.sets.items() if not rows.optional or _path(folders, name) is not None)
    return config.model_copy(update={"data": config.data.model_copy(update={"sets": sets})})


def load_clips(
    folders: Sequence[Path], sets: Sequence[str], table: LabelTable, part: str | None, progress: Callable[[str], None]
) -> list[TrainingClip]:
    """Clips of several sets, of one part of each (`train`, `test`) or of all of it (None)."""
    clips: list[TrainingClip] = []
    for name in sets:
        progress(name)
        skeletons = load_set(find_set(folders, name))
        clips += read_clips(skeletons, table, None if part is None else split_names(skeletons, table, part))
    return clips


def split_validation(clips: Sequence[TrainingClip], share: float) -> tuple[list[TrainingClip], list[TrainingClip]]:
    """Clips to learn from and clips to choose by: a person or a video is wholly in one of them, the same every time."""
    held = [zlib.crc32(f"{clip.source}/{clip.group}".encode()) % 1000 < 1000 * share for clip in clips]
    learn = [clip for clip, is_held in zip(clips, held, strict=True) if not is_held]
    return learn, [clip for clip, is_held in zip(clips, held, strict=True) if is_held]


def find_set(folders: Sequence[Path], name: str) -> Path:
    """The file of a set in the first folder that holds it; raises DatasetInvalid."""
    path = _path(folders, name)
    if path is None:
        raise DatasetInvalid(f"{', '.join(map(str, folders))}: neither {name}.npz nor {name}.pkl")
    return path


def _path(folders: Sequence[Path], name: str) -> Path | None:
    paths = [folder / f"{name}{suffix}" for folder in folders for suffix in (".npz", ".pkl")]
    return next((path for path in paths if path.is_file()), None)


def _group(rows: SetTable, annotation: Annotation) -> str:
    return rows.person(str(annotation.extra.get(rows.group, annotation.name))) if rows.group else annotation.name


def _clips(skeletons: SkeletonSet, rows: SetTable, table: LabelTable, annotation: Annotation) -> list[TrainingClip]:
    meaning = _meaning(skeletons, rows, annotation)
    if meaning in {SKIP, FOREIGN}:
        return []
    keypoint, score = to_coco17(skeletons, annotation)
    clips: list[TrainingClip] = []
    for person in range(len(keypoint)):
        seen: BoolArray = np.asarray(score[person] >= rows.visible)
        joints = fill(keypoint[person], seen)
        if joints.shape[-1] == 2:
            joints = np.concatenate([joints, np.zeros_like(joints[..., :1])], axis=-1)
        clip = TrainingClip(
            annotation.name, skeletons.name, _group(rows, annotation), joints, seen,
            _rate_hz(skeletons, rows, annotation), UNKNOWN, "fall" in denials(meaning),
            is_3d=keypoint.shape[-1] == 3, motion=rows.motion, denied=table.denied(meaning),
        )  # fmt: skip
        if meaning == FALL_INSIDE:
            clips += _fall_clips(clip, table)
        elif denials(meaning):
            clips.append(clip)
        else:
            clips.append(replace(clip, label=table.index(meaning)))
            clips += _held_clips(clips[-1], rows, table)
    return clips


def _rate_hz(skeletons: SkeletonSet, rows: SetTable, annotation: Annotation) -> float:
    """Frames per second; the videos of a prepared set differ in it."""
    own = annotation.extra.get("rate_hz")
    return rows.rate_hz or (float(str(own)) if own else None) or skeletons.rate_hz or 25.0


def _meaning(skeletons: SkeletonSet, rows: SetTable, annotation: Annotation) -> str:
    if annotation.label < 0:
        return rows.whole or SKIP
    if rows.coarse:
        if "coarse" not in annotation.extra:
            raise DatasetInvalid(f"{skeletons.name}: {annotation.name} has no `coarse`, by which this set is read")
        return rows.meaning(str(annotation.extra["coarse"]))
    return rows.meaning(skeletons.classes[annotation.label])


def _part(clip: TrainingClip, start: int, stop: int | None, label: int, denied: tuple[int, ...] = ()) -> TrainingClip:
    piece = slice(start, stop)
    joints, seen = clip.joints[piece], clip.seen[piece]
    return replace(clip, joints=joints, seen=seen, label=label, denied=denied, not_fall=bool(denied))


def _fall_clips(clip: TrainingClip, table: LabelTable) -> list[TrainingClip]:
    """The fall itself, what came before it (no fall), and lying after it."""
    fall = find_fall(clip.joints, clip.rate_hz)
    if fall is None:
        return []
    onset_s, ground_s = fall.onset / clip.rate_hz, fall.ground / clip.rate_hz
    ends = (onset_s + 0.7 * (ground_s - onset_s), min(ground_s + 1.0, onset_s + 1.8))
    pieces = [replace(_part(clip, 0, None, table.index("fall")), ends_s=(ends[0], max(ends)))]
    margin, least = round(0.3 * clip.rate_hz), round(0.7 * clip.rate_hz)
    if fall.onset - margin >= least:
        pieces.append(_part(clip, 0, fall.onset - margin, UNKNOWN, (table.index("fall"),)))
    if len(clip.joints) - fall.ground - margin >= least:
        pieces.append(_part(clip, fall.ground + margin, None, table.index("lie")))
    return pieces


def _held_clips(clip: TrainingClip, rows: SetTable, table: LabelTable) -> list[TrainingClip]:
    """The poses with which an action begins and ends: held still, they teach standing and sitting.

    Who begins to move stands still for a moment in some sets only; the end of a flat sequence may not stand yet.
    """
    action = table.actions.get(table.labels[clip.label])
    if action is None:
        return []
    held = []
    if action.begins is not None and (action.begins != "stand" or rows.stands_first):
        held.append(_part(clip, 0, 1, table.index(action.begins)))
    if action.ends is not None and (action.ends != "stand" or clip.is_3d):
        held.append(_part(clip, -1, None, table.index(action.ends)))
    held.sort(key=lambda piece: piece.label)
    return [replace(piece, name=f"{piece.name}#held") for piece in held]
