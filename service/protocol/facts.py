"""What a stream's worker says that must not be lost: one type for each kind of fact, told apart by `kind`.

Each has a `name`: the type of the message that clients are sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import AwareDatetime, Discriminator

from pipelines.types import BreakEnd, Event, EventState, ToldEnd

ActionChange = Literal["action.provisional", "action.started", "action.updated", "action.ended", "action.retracted"]
WatchState = Literal["connecting", "running", "degraded", "reconnecting", "failed"]
"""How the watching of a source goes; a stream that nobody watches is `disabled` beside these."""

_CHANGES: Mapping[EventState, ActionChange] = {
    "provisional": "action.provisional",
    "confirmed": "action.updated",
    "ended": "action.ended",
    "retracted": "action.retracted",
}


@dataclass(frozen=True, slots=True)
class ActionReport:
    """An event changed: the event, and what only its worker knows of it.

    event: its track has the number that clients see.
    is_first: it was not confirmed before; otherwise a confirmed event is told as an update.
    start_time, end_time: the wall clock's times of the event's media seconds.
    frame_size: width and height in pixels, which tell a wide box from a wide picture.
    has_evidence: its worker keeps skeletons and a clip of it; a `ClipReport` follows once it has started.
    latency_ms: stage → milliseconds from the frame's arrival on; empty where no frame brought the change.
    networks: detector, pose and action → name and sha256 of which it was.
    """

    event: Event
    is_first: bool
    start_time: AwareDatetime
    end_time: AwareDatetime
    frame_size: tuple[int, int]
    has_evidence: bool = False
    model: str = ""
    latency_ms: dict[str, float] = field(default_factory=dict)
    frame_index: int | None = None
    networks: dict[str, dict[str, str]] = field(default_factory=dict)
    kind: Literal["action"] = "action"

    @property
    def name(self) -> ActionChange:
        """What the change is called."""
        if self.event.state == "confirmed" and self.is_first:
            return "action.started"
        return _CHANGES[self.event.state]


@dataclass(frozen=True, slots=True)
class TrackStarted:
    """A person was found."""

    track_id: int
    time: AwareDatetime
    kind: Literal["track_started"] = "track_started"

    name: ClassVar[str] = "track.started"


@dataclass(frozen=True, slots=True)
class TrackEnded:
    """A person is no longer followed.

    reason: as clients know it. broken_by: the kind of break that ended the track, where one did.
    """

    track_id: int
    time: AwareDatetime
    reason: ToldEnd
    broken_by: BreakEnd | None = None
    kind: Literal["track_ended"] = "track_ended"

    name: ClassVar[str] = "track.ended"


@dataclass(frozen=True, slots=True)
class ClipReport:
    """The evidence of an event is there, or its clip will never be.

    asked_s: media seconds of the clip's first and last picture as they were wanted.
    covered_s: the same as they are in the file; None where there is none.
    reason: why there is no clip.
    """

    event_id: str
    state: Literal["ready", "failed"]
    asked_s: tuple[float, float] | None = None
    covered_s: tuple[float, float] | None = None
    reason: str | None = None
    kind: Literal["clip"] = "clip"

    @property
    def name(self) -> str:
        """What the change is called."""
        return f"clip.{self.state}"


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The source's state changed.

    code, message: what is wrong; None while nothing is.
    media_time_s: of the last frame; None before the first.
    """

    state: WatchState
    code: str | None = None
    message: str | None = None
    media_time_s: float | None = None
    kind: Literal["state"] = "state"

    name: ClassVar[str] = "stream.state_changed"


StreamFact: TypeAlias = Annotated[
    ActionReport | TrackStarted | TrackEnded | ClipReport | StateChanged, Discriminator("kind")
]
