"""The values that flow from stage to stage: frozen, with shapes and units.

Time is media seconds from the source's timestamps. Pixels are those of the source frame after rotation
metadata, and after the turn that somebody set for a camera.
Empty is normal: no people gives arrays of length 0.
"""

from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from models.arrays import BoolArray, FloatArray, Image, IntArray
from pipelines.orientation import Orientation

PersonStatus = Literal["warming_up", "assessed", "none", "unknown", "not_assessable"]
NotAssessableReason = Literal[
    "occluded", "too_small", "low_fps", "edge_of_frame", "identity_uncertain", "camera_moved", "camera_rotated"
]
EventState = Literal["provisional", "confirmed", "ended", "retracted"]
ToldEnd = Literal["left", "lost", "merged"]
BreakEnd = Literal["scene_cut", "gap"]
TrackEnd = ToldEnd | BreakEnd
"""The last two: a break between two frames ended the track. Clients are told `lost`, and the break beside it."""
BreakReason = Literal["scene_cut", "gap", "clock_jump", "reconnect", "size_change"]
"""Why a frame does not follow on the one before: another picture altogether; no picture for longer than may be
interpolated; timestamps that jump to where they cannot lead; a new connection; pictures of another size."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture.

    index: 0-based position among the frames that the source delivered.
    time_s: media time in seconds, from the timestamps, never from a frame rate; never decreasing within a source.
    image: (H, W, 3) uint8 BGR, upright.
    wall_s: monotonic clock when the frame arrived, seconds; None for a file.
    break_reason: why this frame does not follow on the one before: nobody is followed, nothing is judged or
                  interpolated across. None for the next frame of the same scene, and for the first one.
    """

    index: int
    time_s: float
    image: Image
    wall_s: float | None = None
    break_reason: BreakReason | None = None

    @property
    def is_break(self) -> bool:
        """Whether a new scene or a new stretch of time begins with this frame."""
        return self.break_reason is not None

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return int(self.image.shape[1]), int(self.image.shape[0])


@dataclass(frozen=True, slots=True)
class NetworkId:
    """Which network it was: its name, and the sha256 of its weight file; both empty where nobody said.

    engine, precision: what computed it, such as `onnxruntime` in `float32`; it is the same network in another engine.
    """

    name: str = ""
    sha256: str = ""
    engine: str = field(default="", compare=False)
    precision: str = field(default="", compare=False)


UNNAMED = NetworkId()
"""A network that nobody named, such as a test's."""


@dataclass(frozen=True, slots=True)
class NetworksUsed:
    """Which networks made a result; detector and pose are the same where one network is both."""

    detector: NetworkId
    pose: NetworkId
    action: NetworkId


@dataclass(frozen=True, slots=True)
class Boxes:
    """Detected people in one frame.

    xyxy:  (N, 4) float32, left, top, right, bottom, in source-frame pixels.
    score: (N,) float32, 0..1.
    """

    xyxy: FloatArray
    score: FloatArray

    @staticmethod
    def empty() -> "Boxes":
        """No people."""
        return Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.xyxy)


Demand = Literal["nobody", "calm", "wary", "alert", "search"]
"""How soon and how closely the detector is wanted: calm while everybody is upright, wary while somebody leans or lies,
alert while people overlap, search while a track is missing."""
Outcome = Literal["seen", "low_presence", "wrong_identity", "duplicate", "unfound"]


@dataclass(frozen=True, slots=True)
class Tracks:
    """The people to be posed in one frame, before their joints are known.

    track_id:   (N,) int64, unique within the stream, never used again; ascending.
    xyxy:       (N, 4) float32, the matched detection, or else where the person is expected; source-frame pixels.
    score:      (N,) float32, the matched detection's score, 0 where none matched or the detector did not look.
    is_shown:   (N,) bool, proved to be a person; the others are still on trial.
    is_missing: (N,) bool, the joints were not seen in the last frame.
    is_crowded: (N,) bool, the box overlaps another person: whose joints are found needs proof.
    detected:   whether the detector looked at this frame.
    skipped:    people seen beyond the budget of tracks, not tracked.
    """

    track_id: IntArray
    xyxy: FloatArray
    score: FloatArray
    is_shown: BoolArray
    is_missing: BoolArray
    is_crowded: BoolArray
    detected: bool
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.track_id)


