"""What a training run is told: every number with its range, unit and reason; presets are TOML files of these."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from models.nets.stages import require_stages
from pipelines.errors import ConfigInvalid

PRESETS = Path(__file__).with_name("presets")


class Section(BaseModel):
    """A group of settings: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataConfig(Section):
    """Which sequences are learnt from, and how a batch mixes them."""

    sets: tuple[str, ...] = Field(default=(), description="Sets to learn from; empty takes every set of labels.toml.")
    leave_out: tuple[str, ...] = Field(default=(), description="Sets kept out whole, to be measured on.")
    split: int = Field(
        default=1, ge=1, le=10, description="Which split of the sets that have numbered ones; jhmdb14 has three."
    )
    validation_share: float = Field(
        default=0.15, gt=0, lt=0.5, description="Share of the people or videos of the training split kept for choices."
    )
    class_power: float = Field(
        default=0.2, ge=0, le=1, description="A class with n clips is drawn ~ n^power; 1 lets `none` swallow the new."
    )
    set_power: float = Field(
        default=0.5, ge=0, le=1, description="Within a class a set with n clips is drawn ~ n^power."
    )
    flat_share: float = Field(
        default=0.5, ge=0, le=1, description="Share of real 2D inside a class that has both; the rest is projected 3D."
    )
    fall_share: float = Field(
        default=0.08, ge=0, le=0.5, description="Share of a batch that is tipped over: synthetic falls and lying."
    )
    weak_share: float = Field(
        default=0.08, ge=0, le=0.5, description="Share of a batch that is only known not to be a fall."
    )

    @model_validator(mode="after")
    def _leaves_labelled(self) -> Self:
        if self.fall_share + self.weak_share >= 1:
            raise ValueError(
                f"fall_share {self.fall_share} and weak_share {self.weak_share} leave no room for labelled windows"
            )
        return self


class WindowConfig(Section):
    """What the network sees at once."""

    features: Literal["everyday13"] = Field(
        default="everyday13", description="Function of models/skeleton/features.py."
    )
    num_frames: int = Field(default=30, ge=8, le=300, description="Samples per window; two seconds at 15 Hz suffice.")
    rate_hz: float = Field(
        default=15.0, gt=0, le=60, description="Samples per second; 10 costs 2-4 points, 25 buys none."
    )

    @property
    def window_s(self) -> float:
        """Length of a window in seconds."""
        return self.num_frames / self.rate_hz


class AugmentConfig(Section):
    """What is varied because it must not matter."""

    speed: float = Field(default=1.35, ge=1, le=3, description="Windows play up to this much faster or slower.")
    low_rate_share: float = Field(default=0.3, ge=0, le=1, description="Share of windows seen by a slower camera.")
    low_rate_hz: float = Field(default=7.0, gt=0, le=15, description="Frames per second of the slowest such camera.")
    above_share: float = Field(
        default=0.4, ge=0, le=1, description="Share of virtual cameras that look down by 10 degrees or more."
    )
    elevation_deg: float = Field(default=50.0, ge=10, le=85, description="Steepest look down of a virtual camera.")
    noise: float = Field(
        default=0.012,
        ge=0,
        le=0.1,
        description="Most joint noise, share of body size; 0.06 drowned velocity (-11 points).",
    )
    wobble: float = Field(
        default=0.04,
        ge=0,
        le=0.2,
        description="Most noise of a badly seen joint, share of body size: below a visibility of 0.9 joints jitter "
        "two to three times as much, and a hidden arm must not become a wave.",
    )
    wobble_share: float = Field(
        default=0.0, ge=0, le=1, description="Share of windows with badly seen joints; 0.5 bought nothing measurable."
    )
    lost_joints_share: float = Field(default=0.25, ge=0, le=1, description="Share of windows that lose some joints.")
    lost_frames_share: float = Field(default=0.2, ge=0, le=1, description="Share of windows that lose some frames.")
    late_share: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="Share of windows whose person came into sight within them: serving judges from half a window on.",
    )
    edge_share: float = Field(default=0.1, ge=0, le=1, description="Share of windows cut by the picture's edge.")


class NetworkConfig(Section):
    """Which network and how large."""

    name: Literal["stgcn++", "tcn"] = Field(default="stgcn++", description="Its name in models/nets/build.py.")
    base_channels: int = Field(default=32, ge=8, le=256, description="Width of the first stage.")
    num_stages: int = Field(default=6, ge=1, le=12, description="Number of blocks.")
    inflate_stages: tuple[int, ...] = Field(default=(3, 5), description="Blocks, from 1, that double the width.")
    down_stages: tuple[int, ...] = Field(default=(3, 5), description="Blocks, from 1, that halve the frames.")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="Dropout inside the blocks.")

    @model_validator(mode="after")
    def _stages_exist(self) -> Self:
        require_stages(self.num_stages, inflate_stages=self.inflate_stages, down_stages=self.down_stages)
        return self

    @field_validator("name", mode="before")
    @classmethod
    def _known_name(cls, value: object) -> object:
        """Checkpoints and presets of version 0.1 spell ST-GCN++ as its module."""
        return "stgcn++" if value == "stgcnpp" else value


