"""How the stream stages behave: every number with its range, its unit and its reason."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.errors import ConfigInvalid


class Section(BaseModel):
    """A group of settings: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
        default=0.6,
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


class StreamConfig(Section):
    """The whole stream: one section per stage."""

    window: WindowConfig = Field(default=WindowConfig(), description="Time windows.")
    smooth: SmoothConfig = Field(default=SmoothConfig(), description="Smoothing and hysteresis.")
    events: EventConfig = Field(default=EventConfig(), description="The event state machine.")


def load_config(values: Mapping[str, object]) -> StreamConfig:
    """The configuration that plain values name, defaults for the rest; raises ConfigInvalid."""
    try:
        return StreamConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigInvalid(f"{name}: {first['msg']}, found {first['input']!r}") from error
