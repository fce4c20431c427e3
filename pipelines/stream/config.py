"""How the stream stages behave: every number with its range, its unit and its reason."""

from pydantic import BaseModel, ConfigDict, Field

from models.runtime.overrides import ActionOverride


class Section(BaseModel):
    """A group of settings: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DetectConfig(Section):
    """When the detector is asked and which of its boxes count."""

    period_s: float = Field(
        default=0.2,
        ge=0,
        le=5,
        description="Seconds between two detections while all is calm; poses carry tracks in between.",
    )
    alert_period_s: float = Field(
        default=0.1,
        ge=0,
        le=5,
        description="Seconds between two while a track is missing or people overlap.",
    )
    look_period_s: float = Field(
        default=1.0,
        ge=0,
        le=10,
        description="Seconds between two detections at full input size while everybody is upright or nobody is there: "
        "how long somebody small may stay unseen. Otherwise `period_s`. Those between see a smaller picture.",
    )
    still_period_s: float = Field(
        default=0.5,
        ge=0,
        le=5,
        description="Seconds between two detections while nobody is there and nothing moves, at most `look_period_s`.",
    )
    min_score: float = Field(
        default=0.15, ge=0, le=1, description="Weakest box kept, 0..1; lying people are found at 0.15-0.45 only."
    )
    min_area: float = Field(
        default=0.0012,
        ge=0,
        le=1,
        description="Smallest box kept, share of the picture's area; smaller ones are noise.",
    )


class TrackConfig(Section):
    """How boxes become tracks, and when tracks begin and end."""

    max_persons: int = Field(
        default=16,
        ge=1,
        le=256,
        description="People tracked at once, the largest first; each costs a landmark call per frame.",
    )
    high_score: float = Field(default=0.5, ge=0, le=1, description="Boxes from here on are matched first (ByteTrack).")
    start_score: float = Field(default=0.3, ge=0, le=1, description="Weakest box that may start a track, 0..1.")
    strong_score: float = Field(
        default=0.6, ge=0, le=1, description="A box from here on is always tried and soon confirmed, 0..1."
    )
    min_match: float = Field(
        default=0.2, gt=0, le=1, description="Least overlap (IoU) between an expected box and a detected one."
    )
    weak_start_height: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="A box under high_score starts a track only if longer than this share of the height.",
    )
    confirm_strong_s: float = Field(
        default=0.25, ge=0, le=10, description="Seconds until a track with a strong box is shown."
    )
    confirm_weak_s: float = Field(
        default=1.0, ge=0, le=10, description="Seconds until a track with weak boxes only is shown."
    )
    tentative_s: float = Field(
        default=2.0, gt=0, le=30, description="Seconds after which an unconfirmed track is given up."
    )
    max_jitter: float = Field(
        default=0.03,
        gt=0,
        le=1,
        description="Most jitter of a weak track's joints, share of its size; furniture trembles more.",
    )
    missing_s: float = Field(default=1.0, gt=0, le=30, description="Seconds without joints after which a track ends.")
    max_starts: int = Field(
        default=4, ge=1, le=64, description="New people tried per frame; more wait for the next detection."
    )
    min_height_px: float = Field(
        default=50.0, ge=0, le=1000, description="People smaller than this many source pixels are not assessable."
    )
    boxless_s: float = Field(
        default=1.1, gt=0, le=60, description="Seconds without any box after which a track of doubtful presence ends."
    )
    boxless_sure_s: float = Field(
        default=10.0, gt=0, le=600, description="Seconds without any box after which any track ends."
    )
    rejected_s: float = Field(
        default=6.0, ge=0, le=60, description="Seconds for which a weak box that was no person is not tried again."
    )


class PoseConfig(Section):
    """How joints are followed from frame to frame, and when another rotation is tried."""

    start_presence: float = Field(
        default=0.6, ge=0, le=1, description="Least presence of a new or re-found body, 0..1."
    )
    start_visibility: float = Field(
        default=0.5, ge=0, le=1, description="Least mean joint visibility of a new body, 0..1."
    )
    min_presence: float = Field(
        default=0.5, ge=0, le=1, description="Below this presence a followed person is missing, 0..1."
    )
    upright_score: float = Field(
        default=0.75, ge=0, le=1, description="A tall box from here on starts upright, without trying rotations, 0..1."
    )
    recheck_evidence: float = Field(
        default=7.5, ge=-6, le=10, description="Below this logit(presence) + 4 x visibility other rotations are tried."
    )
    replace_margin: float = Field(
        default=1.5,
        ge=0,
        le=20,
        description="How much better (selection score) another rotation must be to replace the present.",
    )
    torso_distance: float = Field(
        default=0.55,
        ge=0,
        le=1,
        description="Hellinger distance of torso colours from which, in a crowd, it is somebody else.",
    )
    duplicate_distance: float = Field(
        default=0.08,
        ge=0,
        le=1,
        description="Two tracks whose joints lie this close (share of size, median) are one body.",
    )


class CameraConfig(Section):
    """When people cannot be judged because the camera moves."""

    span_s: float = Field(default=0.5, gt=0, le=4, description="Seconds over which the camera's motion is added up.")
    max_shift: float = Field(
        default=0.1,
        gt=0,
        le=10,
        description="How far the camera may carry a resting body in that time, share of the body's longer side.",
    )


class WindowConfig(Section):
    """How a person's last seconds become one input of the action model."""

    stride_s: float = Field(
        default=0.2, gt=0, le=2.0, description="Seconds between two windows; less reacts sooner and costs more."
    )
    min_observed_s: float = Field(
        default=1.0,
        ge=0.2,
        le=4.0,
        description="Seconds a person must have been followed before the first window: half a window, so that what "
        "is held before the first sight never outweighs what was seen.",
    )
    max_gap_s: float = Field(
        default=0.5,
        ge=0,
        le=2.0,
        description="Longest gap that is interpolated; a longer one stays empty and freezes the state.",
    )
    min_valid: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of the samples since the first sight that must be known; with less the person is occluded.",
    )
    max_flagged: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of the observations that the pose stage may flag; with more the window takes their reason.",
    )
    max_unproved: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="Share of the observations in which a person cut by the picture's edge was never yet seen whole or "
        "upright; with more the window is not judged as lying or falling.",
    )
    min_rate_hz: float = Field(
        default=5.0, gt=0, le=30, description="Frames per second below which motion is not assessable: `low_fps`."
    )
    max_rate_hz: float = Field(
        default=60.0,
        ge=15,
        le=240,
        description="Observations kept per second and person: the bound of the buffer at 240 fps.",
    )


