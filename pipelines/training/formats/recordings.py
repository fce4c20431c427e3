"""What every converter gives: one recording as it was read, and what its name or its file says of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class RecordedJoints:
    """One recording of a foreign format.

    keypoint: (M, T, V, D) float32, 0 where nobody was seen. score: (M, T, V) float32, 0..1.
    layout:   name of the joints' order. rate_hz: frames per second, None where the file does not say.
    label:    the class that the file itself names; None where it names none.
    extra:    subject, view, ...: goes into the set's row.
    """

    keypoint: FloatArray
    score: FloatArray
    layout: str
    rate_hz: float | None = None
    shape_hw: tuple[int, int] | None = None
    label: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recording:
    """Where a recording lies.

    path:  a file, or the folder of a recording of many files. prefix: which of several recordings in that folder.
    name:  of the sequence: the path below the folder that was given.
    label, split, subject: what a list, a label file or a folder's name says; None where nothing does.
    from_s, to_s: the part of a video that shows it, seconds.
    """

    path: Path
    name: str
    prefix: str = ""
    label: str | None = None
    split: str | None = None
    subject: str | None = None
    from_s: float = 0.0
    to_s: float | None = None


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read, for the formats that leave it open.

    num_persons: the most people per sequence. dim: 3 or 2, of formats that have both. rate_hz: of formats without.
    shape_hw: of the pictures that coordinates belong to. joint_map: a TOML file of joint names. scale: of coordinates.
    """

    num_persons: int = 2
    dim: int = 3
    rate_hz: float | None = None
    shape_hw: tuple[int, int] | None = None
    joint_map: Path | None = None
    layout: str | None = None
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Format:
    """One foreign format.

    find:    the recordings below a folder, or in a file. read: one of them; raises DatasetInvalid.
    classes: official names in the order of the labels, for the labels that were found.
    splits:  official splits, by the names of all sequences.
    meta:    what is said of the set as a whole: source, terms, units.
    """

    name: str
    find: Callable[[Path], list[Recording]]
    read: Callable[[Recording, ReadOptions], RecordedJoints]
    classes: Callable[[Sequence[str]], tuple[str, ...]] | None = None
    splits: Callable[[Sequence[str]], Mapping[str, tuple[str, ...]]] | None = None
    meta: Mapping[str, object] = field(default_factory=dict)


def below(path: Path, folder: Path) -> str:
    """The path of a file as seen from a folder, without its ending; its bare name where it is the folder itself."""
    relative = path.relative_to(folder) if path != folder else Path(path.name)
    return relative.with_suffix("").as_posix()
