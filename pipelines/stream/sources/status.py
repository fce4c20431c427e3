"""How a live source is doing: its state, its last error, its counters; and how patient its reader is."""

from dataclasses import dataclass, field
from typing import Literal

from pipelines.orientation import UPRIGHT, Orientation
from pipelines.types import BreakReason

StreamState = Literal["connecting", "running", "degraded", "reconnecting", "failed"]
Transport = Literal["tcp", "udp"]


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """How a live source is opened, watched and opened again.

    transport: how RTSP carries its pictures.
    open_timeout_s, read_timeout_s: longest wait for a connection and its stream, and for the next bytes.
    max_frame_age_s: bytes without a picture for so long are a lost connection too.
    degraded_after_s: age of the last picture from which the stream is shown as degraded.
    backoff_first_s, backoff_max_s: pause after the first failure, doubled after each further one; the longest is so
        short that a camera is back within five seconds of its return.
    auth_backoff_s: longest pause after a refused login: cameras lock an account that knocks too often.
    rate_hz: keep at most so many frames per second; None keeps all.
    verify_tls: whether rtsps, rtmps and https must show a certificate that this machine trusts.
    loops: whether a file starts again at its end.
    turn: what is done to every picture right after decoding.
    """

    transport: Transport = "tcp"
    open_timeout_s: float = 5.0
    read_timeout_s: float = 3.0
    max_frame_age_s: float = 6.0
    degraded_after_s: float = 1.5
    backoff_first_s: float = 0.25
    backoff_max_s: float = 2.5
    auth_backoff_s: float = 60.0
    rate_hz: float | None = None
    verify_tls: bool = True
    loops: bool = False
    turn: Orientation = UPRIGHT


@dataclass(frozen=True, slots=True)
class SourceFault:
    """The last thing that went wrong; `message` holds no credentials."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One moment of a live source.

    state_since_s: monotonic clock.
    fps_in, frames: good pictures that came in, per second over the last seconds, and in all.
    reconnects: how often the source was opened again, whether or not it then lasted until a picture.
    frame_age_s: since the last of them; None before the first.
    dropped: pictures that came in and were not handed over: `corrupt`, `out_of_order`, `rate`, `sink_full`; what the
    buffer drops is counted there.
    breaks: frames that do not follow on the one before, by reason.
    """

    state: StreamState
    state_since_s: float
    last_error: SourceFault | None = None
    fps_in: float = 0.0
    frames: int = 0
    frame_age_s: float | None = None
    reconnects: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    breaks: dict[BreakReason, int] = field(default_factory=dict)
