"""The text of an NTU RGB+D `.skeleton` file: every body by its tracking id, with its places, pixels and states."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from models.arrays import FloatArray
from pipelines.errors import DatasetInvalid
from pipelines.training.formats.lines import Lines
from pipelines.training.formats.text import LARGEST, numbers, whole

JOINTS = 25
_FRAMES_MAX, _BODIES_MAX = 20_000, 64
_INFO_WORDS, _JOINT_WORDS = 10, 12


@dataclass(slots=True)
class Body:
    """Everything the file says of one tracking id.

    start: its first frame among those that show anybody. Frames in which it is lost are closed up, as published.
    state: (25,) per frame, 0 where a joint was not tracked, 0.5 where it was inferred, 1 where it was tracked.
    """

    start: int
    xyz: list[FloatArray] = field(default_factory=list)
    pixels: list[FloatArray] = field(default_factory=list)
    state: list[FloatArray] = field(default_factory=list)

    @property
    def end(self) -> int:
        """One past its last frame."""
        return self.start + len(self.xyz)


class _Lines(Lines):
    """The lines of a file, one after the other, each known by its number."""

    def where_before(self, num_lines: int) -> str:
        """The line that was read so many lines earlier."""
        return f"{self._name}: line {self._at - num_lines}"

    def next(self) -> list[str]:
        """The words of the next line; raises DatasetInvalid at the end of the file."""
        if self._at >= len(self._lines) or not self._lines[self._at].strip():
            raise DatasetInvalid(f"{self._name}: line {self._at + 1}: the file ends here, more was announced")
        self._at += 1
        return self._lines[self._at - 1].split()

    def count(self, low: int, high: int) -> int:
        """The number that stands alone in the next line."""
        words = self.next()
        return whole(words[0] if len(words) == 1 else " ".join(words), self.where, low, high)


def parse(text: Sequence[str], name: str) -> dict[str, Body]:
    """Bodies by their tracking ids; frames that show nobody are not counted, as published.

    Raises DatasetInvalid that names the line.
    """
    lines, bodies, shown_frames = _Lines(text, name), dict[str, Body](), 0
    for _ in range(lines.count(1, _FRAMES_MAX)):
        num_bodies = lines.count(0, _BODIES_MAX)
        seen: set[str] = set()
        for _ in range(num_bodies):
            info = lines.next()
            if len(info) != _INFO_WORDS:
                raise DatasetInvalid(f"{lines.where}: {len(info)} values of a body, expected {_INFO_WORDS}")
            if info[0] in seen:
                raise DatasetInvalid(f"{lines.where}: body {info[0]} twice in one frame")
            seen.add(info[0])
            _read_joints(lines, bodies.setdefault(info[0], Body(shown_frames)))
        shown_frames += num_bodies > 0
    lines.require_end()
    return bodies


def _read_joints(lines: _Lines, body: Body) -> None:
    if (count := lines.count(0, 10_000)) != JOINTS:
        raise DatasetInvalid(f"{lines.where}: {count} joints, expected {JOINTS}")
    words = [lines.next() for _ in range(JOINTS)]
    rows = _quick_rows(words)
    if rows is None:
        rows = _careful_rows(words, lines)
    body.xyz.append(rows[:, :3])
    body.pixels.append(rows[:, 5:7])
    body.state.append(rows[:, 11] * np.float32(0.5))


def _quick_rows(words: Sequence[Sequence[str]]) -> FloatArray | None:
    """(25, 12) numbers of a body that has nothing odd about it; None for any other."""
    try:
        rows = np.array(words, np.float64)
    except ValueError:
        return None
    if rows.shape != (JOINTS, _JOINT_WORDS) or not np.isfinite(rows).all() or not np.isin(rows[:, 11], (0, 1, 2)).all():
        return None
    return rows.astype(np.float32) if np.abs(rows[:, :7]).max() <= LARGEST else None


def _careful_rows(words: Sequence[Sequence[str]], lines: _Lines) -> FloatArray:
    """The same with every value looked at; raises DatasetInvalid that names the line."""
    rows = np.zeros((JOINTS, _JOINT_WORDS), np.float32)
    for joint, row in enumerate(words):
        where = lines.where_before(JOINTS - 1 - joint)
        if len(row) != _JOINT_WORDS:
            raise DatasetInvalid(f"{where}: {len(row)} values of a joint, expected {_JOINT_WORDS}")
        rows[joint, :3] = numbers(list(row[:3]), where)
        rows[joint, 5:7] = _pixels(row[5:7], where)
        rows[joint, 11] = whole(row[11], where, 0, 2)
    return rows


def _pixels(words: Sequence[str], where: str) -> FloatArray:
    """A place in the colour picture; not a number where Kinect could not map the joint there."""
    if any(word.lstrip("+-").lower() in ("nan", "inf", "infinity", "1.#inf", "1.#qnan", "1.#ind") for word in words):
        return np.full(2, np.nan, np.float32)
    return numbers(list(words), where)