class OptimConfig(Section):
    """How the weights are found."""

    name: Literal["sgd", "adamw"] = Field(default="adamw", description="SGD with Nesterov momentum, or AdamW.")
    lr: float = Field(default=2e-3, gt=0, le=1, description="Peak learning rate; cosine to 0.")
    weight_decay: float = Field(default=0.01, ge=0, le=1, description="On weights, not on biases and norms.")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Of SGD.")
    batch_size: int = Field(default=128, ge=2, le=4096, description="Windows per step.")
    steps: int = Field(default=3000, ge=1, description="Steps in all.")
    warmup_steps: int = Field(default=200, ge=0, description="Steps over which the rate rises from 0.")
    ema: float = Field(
        default=0.998, ge=0, lt=1, description="Decay of the averaged weights that are kept; 0 keeps the raw."
    )
    label_smoothing: float = Field(default=0.1, ge=0, lt=1, description="Mass spread over the other labels.")
    clip_norm: float = Field(default=5.0, gt=0, description="Largest norm of the gradient.")

    @model_validator(mode="after")
    def _warms_up_in_time(self) -> Self:
        if self.warmup_steps > self.steps:
            raise ValueError(f"warmup_steps is {self.warmup_steps}, but steps is {self.steps}: it would never warm up")
        return self


class TrainConfig(Section):
    """One training run."""

    name: str = Field(
        default="everyday-stgcnpp", pattern=r"^[a-z0-9][a-z0-9-]*$", description="Name of the model made."
    )
    seed: int = Field(default=0, ge=0, description="Of every generator of the run.")
    threads: int = Field(default=1, ge=1, le=64, description="Threads of torch.")
    device: str = Field(default="cpu", description="cpu or cuda:0, ...")
    validate_steps: int = Field(default=500, ge=1, description="Steps between two looks at the validation part.")
    data: DataConfig = Field(default_factory=DataConfig, description="What is learnt from.")
    window: WindowConfig = Field(default_factory=WindowConfig, description="What the network sees at once.")
    augment: AugmentConfig = Field(default_factory=AugmentConfig, description="What is varied.")
    network: NetworkConfig = Field(default_factory=NetworkConfig, description="Which network.")
    optim: OptimConfig = Field(default_factory=OptimConfig, description="How its weights are found.")


def load_config(preset: str, overrides: dict[str, str] | None = None) -> TrainConfig:
    """A preset by name or by path of a TOML file, with dotted overrides (`optim.steps=100`); raises ConfigInvalid."""
    path = Path(preset) if preset.endswith(".toml") else PRESETS / f"{preset}.toml"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in PRESETS.glob("*.toml")))
        raise ConfigInvalid(f"preset {preset!r} does not exist; available: {names}")
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as cause:
        raise ConfigInvalid(f"{path.name}: {cause}") from cause
    return parse_config(apply_overrides(raw, overrides or {}), path.name)


def apply_overrides(raw: dict[str, object], overrides: Mapping[str, str]) -> dict[str, object]:
    """Settings with dotted keys (`optim.lr`) replaced, values as in TOML; raises ConfigInvalid for no section."""
    for key, value in overrides.items():
        _set(raw, key.split("."), _value(value))
    return raw


def parse_config(raw: dict[str, object], name: str) -> TrainConfig:
    """Validate settings; raises ConfigInvalid that names the key, or both values of a contradiction."""
    try:
        return TrainConfig.model_validate(raw)
    except ValidationError as cause:
        raise refusal(name, cause) from cause


def refusal(where: str, cause: ValidationError) -> ConfigInvalid:
    """The first thing that is wrong with the settings of `where`: its key, and what was expected."""
    first = cause.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    prefix = f"{where}: {key}: " if key else f"{where}: "
    if first["type"] == "value_error":
        return ConfigInvalid(f"{prefix}{first['ctx']['error']}")
    if first["type"] == "missing":
        return ConfigInvalid(f"{prefix}is not given, and has no default")
    return ConfigInvalid(f"{prefix}{first['msg']} (got {first.get('input')!r})")


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _set(raw: dict[str, object], keys: list[str], value: object) -> None:
    for key in keys[:-1]:
        inner = raw.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ConfigInvalid(f"{'.'.join(keys)}: {key!r} is not a section")
        raw = inner
    raw[keys[-1]] = value
