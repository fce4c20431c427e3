"""What the supervisor and a worker say to each other: frozen, versioned, JSON on the wire.

JSON and not pickle: a worker decodes untrusted files, and nothing that it says may run code on the other side.
Durable messages carry a `delivery_id` and are kept by the worker until an `Ack` names it.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

from pydantic import Discriminator, JsonValue, TypeAdapter, ValidationError

from service.protocol.facts import StreamFact
from service.protocol.preview import PreviewPicture, ShowPreview
from service.protocol.track_history import AskTrack, TrackHistory

PROTOCOL = 2

Values: TypeAlias = dict[str, JsonValue]
StopReason = Literal["cancelled", "drain"]
Outcome = Literal["succeeded", "failed", "cancelled", "released"]
"""`released`: not finished, to be placed again; what a drain leaves."""


class ProtocolMismatch(Exception):
    """Bytes that are not a message of this version."""


@dataclass(frozen=True, slots=True)
class JobTask:
    """Analyse one video from its beginning to its end.

    source: path of a file, or a URI that the worker fetches first.
    folder: where results are written.
    """

    task_id: str
    attempt: int
    source: str = field(repr=False)
    folder: str
    options: Values = field(default_factory=dict)
    kind: Literal["job"] = "job"


@dataclass(frozen=True, slots=True)
class StreamTask:
    """Watch one camera until told otherwise.

    generation: grows with every placement; what an older placement still says is ignored.
    uri: with its credentials.
    """

    task_id: str
    generation: int
    uri: str = field(repr=False)
    config: Values = field(default_factory=dict, repr=False)
    kind: Literal["stream"] = "stream"


Task: TypeAlias = Annotated[JobTask | StreamTask, Discriminator("kind")]


@dataclass(frozen=True, slots=True)
class Place:
    """Begin a task."""

    task: Task
    type: Literal["place"] = "place"


@dataclass(frozen=True, slots=True)
class Stop:
    """End a task; a `TaskEnded` follows."""

    task_id: str
    reason: StopReason
    type: Literal["stop"] = "stop"


@dataclass(frozen=True, slots=True)
class Ack:
    """A durable message is stored."""

    delivery_id: int
    type: Literal["ack"] = "ack"


@dataclass(frozen=True, slots=True)
class Drain:
    """Release every task, deliver what is undelivered, say `Drained`, and end."""

    type: Literal["drain"] = "drain"


TaskCommand: TypeAlias = Stop | AskTrack | ShowPreview
ToWorker: TypeAlias = Annotated[Place | Stop | AskTrack | ShowPreview | Ack | Drain, Discriminator("type")]


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message: the process runs and begins to load its networks."""

    pid: int
    protocol: int = PROTOCOL
    type: Literal["hello"] = "hello"


@dataclass(frozen=True, slots=True)
class Ready:
    """Every network is loaded and every batch size warm."""

    facts: Values = field(default_factory=dict)
    type: Literal["ready"] = "ready"


@dataclass(frozen=True, slots=True)
class StartFailed:
    """The networks cannot be loaded; the process ends."""

    code: str
    message: str
    type: Literal["start_failed"] = "start_failed"


@dataclass(frozen=True, slots=True)
class Sample:
    """One change of one metric; `observe` adds every value to a histogram."""

    metric: str
    action: Literal["add", "set", "observe"]
    values: tuple[float, ...]
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Sent every second.

    ages_s: task → seconds since it last made progress (a frame analysed, bytes fetched).
    facts: those of `Ready` that have changed.
    """

    rss_bytes: int
    ages_s: dict[str, float] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    facts: Values = field(default_factory=dict)
    type: Literal["heartbeat"] = "heartbeat"


@dataclass(frozen=True, slots=True)
class Drained:
    """The last message of a worker that was told to drain."""

    type: Literal["drained"] = "drained"


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job is; best effort.

    percent: 0..100, None when the length is not known.  eta_s: seconds left, None when unknown.
    """

    task_id: str
    frames: int
    percent: float | None
    fps: float
    eta_s: float | None
    type: Literal["job_progress"] = "job_progress"


@dataclass(frozen=True, slots=True)
class FrameResults:
    """What the live channel says of one frame of a stream; best effort."""

    task_id: str
    generation: int
    frame_index: int
    media_time_s: float
    data: Values
    type: Literal["frame_results"] = "frame_results"


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """State and figures of a stream, about once a second; best effort."""

    task_id: str
    generation: int
    data: Values
    type: Literal["stream_status"] = "stream_status"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something about a stream that must not be lost; durable."""

    delivery_id: int
    task_id: str
    generation: int
    content: StreamFact
    type: Literal["fact"] = "fact"


@dataclass(frozen=True, slots=True)
class TaskEnded:
    """A task is over; durable.

    code, message: why, when it failed.  facts: what a success says of itself.
    """

    delivery_id: int
    task_id: str
    outcome: Outcome
    code: str = ""
    message: str = ""
    facts: Values = field(default_factory=dict)
    type: Literal["task_ended"] = "task_ended"


BestEffort: TypeAlias = JobProgress | FrameResults | StreamStatus | TrackHistory | PreviewPicture
Durable: TypeAlias = Fact | TaskEnded
TaskMessage: TypeAlias = BestEffort | Durable
FromWorker: TypeAlias = Annotated[
    Hello
    | Ready
    | StartFailed
    | Heartbeat
    | Drained
    | JobProgress
    | FrameResults
    | StreamStatus
    | TrackHistory
    | PreviewPicture
    | Fact
    | TaskEnded,
    Discriminator("type"),
]

_TO_WORKER: TypeAdapter[ToWorker] = TypeAdapter(ToWorker)
_FROM_WORKER: TypeAdapter[FromWorker] = TypeAdapter(FromWorker)


def encode_command(command: ToWorker) -> bytes:
    """A supervisor's message as bytes."""
    return _TO_WORKER.dump_json(command)


def decode_command(data: bytes) -> ToWorker:
    """The supervisor's message; raises ProtocolMismatch."""
    try:
        return _TO_WORKER.validate_json(data)
    except ValidationError as error:
        raise ProtocolMismatch(f"{len(data)} bytes: not a command of protocol {PROTOCOL}: {_first(error)}") from error


def encode(message: FromWorker) -> bytes:
    """A worker's message as bytes."""
    return _FROM_WORKER.dump_json(message)


def decode(data: bytes) -> FromWorker:
    """The worker's message; raises ProtocolMismatch."""
    try:
        return _FROM_WORKER.validate_json(data)
    except ValidationError as error:
        raise ProtocolMismatch(f"{len(data)} bytes: not a message of protocol {PROTOCOL}: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    # Only the place and the rule that was broken: the value may hold a credential.
    fault = error.errors(include_input=False)[0]
    return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