class SmoothConfig(Section):
    """How single windows become a steady label."""

    mean_s: float = Field(
        default=0.6, ge=0, le=4.0, description="Seconds of windows that are averaged: three at the usual stride."
    )
    margin: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="How much stronger another action must be to replace the shown one: stops flicker.",
    )
    hold_s: float = Field(
        default=2.0,
        ge=0,
        le=30,
        description="Seconds after which the memory of a person who cannot be judged is cleared.",
    )


class EventConfig(Section):
    """How labels become events; thresholds and durations come from the action model."""

    update_s: float = Field(
        default=1.0, gt=0, le=60, description="Media seconds between two updates of an event that goes on."
    )
    freeze_s: float = Field(
        default=2.0,
        ge=0,
        le=60,
        description="Seconds that an event waits for a person who cannot be judged before it ends.",
    )


class PipelineConfig(Section):
    """The whole stream: one section per stage."""

    detect: DetectConfig = Field(default=DetectConfig(), description="When people are looked for.")
    track: TrackConfig = Field(default=TrackConfig(), description="How people keep their number.")
    pose: PoseConfig = Field(default=PoseConfig(), description="How joints are followed.")
    camera: CameraConfig = Field(default=CameraConfig(), description="What a moving camera forbids.")
    window: WindowConfig = Field(default=WindowConfig(), description="Time windows.")
    smooth: SmoothConfig = Field(default=SmoothConfig(), description="Smoothing and hysteresis.")
    events: EventConfig = Field(default=EventConfig(), description="The event state machine.")
    actions: dict[str, ActionOverride] = Field(
        default={}, description="Thresholds and durations of single actions, instead of the action model's own."
    )
