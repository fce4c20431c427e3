"""BVH motion capture: the hierarchy, the channels in the file's order, and forward kinematics to places in 3D.

A joint's position channels take the place of its OFFSET, as motion builders and Blender read them; rotations are in
degrees and are applied in the order in which the file lists them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.arrays import AnyArray, FloatArray
from pipelines.errors import DatasetInvalid
from pipelines.stream.file_names import printable
from pipelines.training.formats.bvh_names import joint_sources
from pipelines.training.formats.lines import Lines
from pipelines.training.formats.recordings import Format, ReadOptions, RecordedJoints, Recording, below
from pipelines.training.formats.text import LARGEST, numbers, read_text, shown, whole

_FRAMES_MAX, _JOINTS_MAX, _DEPTH_MAX = 500_000, 1_000, 200
_AXES = {"X": 0, "Y": 1, "Z": 2}
_CHANNELS = frozenset(f"{axis}{kind}" for axis in _AXES for kind in ("position", "rotation"))
_RATE_MOST_HZ = 1000.0


@dataclass(slots=True)
class Joint:
    """One joint of the hierarchy. parent: its index, -1 for the root. is_end: an End Site, which has no channels."""

    name: str
    parent: int
    is_end: bool = False
    offset: FloatArray = field(default_factory=lambda: np.zeros(3, np.float32))
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Motion:
    """A whole file. values: (T, number of channels) float32, in the order of the joints and their channels."""

    joints: tuple[Joint, ...]
    values: FloatArray
    frame_s: float


def find(folder: Path) -> list[Recording]:
    """The `.bvh` files below a folder, or the one file."""
    if not folder.is_dir():
        return [Recording(folder, printable(folder.stem))]
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".bvh")
    return [Recording(path, printable(below(path, folder))) for path in paths]


def read(source: Recording, reading: ReadOptions) -> RecordedJoints:
    """One file as one person in the joints of a layout. Raises DatasetInvalid."""
    name = printable(source.path.name)
    motion = parse(read_text(source.path), name)
    places = positions(motion)
    if not np.isfinite(places).all() or np.abs(places).max() > LARGEST:
        raise DatasetInvalid(f"{name}: joints farther than {LARGEST:.0e} from the origin")
    layout, sources = joint_sources([joint.name for joint in motion.joints], reading, name)
    keypoint = np.zeros((1, len(places), len(sources), 3), np.float32)
    score = np.zeros(keypoint.shape[:3], np.float32)
    for joint, index in enumerate(sources):
        if index is not None:
            keypoint[0, :, joint], score[0, :, joint] = places[:, index] * reading.scale, 1.0
    return RecordedJoints(keypoint, score, layout, reading.rate_hz or 1 / motion.frame_s)


def parse(text: str, name: str) -> Motion:
    """The hierarchy and the numbers of a BVH file; raises DatasetInvalid that names the line."""
    lines = _Lines(text.splitlines(), name)
    joints = _hierarchy(lines)
    num_frames, frame_s = _motion_head(lines)
    num_channels = sum(len(joint.channels) for joint in joints)
    if not num_channels:
        raise DatasetInvalid(f"{name}: none of its {len(joints)} joints has channels")
    rows: list[FloatArray] = []
    for frame in range(num_frames):
        words = lines.next(f"frame {frame} of {num_frames}")
        if len(words) != num_channels:
            raise DatasetInvalid(f"{lines.where}: {len(words)} numbers in frame {frame}, expected {num_channels}")
        rows.append(_row(words, lines.where))
    lines.require_end()
    return Motion(tuple(joints), np.stack(rows), frame_s)


def positions(motion: Motion) -> FloatArray:
    """(T, joints) places of every joint and End Site, (T, J, 3) float32, by forward kinematics."""
    T = len(motion.values)
    turns: list[AnyArray] = []
    places = np.zeros((T, len(motion.joints), 3))
    column = 0
    for index, joint in enumerate(motion.joints):
        values = motion.values[:, column : column + len(joint.channels)].astype(np.float64)
        column += len(joint.channels)
        shift, turn = _local(joint, values)
        if joint.parent < 0:
            places[:, index] = shift
        else:
            parent = turns[joint.parent]
            places[:, index] = places[:, joint.parent] + np.einsum("tij,tj->ti", parent, shift)
            turn = parent @ turn
        turns.append(turn)
    return places.astype(np.float32)


def _local(joint: Joint, values: AnyArray) -> tuple[AnyArray, AnyArray]:
    """(T, 3) shift from the parent and (T, 3, 3) rotation of one joint."""
    T = len(values)
    shift = np.tile(joint.offset.astype(np.float64), (T, 1))
    turn = np.tile(np.eye(3), (T, 1, 1))
    for channel, column in zip(joint.channels, values.T, strict=True):
        axis = _AXES[channel[0]]
        if channel.endswith("position"):
            shift[:, axis] = column
        else:
            turn = turn @ _rotation(axis, np.deg2rad(column))
    return shift, turn


def _rotation(axis: int, angle: AnyArray) -> AnyArray:
    """(T, 3, 3) rotations about one axis, right-handed."""
    turn = np.tile(np.eye(3), (len(angle), 1, 1))
    one, other = (axis + 1) % 3, (axis + 2) % 3
    turn[:, one, one] = turn[:, other, other] = np.cos(angle)
    turn[:, other, one] = np.sin(angle)
    turn[:, one, other] = -turn[:, other, one]
    return turn


class _Lines(Lines):
    """The lines of a file that hold anything, one after the other."""

    def next(self, expected: str) -> list[str]:
        """The words of the next line that is not empty; raises DatasetInvalid where there is none."""
        while self._at < len(self._lines):
            self._at += 1
            if words := self._lines[self._at - 1].split():
                return words
        raise DatasetInvalid(f"{self.where}: the file ends here, expected {expected}")

    def keyword(self, *expected: str) -> list[str]:
        """The words of the next line, which must begin with one of some words."""
        words = self.next(" or ".join(expected))
        if words[0].upper() not in (word.upper() for word in expected):
            raise DatasetInvalid(f"{self.where}: {shown(' '.join(words))}, expected {' or '.join(expected)}")
        return words


def _hierarchy(lines: _Lines) -> list[Joint]:
    lines.keyword("HIERARCHY")
    joints: list[Joint] = []
    open_joints: list[int] = []
    lines_of_root = lines.keyword("ROOT")
    _open(lines, joints, open_joints, lines_of_root)
    while open_joints:
        words = lines.keyword("OFFSET", "CHANNELS", "JOINT", "End", "}")
        joint = joints[open_joints[-1]]
        match words[0].upper():
            case "OFFSET":
                joint.offset = _offset(words[1:], lines.where)
            case "CHANNELS":
                joint.channels = _channels(words[1:], joint, lines.where)
            case "}":
                open_joints.pop()
            case _:
                _open(lines, joints, open_joints, words)
    return joints


def _open(lines: _Lines, joints: list[Joint], open_joints: list[int], words: Sequence[str]) -> None:
    """Begin a joint: its line and the brace after it."""
    parent = open_joints[-1] if open_joints else -1
    is_end = words[0].upper() == "END"
    if parent >= 0 and joints[parent].is_end:
        raise DatasetInvalid(f"{lines.where}: a joint below an End Site")
    if len(joints) >= _JOINTS_MAX or len(open_joints) >= _DEPTH_MAX:
        raise DatasetInvalid(f"{lines.where}: more than {_JOINTS_MAX} joints, or deeper than {_DEPTH_MAX}")
    name = f"{joints[parent].name}_end" if is_end else " ".join(words[1:]).removesuffix("{").strip()
    if not name:
        raise DatasetInvalid(f"{lines.where}: a joint without a name")
    if any(joint.name == name for joint in joints) and not is_end:
        raise DatasetInvalid(f"{lines.where}: a second joint {shown(name)}")
    if words[-1] != "{":
        lines.keyword("{")
    open_joints.append(len(joints))
    joints.append(Joint(name, parent, is_end))


def _offset(words: Sequence[str], where: str) -> FloatArray:
    found = numbers(list(words), where)
    if len(found) != 3:
        raise DatasetInvalid(f"{where}: OFFSET of {len(found)} numbers, expected 3")
    return found


def _channels(words: Sequence[str], joint: Joint, where: str) -> tuple[str, ...]:
    count = whole(words[0] if words else "nothing", where, 0, 6)
    names = tuple(f"{word[:1].upper()}{word[1:].lower()}" for word in words[1:])
    strange = [name for name in names if name not in _CHANNELS]
    if joint.is_end or joint.channels or len(names) != count or strange or len(set(names)) < count:
        raise DatasetInvalid(f"{where}: {shown(' '.join(words))}, expected {count} different channels of one joint")
    return names


def _motion_head(lines: _Lines) -> tuple[int, float]:
    words = lines.keyword("MOTION", "ROOT")
    if words[0].upper() == "ROOT":
        raise DatasetInvalid(f"{lines.where}: a second ROOT; one person per file is read")
    words = lines.keyword("Frames:", "Frames")
    num_frames = whole(words[-1], f"{lines.where}: Frames", 1, _FRAMES_MAX)
    words = lines.keyword("Frame")
    numbers(words[-1:], f"{lines.where}: Frame Time")
    frame_s = float(words[-1])
    if not 1 / _RATE_MOST_HZ <= frame_s <= 10:
        raise DatasetInvalid(f"{lines.where}: Frame Time {frame_s:g}, expected 0.001 to 10 seconds")
    return num_frames, frame_s


def _row(words: list[str], where: str) -> FloatArray:
    """The numbers of one frame; looked at one by one only where something is wrong with them."""
    try:
        found = np.array(words, np.float64)
    except ValueError:
        return numbers(words, where)
    if not np.isfinite(found).all() or np.abs(found).max(initial=0.0) > LARGEST:
        return numbers(words, where)
    return found.astype(np.float32)


FORMAT = Format("bvh", find, read, meta={"source": "BVH motion capture"})