@dataclass(frozen=True, slots=True)
class Sightings:
    """What the pose stage found of each track in one frame, same order as its `Tracks`.

    keypoints: (N, V, 3) float32, in the layout of the pose estimator, pixels and score; of no meaning unless the
               outcome is `seen`.
    xyxy:      (N, 4) float32, the box around the joints, source-frame pixels.
    presence:  (N,) float32, 0..1, how sure the estimator is that a person is there.
    outcome:   per track: seen, low_presence, wrong_identity (somebody else's torso colour), duplicate (the body of
               another track), unfound (a new box in which no body was found).
    """

    frame_index: int
    time_s: float
    size_wh: tuple[int, int]
    track_id: IntArray
    keypoints: FloatArray
    xyxy: FloatArray
    presence: FloatArray
    outcome: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Poses:
    """Tracked people with their joints in one frame: only those whose joints were really seen in it.

    track_id:  (N,) int64, unique within the stream, never used again.
    keypoints: (N, V, 3) float32, in the order of `layout`, x and y in source-frame pixels, score 0..1 (visibility x
               presence, 0 outside the picture).
    xyxy:      (N, 4) float32, the person's box in source-frame pixels.
    score:     (N,) float32, 0..1, how sure it is that this is a person.
    reason:    one NotAssessableReason or None per person: why this frame must not be judged for that person.
    ended:     tracks that this frame closed, and why; only of people who had been shown.
    skipped:   people seen beyond the budget of tracks.
    layout:    name of the order of the joints.
    unposed:   (M, 4) float32, boxes of all who were found or are expected here beside them: on trial, out of sight,
               or too many; source-frame pixels. Nobody is named by it: it says where faces may be.
    is_looked: whether the detector looked at this frame.
    """

    frame_index: int
    time_s: float
    size_wh: tuple[int, int]
    track_id: IntArray
    keypoints: FloatArray
    xyxy: FloatArray
    score: FloatArray
    reason: tuple[NotAssessableReason | None, ...]
    ended: tuple[tuple[int, TrackEnd], ...] = ()
    skipped: int = 0
    layout: str = "coco17"
    unposed: FloatArray = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    is_looked: bool = True

    def __len__(self) -> int:
        return len(self.track_id)


@dataclass(frozen=True, slots=True)
class Window:
    """One person's last seconds, resampled to the action model's rate.

    keypoints: (T, V, 3) float32 in source-frame pixels and score, V those of the stream's layout.
    valid:     (T,) bool, False where no pose was seen and the gap was too long to interpolate.
    may_lie:   False while it cannot be told whether the person lies: only a part was ever seen (actions/lying.py).
    start_s, end_s: media seconds of the first and last sample.
    """

    track_id: int
    start_s: float
    end_s: float
    size_wh: tuple[int, int]
    keypoints: FloatArray
    valid: BoolArray
    may_lie: bool = True


@dataclass(frozen=True, slots=True)
class Withheld:
    """A person whose window must not be judged now, and why."""

    track_id: int
    time_s: float
    status: Literal["warming_up", "not_assessable"]
    reason: NotAssessableReason | None = None


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """What is due at one tick of the window grid; empty on the frames between two ticks.

    ready:    windows to judge, one per person.
    withheld: the other people of this frame.
    """

    ready: tuple[Window, ...] = ()
    withheld: tuple[Withheld, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionScores:
    """What the action model says of one window.

    probabilities: (K,) float32, calibrated, in the order of the model's labels; all zero unless status is `assessed`,
                   `none` or `unknown`.
    partner: track of the other person whom a model of pairs looked at; None where nobody was near, or one is judged
             alone.
    """

    track_id: int
    time_s: float
    probabilities: FloatArray
    status: PersonStatus
    reason: NotAssessableReason | None = None
    partner: int | None = None


@dataclass(frozen=True, slots=True)
class ActionState:
    """What is shown for one person now: the strongest action above its threshold, or why there is none.

    partner: as of the last answer, see `ActionScores`.
    """

    track_id: int
    time_s: float
    action: str | None
    score: float
    status: PersonStatus
    reason: NotAssessableReason | None = None
    partner: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One action of one person, from onset to offset: the schema of all that is said of events anywhere.

    event_id: stable across restarts: derived from the source, the track and the onset, never random per run.
    start_s, end_s: media seconds; end_s is the latest time seen so far until `state` is `ended`.
    score: the highest smoothed probability so far, 0..1.
    box: the person when the event last changed: left, top, right, bottom as shares of the frame, 0..1; None where
         nobody was seen.
    partner: track of the other person whom a model of pairs looked at last; None where there was none.
    """

    event_id: str
    track_id: int
    action: str
    state: EventState
    start_s: float
    end_s: float
    score: float
    box: tuple[float, float, float, float] | None
    partner: int | None = None


@dataclass(frozen=True, slots=True)
class FrameResult:
    """Everything the pipeline says of one frame; what sinks receive.

    states: one per person in `poses`, same order.
    events: the events that changed with this frame.
    latency_ms: stage name → milliseconds spent on this frame.
    is_interpolated: the frame was not analysed; boxes and joints are those of the analysed ones around it.
    """

    frame: Frame
    poses: Poses
    states: tuple[ActionState, ...]
    events: tuple[Event, ...]
    scores: tuple[ActionScores, ...] = ()
    latency_ms: dict[str, float] = field(default_factory=dict)
    is_interpolated: bool = False


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """One compressed picture as it came from a source, for evidence that is cut without re-encoding.

    time_s: media seconds of its picture, on the same line as `Frame.time_s`.
    pts, dts, duration: in units of `tick_s` seconds, as the source counts; None where it says nothing.
    """

    data: bytes
    time_s: float
    pts: int | None
    dts: int | None
    duration: int | None
    tick_s: float
    is_keyframe: bool


class PacketSink(Protocol):
    """Takes the compressed pictures of one source, from the source's own thread; must not block."""

    def begin(self, header: bytes) -> None:
        """A new connection: `header` is a NUT file of its first keyframe, which says all that a muxer must know."""

    def add(self, packet: EncodedPacket) -> None:
        """The next packet, in decoding order; the first after `begin` is a keyframe."""

    def orient(self, orientation: Orientation) -> None:
        """From now on the pictures are turned so when they are analysed; before it is called, not at all."""
