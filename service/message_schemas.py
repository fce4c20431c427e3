"""Every message of the live channel, of webhooks and of MQTT, by type: what the OpenAPI document says of them."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, Field, JsonValue, RootModel

from models.severity import Severity
from pipelines.types import BreakEnd, ToldEnd
from service.jobs.schemas import JobRead, Progress
from service.people_schemas import EventFields, FramePerson
from service.streams.store import StreamState


class _Message(BaseModel):
    """The fields of service/envelope.py that every message has."""

    v: Literal[1]
    seq: int = Field(description="Its number; frames, progress and heartbeats repeat that of the last stored message.")
    stream_id: str | None
    job_id: str | None
    time: dt.datetime
    media_time_s: float | None = Field(description="Seconds in the source; null where there is none.")
    frame_index: int | None
    tags: dict[str, str]


class ActionData(EventFields):
    """An event as it stands, its numbers rounded."""

    partner: int | None = None
    severity: Severity
    start_time: dt.datetime
    end_time: dt.datetime
    duration_s: float
    zones: list[str]
    rules: list[str] = Field(description="The rules that it met.")
    clip_state: Literal["none", "pending", "ready", "failed"]
    model: str
    latency_ms: dict[str, float] = Field(description="Stage → milliseconds from the picture to this message.")


class ActionMessage(_Message):
    """An event begins, goes on, ends, or was none."""

    type: Literal["action.provisional", "action.started", "action.updated", "action.ended", "action.retracted"]
    data: ActionData


class TrackData(BaseModel):
    """A person who is followed, or no longer."""

    track_id: int
    reason: ToldEnd | None = None
    break_: BreakEnd | None = Field(None, alias="break", description="The kind of break that ended it.")


class TrackMessage(_Message):
    """A person was found, or is gone."""

    type: Literal["track.started", "track.ended"]
    data: TrackData


class StreamStateData(BaseModel):
    """How a stream is."""

    state: StreamState
    code: str | None
    message: str | None


class StreamMessage(_Message):
    """A stream's state changed, or the stream was removed."""

    type: Literal["stream.state_changed", "stream.removed"]
    data: StreamStateData


class ClipData(BaseModel):
    """What became of an event's evidence."""

    event_id: str
    clip_state: Literal["ready", "failed"]
    asked_s: tuple[float, float] | None = None
    covered_s: tuple[float, float] | None = None
    reason: str | None = None


class ClipMessage(_Message):
    """Evidence is ready, or never will be."""

    type: Literal["clip.ready", "clip.failed"]
    data: ClipData


class JobProgressData(BaseModel):
    """How far a job is."""

    state: Literal["running"]
    progress: Progress


class JobProgressMessage(_Message):
    """A job goes on; not stored."""

    type: Literal["job.progress"]
    data: JobProgressData


class JobMessage(_Message):
    """A job is over."""

    type: Literal["job.completed", "job.failed"]
    data: JobRead


class FrameData(BaseModel):
    """Everyone in one picture."""

    frame_size: tuple[int, int]
    layout: str
    persons: list[FramePerson]
    latency_ms: dict[str, float] = {}


class FrameMessage(_Message):
    """One analysed picture of a stream; not stored, and the first to be left out for a slow client."""

    type: Literal["frame"]
    data: FrameData


class ErasedMessage(_Message):
    """The number of a message that was erased for good."""

    type: Literal["log.erased"]
    data: dict[str, JsonValue] = {}


class SubscribedData(BaseModel):
    """What was asked for, and the newest number."""

    streams: list[str] | None = None
    jobs: list[str] | None = None
    messages: list[str] | None = None
    since_seq: int | None = None
    max_rate_hz: float | None = None
    head_seq: int


class SubscribedMessage(_Message):
    """A subscription was taken."""

    type: Literal["subscribed"]
    data: SubscribedData


class FaultData(BaseModel):
    """Why a subscription was not taken."""

    code: str
    detail: str


class ErrorMessage(_Message):
    """A message from the client was not understood."""

    type: Literal["error"]
    data: FaultData


class GapData(BaseModel):
    """Numbers that are gone."""

    from_seq: int
    to_seq: int
    reason: Literal["retention", "unknown_seq"]


class GapMessage(_Message):
    """Messages cannot be sent any more: ask again over HTTP."""

    type: Literal["gap"]
    data: GapData


class HeartbeatMessage(_Message):
    """Nothing happened for a while."""

    type: Literal["heartbeat"]
    data: dict[str, JsonValue] = {}


class WebhookTestData(BaseModel):
    """Which webhook is tried."""

    webhook_id: str


class WebhookTestMessage(_Message):
    """`POST /v1/webhooks/{webhook_id}/test`."""

    type: Literal["webhook.test"]
    data: WebhookTestData


class LiveMessage(
    RootModel[
        Annotated[
            ActionMessage | TrackMessage | StreamMessage | ClipMessage | JobProgressMessage | JobMessage
            | FrameMessage | ErasedMessage | SubscribedMessage | ErrorMessage | GapMessage | HeartbeatMessage,
            Field(discriminator="type"),
        ]
    ]
):  # fmt: skip
    """Whatever the server sends over the WebSocket; skip types that you do not know."""
