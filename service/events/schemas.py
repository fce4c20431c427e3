"""What clients send and get about events and tracks."""

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictBool

from pipelines.event_json import STORED, event_object
from pipelines.types import EventState
from service.events.store import ClipState, EventRow
from service.people_schemas import EventFields

Verdict = Literal["correct", "wrong", "unsure"]


def _is_unknown(value: str | None) -> bool:
    return value is None


class NetworkUsed(BaseModel):
    """Which network it was."""

    name: str
    sha256: str = Field(description="Of its weight file.")
    engine: str | None = Field(
        default=None, exclude_if=_is_unknown, description="What computed it: `onnxruntime` or `openvino`, where known."
    )
    precision: str | None = Field(
        default=None, exclude_if=_is_unknown, description="What in: `float32`, `bfloat16` or `float16`, where known."
    )


class EventRead(EventFields):
    """One action of one person, from onset to offset: the event, and what the service knows of it."""

    stream_id: str | None
    job_id: str | None
    severity: str
    score: float = Field(description="The highest smoothed probability so far, 0..1.")
    start_time: dt.datetime
    end_time: dt.datetime = Field(description="The latest time seen so far, until the state is `ended`.")
    duration_s: float
    start_s: float = Field(description="Media seconds of the source.")
    zones: list[str]
    rules: list[str] = Field(description="The rules that this event met; sinks tell of events that met one.")
    box: list[float] | None = Field(description="left, top, right, bottom, 0..1 of the frame.")
    partner: int | None = Field(description="The track of whoever a model of pairs looked at beside this person.")
    model: str
    networks: dict[str, NetworkUsed] = Field(
        description="`detector`, `pose` and `action`: which networks it was seen with; empty in older events."
    )
    tags: dict[str, str]
    clip_state: ClipState
    clip: dict[str, JsonValue] = Field(description="What the evidence really covers, once it is ready.")
    acknowledged_at: dt.datetime | None
    comment: str
    seq: int = Field(description="The number of its newest message in the log.")

    @classmethod
    def of(cls, row: EventRow) -> "EventRead":
        """A row as clients see it."""
        of_row = {
            "stream_id": row.stream_id, "job_id": row.job_id, "severity": row.severity, "start_time": row.start_time,
            "end_time": row.end_time, "duration_s": row.duration_s, "zones": row.zones, "rules": row.rules,
            "model": row.model, "networks": row.networks, "tags": row.tags, "clip_state": row.clip_state,
            "clip": row.clip, "acknowledged_at": row.acknowledged_at, "comment": row.comment, "seq": row.seq,
        }  # fmt: skip
        return cls.model_validate({**event_object(row.event, STORED), **of_row})


class EventPage(BaseModel):
    """Events, the newest first."""

    items: list[EventRead]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last one.")


class EventPatch(BaseModel):
    """What a user may change about an event."""

    model_config = ConfigDict(extra="forbid")

    acknowledged: StrictBool | None = None
    comment: str | None = Field(None, max_length=4000)


class FeedbackCreate(BaseModel):
    """A user's opinion of an event: the raw material of a better model."""

    model_config = ConfigDict(extra="forbid")

    verdict: Verdict
    action: str | None = Field(None, max_length=64, description="What it really was, when the verdict is `wrong`.")
    comment: str = Field("", max_length=4000)


class FeedbackRead(BaseModel):
    """One opinion."""

    feedback_id: str
    event_id: str
    verdict: Verdict
    action: str | None
    comment: str
    created_at: dt.datetime


class FeedbackList(BaseModel):
    """Every opinion about an event, the oldest first."""

    items: list[FeedbackRead]


class TrackRead(BaseModel):
    """One person, from first to last sight."""

    track_id: str = Field(description="`<stream>:<number>`; the number is the one that messages carry.")
    stream_id: str
    number: int
    start_time: dt.datetime
    end_time: dt.datetime | None
    reason: str | None = Field(description="left, lost or merged; null while the track lives.")


class TimelineSegment(BaseModel):
    """One stretch of one action."""

    model_config = ConfigDict(title="Segment")
    __qualname__ = "Segment"  # its name in the OpenAPI document, which clients' generators know

    event_id: str
    action: str
    state: EventState
    start_time: dt.datetime
    end_time: dt.datetime
    duration_s: float
    score: float


class TrackTimeline(BaseModel):
    """How long each action of a person lasted."""

    track: TrackRead
    segments: list[TimelineSegment] = Field(description="In the order of their starts.")
    totals_s: dict[str, float] = Field(description="Action → seconds.")


class DayCount(BaseModel):
    """How many events began on one day."""

    day: str = Field(description="The date in the zone asked for.")
    start_time: dt.datetime
    end_time: dt.datetime = Field(description="Of the day, cut by the range asked for.")
    events: int
    alarms: int = Field(description="Those of severity `alarm`.")
    warnings: int = Field(description="Those of severity `warning`.")


class DayList(BaseModel):
    """The days of a range, in order, those without events too."""

    tz: str
    items: list[DayCount]


class StreamCells(BaseModel):
    """When events of one stream began."""

    stream_id: str
    events: int = Field(description="How many began in the whole range.")
    cells: list[list[int]] = Field(
        description="In order, for each part of the range that has any: its index, the events that began in it, how "
        "many of these are alarms, how many warnings, and how many events of before went on in it."
    )


class TimelineOverview(BaseModel):
    """A range of time in equal parts, for every stream that has events in it."""

    since: dt.datetime
    until: dt.datetime
    parts: int = Field(description="Into how many the range is cut.")
    streams: list[StreamCells]
