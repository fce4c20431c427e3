"""What clients send and get about streams."""

import datetime as dt
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from service.streams.store import StreamRow, StreamState

Name = Annotated[str, Field(min_length=1, max_length=64)]
Unit = Annotated[float, Field(ge=0, le=1)]
Tags = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=256)]], Field(max_length=20)
]
DropPolicy = Literal["drop_oldest", "wait", "latest_only"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Part):
    """Where the pictures come from."""

    uri: str = Field(
        min_length=1, max_length=4096,
        description="rtsp(s)://, rtmp://, http(s)://, file://, webcam:N, or `push:` for frames over a WebSocket.",
    )  # fmt: skip
    transport: Literal["tcp", "udp"] = Field(default="tcp", description="RTSP only.")
    loop: bool = Field(default=False, description="A file begins again at its end.")


class Analysis(_Part):
    """How often and how deeply the pictures are looked at."""

    fps: float = Field(default=15.0, ge=1, le=60, description="Frames per second that are analysed.")
    window_s: float | None = Field(default=None, gt=0, le=30, description="Must be the model's own; null takes it.")
    stride_s: float = Field(default=0.2, ge=0.05, le=5, description="Seconds between two judgements of one person.")
    max_persons: int = Field(default=10, ge=1, le=100, description="People followed at once; the smallest go.")
    model: str | None = Field(default=None, max_length=128, description="Action model; null: the active one.")


def _simple(polygon: list[tuple[float, float]]) -> list[tuple[float, float]]:
    if len(set(polygon)) < 3:
        raise ValueError(f"a zone needs three different corners, found {len(set(polygon))}")
    return polygon


class ZoneSpec(_Part):
    """A region of the picture."""

    name: Name
    kind: Literal["include", "exclude"] = "include"
    polygon: Annotated[list[tuple[Unit, Unit]], Field(min_length=3, max_length=64), AfterValidator(_simple)] = Field(
        description="Corners, x and y, 0..1 of the frame."
    )


class RuleSpec(_Part):
    """When somebody is told."""

    name: Name
    actions: list[Name] | None = Field(default=None, max_length=64, description="Any of these; null: every one.")
    zones: list[Name] | None = Field(default=None, max_length=64, description="In any of these; null: anywhere.")
    min_duration_s: float = Field(default=0.0, ge=0, le=3600)
    min_score: float = Field(default=0.0, ge=0, le=1)
    cooldown_s: float = Field(default=0.0, ge=0, le=86400, description="Silence after a match, per track and action.")
    severity: Literal["info", "warning", "alarm"] | None = Field(default=None, description="Replaces the action's own.")


class Recording(_Part):
    """Evidence around events."""

    enabled: bool = True
    min_severity: Literal["info", "warning", "alarm"] = Field(
        default="warning", description="Severity of the action itself from which evidence is kept."
    )
    pre_roll_s: float = Field(default=5.0, ge=0, le=30, description="Seconds before the event's start.")
    post_roll_s: float = Field(default=3.0, ge=0, le=30, description="Seconds after its end.")
    max_s: float = Field(default=60.0, ge=1, le=300, description="Longest clip; a longer event is cut.")


class Privacy(_Part):
    """What may leave the worker."""

    pictures: bool = Field(default=True, description="False: no snapshot, preview or clip; skeletons only.")


class StreamConfig(_Part):
    """Everything about a stream but its name."""

    source: Source
    analysis: Analysis = Analysis()
    drop_policy: DropPolicy = "drop_oldest"
    zones: list[ZoneSpec] = Field(default=[], max_length=50)
    rules: list[RuleSpec] = Field(default=[], max_length=50)
    recording: Recording = Recording()
    privacy: Privacy = Privacy()
    tags: Tags = {}

    @model_validator(mode="after")
    def _names_are_unique(self) -> "StreamConfig":
        for kind, names in (("zones", [z.name for z in self.zones]), ("rules", [r.name for r in self.rules])):
            if len(set(names)) != len(names):
                raise ValueError(f"{kind}: each name once")
        known = {zone.name for zone in self.zones if zone.kind == "include"}
        for rule in self.rules:
            missing = set(rule.zones or ()) - known
            if missing:
                raise ValueError(f"rules: {rule.name} names zones that are no include zones: {sorted(missing)}")
        return self


class StreamCreate(StreamConfig):
    """A camera to watch; it may be off."""

    name: Name = Field(description="Its id is made of it: lower case, letters, digits and hyphens.")
    enabled: bool = True


class StreamPatch(BaseModel):
    """What may change; a part that is given replaces the whole part, what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    enabled: bool | None = None
    source: Source | None = None
    analysis: Analysis | None = None
    drop_policy: DropPolicy | None = None
    zones: list[ZoneSpec] | None = Field(default=None, max_length=50)
    rules: list[RuleSpec] | None = Field(default=None, max_length=50)
    recording: Recording | None = None
    privacy: Privacy | None = None
    tags: Tags | None = None


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
    zones: list[ZoneSpec]
    rules: list[RuleSpec]
    recording: Recording
    privacy: Privacy
    tags: dict[str, str]
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
            drop_policy=config.drop_policy, zones=config.zones, rules=config.rules, recording=config.recording,
            privacy=config.privacy, tags=dict(config.tags), links=links,
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
    reconnects: int = 0
    tracks_active: int = 0
    frame_size: tuple[int, int] | None = None
    stage_ms: dict[str, float] = Field(default={}, description="Stage → milliseconds per analysed frame.")
    worker: str | None = Field(default=None, description="The worker that has it.")

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
