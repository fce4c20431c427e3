"""A question about one person of a stream, and the worker's answer: the skeletons that it still remembers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

ANSWER_BYTES_MAX = 4 * 2**20
"""Text in one answer: the last minutes of one person at any rate that a camera is analysed at."""


@dataclass(frozen=True, slots=True)
class AskTrack:
    """Asks for one person's last seconds; the `TrackHistory` with the same `question_id` is the answer."""

    task_id: str
    question_id: str
    track_id: int
    type: Literal["ask_track"] = "ask_track"


@dataclass(frozen=True, slots=True)
class TrackHistory:
    """The answer; best effort, because whoever asked waits only a moment.

    lines: one JSON object per frame, oldest first; empty for a person that the worker does not know.
    """

    task_id: str
    question_id: str
    lines: tuple[str, ...] = ()
    type: Literal["track_history"] = "track_history"


def newest(lines: Sequence[str], bytes_max: int = ANSWER_BYTES_MAX) -> tuple[str, ...]:
    """The last lines that fit into an answer, oldest first."""
    total, first = 0, len(lines)
    while first > 0:
        total += len(lines[first - 1].encode())
        if total > bytes_max:
            break
        first -= 1
    return tuple(lines[first:])
