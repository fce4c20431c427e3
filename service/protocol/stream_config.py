"""Everything that is settled about a stream: what clients write, the database stores and a worker is given."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

from models.runtime.overrides import ActionOverride
from models.severity import Severity
from pipelines.addresses.schemes import CAMERA_SCHEMES
from pipelines.orientation import Rotation
from service.weekly import TimeZone

Name = Annotated[str, Field(min_length=1, max_length=64)]
Unit = Annotated[float, Field(ge=0, le=1)]
Tags = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=256)]], Field(max_length=20)
]


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("found true or false, expected 0, 90, 180 or 270")
    return value


DropPolicy = Literal["drop_oldest", "wait", "latest_only"]
Rotate = Annotated[
    Rotation,
    BeforeValidator(_no_bool),
    Field(description="Degrees clockwise by which pictures are turned upright, before all else."),
]
Mirror = Annotated[StrictBool, Field(description="Left and right are swapped, after the turn.")]
ActionOverrides = Annotated[
    dict[Name, ActionOverride],
    Field(max_length=1024, description="Action → what this camera wants otherwise than its action model."),
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Part):
    """Where the pictures come from."""

    uri: str = Field(
        min_length=1, max_length=4096,
        description=f"One of {', '.join(sorted(CAMERA_SCHEMES))}, as the settings allow: rtsp://host/path, webcam:0, "
        "or `push:` for frames over a WebSocket.",
    )  # fmt: skip
    transport: Literal["tcp", "udp"] = Field(default="tcp", description="RTSP only.")
    loop: StrictBool = Field(default=False, description="A file begins again at its end.")


class Analysis(_Part):
    """How often and how deeply the pictures are looked at."""

    fps: float = Field(default=15.0, ge=1, le=60, description="Frames per second that are analysed.")
    window_s: float | None = Field(default=None, gt=0, le=30, description="Must be the model's own; null takes it.")
    stride_s: float = Field(default=0.2, ge=0.05, le=5, description="Seconds between two judgements of one person.")
    max_persons: int = Field(default=10, ge=1, le=100, description="People followed at once; the smallest go.")
    model: str | None = Field(default=None, max_length=128, description="Action model; null: the active one.")
    detector: str | None = Field(
        default=None,
        max_length=128,
        description="Detector, by its name in `/v1/models`; one that also finds joints takes both places. Null: the "
        "active one.",
    )
    pose: str | None = Field(
        default=None,
        max_length=128,
        description="Pose estimator, likewise. Refused with `networks_full` when the workers hold as many as they may.",
    )


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
    severity: Severity | None = Field(default=None, description="Replaces the action's own.")


class Recording(_Part):
    """Evidence around events."""

    enabled: StrictBool = True
    min_severity: Severity = Field(
        default="warning",
        description="Severity of the action itself, as this camera has it, from which evidence is kept.",
    )
    pre_roll_s: float = Field(default=5.0, ge=0, le=30, description="Seconds before the event's start.")
    post_roll_s: float = Field(default=3.0, ge=0, le=30, description="Seconds after its end.")
    max_s: float = Field(default=60.0, ge=1, le=300, description="Longest clip; a longer event is cut.")


class Privacy(_Part):
    """What may leave the worker."""

    pictures: StrictBool = Field(default=True, description="False: no snapshot, preview or clip; skeletons only.")
    blur: StrictBool = Field(
        default=False,
        description="True: heads are made unrecognisable in snapshots, previews, clips and thumbnails; clips are then "
        "encoded again. Always so where ACTOGRAM_BLUR_FACES is true.",
    )


class StreamConfig(_Part):
    """Everything about a stream but its name."""

    source: Source
    analysis: Analysis = Analysis()
    drop_policy: DropPolicy = "drop_oldest"
    rotate: Rotate = 0
    mirror: Mirror = False
    actions: ActionOverrides = {}
    zones: list[ZoneSpec] = Field(default=[], max_length=50)
    rules: list[RuleSpec] = Field(default=[], max_length=50)
    recording: Recording = Recording()
    privacy: Privacy = Privacy()
    tags: Tags = {}
    time_zone: TimeZone | None = Field(default=None, description="By which hours of its rules count; null: UTC.")

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
