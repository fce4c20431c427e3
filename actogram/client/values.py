"""What a client gets: frozen values, read leniently, so that a newer server's further fields do no harm."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

Json = Mapping[str, object]
FINAL = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Job:
    """The analysis of one video.

    state: queued, running, succeeded, failed or cancelled. percent: 0..100, None while the length is unknown.
    error_code, error: why it failed. raw: the whole answer.
    """

    job_id: str
    state: str
    name: str
    percent: float | None
    error_code: str | None
    error: str | None
    raw: Json = field(repr=False, compare=False)

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in FINAL

    @classmethod
    def of(cls, raw: Json) -> "Job":
        """From the server's answer."""
        error = table(raw.get("error"))
        return cls(
            job_id=text(raw["job_id"]), state=text(raw["state"]), name=text(table(raw.get("source")).get("name", "")),
            percent=number(table(raw.get("progress")).get("percent")), error_code=optional_text(error.get("code")),
            error=optional_text(error.get("detail")), raw=raw,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ActionSpan:
    """One action of one person in a video; media seconds, score 0..1."""

    action: str
    start_s: float
    end_s: float
    score: float

    @property
    def duration_s(self) -> float:
        """Seconds from onset to offset."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Person:
    """One person of a video, from first to last sight, media seconds, and what they did, in order of time."""

    track_id: int
    start_s: float
    end_s: float
    actions: tuple[ActionSpan, ...]

    @classmethod
    def of(cls, raw: Json) -> "Person":
        """From an entry of a timeline's `tracks`."""
        spans = tuple(
            ActionSpan(text(one["action"]), real(one["start_s"]), real(one["end_s"]), real(one["score"]))
            for one in tables(raw.get("actions"))
        )
        return cls(int(real(raw["track_id"])), real(raw["start_s"]), real(raw["end_s"]), spans)


@dataclass(frozen=True, slots=True)
class Event:
    """One action of one person before a camera or in a video.

    state: provisional, confirmed, ended or retracted. start_time, end_time: with time zone; the end is the latest time
    seen so far until the event has ended. box: left, top, right, bottom as shares of the frame. seq: number of its
    newest message, to resume a live channel after it.
    """

    event_id: str
    stream_id: str | None
    job_id: str | None
    track_id: int
    action: str
    state: str
    score: float
    severity: str
    start_time: dt.datetime
    end_time: dt.datetime
    zones: tuple[str, ...]
    box: tuple[float, float, float, float] | None
    clip_state: str
    seq: int
    raw: Json = field(repr=False, compare=False)

    @property
    def duration_s(self) -> float:
        """Seconds from onset to the latest time seen."""
        return (self.end_time - self.start_time).total_seconds()

    @classmethod
    def of(cls, raw: Json) -> "Event":
        """From an item of `/v1/events`, or from a live message's data with its `stream_id` and `seq`."""
        start = moment(raw["start_time"])
        box = raw.get("box")
        corners = [real(side) for side in box] if isinstance(box, list) else []
        return cls(
            event_id=text(raw["event_id"]), stream_id=optional_text(raw.get("stream_id")),
            job_id=optional_text(raw.get("job_id")), track_id=int(real(raw["track_id"])), action=text(raw["action"]),
            state=text(raw["state"]), score=real(raw["score"]), severity=text(raw.get("severity", "info")),
            start_time=start, end_time=moment(raw["end_time"]) if raw.get("end_time") else start,
            zones=tuple(text(zone) for zone in _list(raw.get("zones"))),
            box=(corners[0], corners[1], corners[2], corners[3]) if len(corners) == 4 else None,
            clip_state=text(raw.get("clip_state", "none")), seq=int(real(raw.get("seq", 0))), raw=raw,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stream:
    """A camera.

    state: disabled, connecting, running, degraded, reconnecting or failed. error_code, error: what is wrong with it.
    """

    stream_id: str
    name: str
    enabled: bool
    state: str
    error_code: str | None
    error: str | None
    raw: Json = field(repr=False, compare=False)

    @property
    def has_picture(self) -> bool:
        """Whether anything is known of who is there: without, nobody's absence means nothing."""
        return self.state in ("running", "degraded") and self.error_code != "no_picture"

    @classmethod
    def of(cls, raw: Json) -> "Stream":
        """From the server's answer."""
        error = table(raw.get("last_error"))
        return cls(
            stream_id=text(raw["stream_id"]), name=text(raw["name"]), enabled=bool(raw["enabled"]),
            state=text(raw["state"]), error_code=optional_text(error.get("code")),
            error=optional_text(error.get("message")), raw=raw,
        )  # fmt: skip


def text(value: object) -> str:
    """A string; raises TypeError with what was found."""
    if not isinstance(value, str):
        raise TypeError(f"found {value!r}, expected a string")
    return value


def optional_text(value: object) -> str | None:
    """A string or None."""
    return None if value is None else text(value)


def number(value: object) -> float | None:
    """A number or None."""
    return None if value is None else real(value)


def real(value: object) -> float:
    """A number; raises TypeError with what was found."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"found {value!r}, expected a number")
    return float(value)


def moment(value: object) -> dt.datetime:
    """RFC 3339 as a time with its zone."""
    return dt.datetime.fromisoformat(text(value))


def table(value: object) -> Json:
    """An object; an empty one for anything else."""
    return cast("Json", value) if isinstance(value, dict) else {}


def tables(value: object) -> list[Json]:
    """A list's objects."""
    return [table(item) for item in _list(value)]


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
