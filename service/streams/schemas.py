"""What clients send and get about streams."""

import datetime as dt
import re

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictBool

from service.protocol.stream_config import (
    ActionOverrides,
    Analysis,
    DropPolicy,
    Mirror,
    Name,
    Privacy,
    Recording,
    Rotate,
    RuleSpec,
    Source,
    StreamConfig,
    Tags,
    ZoneSpec,
)
from service.streams.store import StreamRow, StreamState
from service.weekly import TimeZone


class StreamCreate(StreamConfig):
    """A camera to watch; it may be off."""

    name: Name = Field(description="Its id is made of it: lower case, letters, digits and hyphens.")
    enabled: StrictBool = True


class StreamPatch(BaseModel):
    """What may change; a part that is given replaces the whole part, what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    enabled: StrictBool | None = None
    source: Source | None = None
    analysis: Analysis | None = None
    drop_policy: DropPolicy | None = None
    rotate: Rotate | None = None
    mirror: Mirror | None = None
    actions: ActionOverrides | None = None
    zones: list[ZoneSpec] | None = Field(default=None, max_length=50)
    rules: list[RuleSpec] | None = Field(default=None, max_length=50)
    recording: Recording | None = None
    privacy: Privacy | None = None
    tags: Tags | None = None
    time_zone: TimeZone | None = None


class Fault(BaseModel):
    """Why a stream does not run."""

    code: str
    message: str


class StreamRead(BaseModel):
    """A stream; credentials in its source are never shown."""

    stream_id: str
    name: str
    enabled: bool
    state: StreamState
    state_since: dt.datetime
    last_error: Fault | None
    created_at: dt.datetime
    source: Source
    analysis: Analysis
    drop_policy: DropPolicy
    rotate: Rotate
    mirror: Mirror
    actions: ActionOverrides
    zones: list[ZoneSpec]
    rules: list[RuleSpec]
    recording: Recording
    privacy: Privacy
    tags: dict[str, str]
    time_zone: str | None = Field(description="By which hours of its rules count; null: UTC.")
    links: dict[str, str]

    @classmethod
    def of(cls, row: StreamRow, shown_uri: str) -> "StreamRead":
        """A row as clients see it."""
        config = StreamConfig.model_validate(dict(row.config))
        base = f"/v1/streams/{row.stream_id}"
        names = ("status", "snapshot", "preview", "ws")
        links = {"self": base} | {name: f"{base}/{name}" for name in names}
        if config.source.uri == "push:":
            links["push"] = f"{base}/push"
        return cls(
            stream_id=row.stream_id, name=row.name, enabled=row.is_enabled, state=row.state,
            state_since=row.state_since, last_error=fault_of(row), created_at=row.created_at,
            source=config.source.model_copy(update={"uri": shown_uri}), analysis=config.analysis,
            rotate=config.rotate, mirror=config.mirror, actions=config.actions,
            drop_policy=config.drop_policy, zones=config.zones, rules=config.rules, recording=config.recording,
            privacy=config.privacy, tags=dict(config.tags), time_zone=config.time_zone, links=links,
        )  # fmt: skip


class StreamPage(BaseModel):
    """Streams, by id."""

    items: list[StreamRead]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last one.")


class Latency(BaseModel):
    """From a frame's arrival to its labels, over the last minute, milliseconds."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class StreamStatusRead(BaseModel):
    """How a stream is, now."""

    state: StreamState
    state_since: dt.datetime
    last_error: Fault | None
    fps_in: float = 0.0
    fps_analysed: float = 0.0
    frame_age_ms: float | None = Field(default=None, description="Of the newest analysed frame; null before the first.")
    latency_ms: Latency = Latency()
    dropped: dict[str, int] = Field(default={}, description="Reason → frames.")
    breaks: dict[str, int] = Field(
        default={}, description="Reason → frames that do not follow on the one before: nobody is followed across."
    )
    reconnects: int = Field(default=0, description="How often the source was opened again, since the server's start.")
    tracks_active: int = 0
    frame_size: tuple[int, int] | None = None
    stage_ms: dict[str, float] = Field(default={}, description="Stage → milliseconds per analysed frame.")
    camera_moved: int = Field(default=0, description="Analysed frames in which the camera moved too much to judge.")
    looks_left_out: int = Field(
        default=0, description="Looks for people that were left out because nobody was there and nothing moved."
    )
    rotate_deg: int = Field(
        default=0,
        description="Not 0: people lie or stand on their heads; the picture as it is now would be upright if it were "
        "turned clockwise by so much: set `rotate`.",
    )
    worker: str | None = Field(default=None, description="The worker that has it.")
    timed_rules: dict[str, str] = Field(default={}, description="Name of a rule over time → its state.")

    @classmethod
    def of(cls, row: StreamRow, figures: dict[str, JsonValue]) -> "StreamStatusRead":
        """State from the row, figures from the worker's last word."""
        known: dict[str, object] = {name: value for name, value in figures.items() if name in cls.model_fields}
        known |= {"state": row.state, "state_since": row.state_since, "last_error": fault_of(row)}
        return cls.model_validate(known)


class JobRoom(BaseModel):
    """Room for videos that are analysed beside the streams."""

    slots: int
    free: int


class CapacityRead(BaseModel):
    """What fits."""

    streams: int = Field(description="Enabled streams.")
    streams_max: int = Field(description="How many the workers take.")
    fps_budget: float = Field(description="Frames per second that the ready workers can analyse, measured at start.")
    fps_planned: float = Field(description="Frames per second that the enabled streams ask for.")
    fps_free: float
    free_slots: int = Field(description="Further streams at the default rate.")
    why: str
    jobs: JobRoom
    workers: int
    workers_ready: int


def fault_of(row: StreamRow) -> Fault | None:
    """The last error, where there is one."""
    return None if row.error_code is None else Fault(code=row.error_code, message=row.error_message or row.error_code)


def slug(name: str) -> str:
    """A name as an id: lower case, letters, digits, hyphens; never empty."""
    text = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:48]
    return text or "stream"
