"""The sections of a recipe: every choice of a training run with its range, unit and reason."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.skeleton.reference.features import LAYOUTS_3D

Features = Literal["everyday13", "pyskl-2d", "pyskl-3d", "heatmap", "rgbpose"]
Stream = Literal["joint", "bone", "joint_motion", "bone_motion", "limb"]
LossName = Literal["cross_entropy", "focal", "soft_margin_focal", "pseudo_multi_task", "stf", "masked_joints"]
"""Layouts whose third value is depth; of all others it is a score."""


class Section(BaseModel):
    """A group of settings: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataSection(Section):
    """What is learnt from and measured on."""

    sets: tuple[str, ...] = Field(min_length=1, description="Names in the folders of --data, or paths of files.")
    train: str = Field(default="train", description="Split that is learnt from.")
    validation: str = Field(default="", description="Split that choices are made on; empty takes a share of `train`.")
    test: str = Field(default="test", description="Split that is reported; empty reports on the validation part.")
    validation_share: float = Field(
        default=0.15, ge=0, lt=0.5, description="Share of the training split kept for choices; 0 keeps none."
    )
    group: str = Field(
        default="", description="Field that tells people or videos apart, so that none is on both sides; empty: none."
    )
    train_share: float = Field(
        default=1.0, gt=0, le=1, description="Share of each class that is learnt from, for studies of scarce labels."
    )
    classes: Literal["own", "everyday"] = Field(
        default="own", description="The sets' own classes, or what labels.toml says that they mean."
    )
    labels: tuple[str, ...] = Field(default=(), description="Names of the classes where the files give none.")
    num_classes: int = Field(
        default=0, ge=0, description="Number of classes where the files give no names; 0: counted."
    )
    class_power: float = Field(
        default=1.0, ge=0, le=1, description="A class with n sequences is drawn ~ n^power: 1 as it is, 0 all alike."
    )
    videos: str = Field(default="", description="Folder of the videos that pictures are cut from; for rgbpose only.")


class InputSection(Section):
    """What the network sees at once."""

    features: Features = Field(description="What is made of the joints.")
    layout: str = Field(description="Joints, by the name of a layout; sets are mapped to it by the names of joints.")
    stream: Stream = Field(default="joint", description="Which of the four streams, or limbs of heatmaps.")
    num_frames: int = Field(default=100, ge=2, le=600, description="Samples that the network gets.")
    num_persons: int = Field(default=1, ge=1, le=10, description="People of a sequence that are seen.")
    rate_hz: float = Field(default=15.0, gt=0, le=60, description="Samples per second; for everyday13 only.")
    window_s: float = Field(
        default=0, ge=0, le=10, description="Seconds that are served at once; 0: the sequences' median length."
    )
    normalise: Literal["fixed", "auto"] = Field(
        default="fixed", description="2D by the picture's size, or by what the joints cover."
    )
    side: int = Field(default=56, ge=16, le=128, description="Pixels of a heatmap's side in training and export.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        allowed = _STREAMS[self.features]
        if self.stream not in allowed:
            raise ValueError(
                f"stream {self.stream!r} does not go with features {self.features!r}: {', '.join(allowed)}"
            )
        is_3d = self.layout in LAYOUTS_3D
        if (self.features == "pyskl-3d") != is_3d:
            raise ValueError(
                f"features {self.features!r} do not go with layout {self.layout!r}, whose joints are "
                f"{'3D' if is_3d else '2D'}"
            )
        if self.features == "everyday13" and (self.layout != "coco17" or self.num_persons != 1):
            raise ValueError("features 'everyday13' take layout 'coco17' and num_persons 1")
        if self.features == "rgbpose" and self.num_frames % 4:
            raise ValueError(f"num_frames {self.num_frames} is not a multiple of 4, as features 'rgbpose' need")
        return self


_FOUR: tuple[Stream, ...] = ("joint", "bone", "joint_motion", "bone_motion")
_STREAMS: dict[Features, tuple[Stream, ...]] = {
    "everyday13": ("joint",), "pyskl-2d": _FOUR, "pyskl-3d": _FOUR, "heatmap": ("joint", "limb"), "rgbpose": ("joint",),
}  # fmt: skip


_MOST_TILT_DEG = 15.0


class AugmentSection(Section):
    """What is varied in training because it must not matter."""

    kept: tuple[float, float] = Field(
        default=(1.0, 1.0), description="Least and greatest share of a sequence that a clip is taken from."
    )
    mirror: float = Field(default=0.0, ge=0, le=1, description="Share of sequences seen in a mirror.")
    rotate_deg: float = Field(
        default=0.0, ge=0, le=180, description="Greatest turn about each axis (2D: in the plane)."
    )
    scale: float = Field(default=0.0, ge=0, lt=1, description="Bodies grow or shrink by up to this share, per axis.")
    shear: float = Field(default=0.0, ge=0, lt=1, description="Greatest shear of the coordinates.")
    noise: float = Field(default=0.0, ge=0, le=0.2, description="Deviation of joints, as a share of the body's spread.")
    drop_joint: float = Field(
        default=0.0, ge=0, le=1, description="Chance that a frame loses one joint: robust training."
    )
    crop_area: tuple[float, float] = Field(
        default=(0.56, 1.0), description="Least and greatest share of the picture that a crop keeps; for heatmaps."
    )
    mixup: float = Field(default=0.0, ge=0, le=1, description="Alpha of mixup's beta distribution; 0 mixes nothing.")

    def flat(self) -> Self:
        """The same for a body that was turned in space before it was seen: no turn in the picture on top."""
        return self.model_copy(update={"rotate_deg": min(self.rotate_deg, _MOST_TILT_DEG)})

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for key in ("kept", "crop_area"):
            low, high = getattr(self, key)
            if not 0 < low <= high <= 1:
                raise ValueError(f"{key} is {[low, high]}, expected 0 < least <= greatest <= 1")
        return self


class NetworkSection(Section):
    """Which network."""

    name: str = Field(description="Its name in models/nets/build.py.")
    options: dict[str, object] = Field(default_factory=dict, description="Its own options; the rest is the paper's.")
    init: str = Field(default="", description="Checkpoint to begin from: a run, its file, or one of PYSKL's.")
    freeze: Literal["none", "backbone"] = Field(default="none", description="`backbone` learns the classifier alone.")


class LossSection(Section):
    """What is minimised."""

    name: LossName = Field(
        default="cross_entropy",
        description="`pseudo_multi_task` is SLnL's, `stf` STF's; `masked_joints` needs no labels.",
    )
    smoothing: float = Field(default=0.0, ge=0, lt=1, description="Mass spread over the other labels.")
    gamma: float = Field(default=2.0, ge=0, le=10, description="Of the focal losses: how little easy samples count.")
    margin: float = Field(default=0.4, ge=0, le=5, description="Of the soft-margin losses.")
    hidden: float = Field(default=0.4, gt=0, lt=1, description="Pretraining: share of the joints that are hidden.")
    exploration: float = Field(default=0.1, ge=0, description="STF: weight of the step that hides what was looked at.")
    divergence: float = Field(default=0.1, ge=0, description="STF: the two likeliest classes look elsewhere.")
    graph: float = Field(default=0.1, ge=0, description="STF: the instance's graph agrees with the focus.")
    consistency: float = Field(default=0.1, ge=0, description="STF: neighbouring modules look at the same.")

    @model_validator(mode="after")
    def _smooths_what_it_can(self) -> Self:
        if self.smoothing and self.name != "cross_entropy":
            raise ValueError(f"smoothing {self.smoothing} goes with cross_entropy only, name is {self.name!r}")
        return self


class OptimSection(Section):
    """How the weights are found. The length is in passes over the training part or in steps; one of the two."""

    name: Literal["sgd", "adamw"] = Field(default="sgd", description="SGD with Nesterov momentum, or AdamW.")
    lr: float = Field(default=0.1, gt=0, le=10, description="Peak learning rate.")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Of SGD.")
    weight_decay: float = Field(default=5e-4, ge=0, le=1, description="Of every parameter, as in PYSKL.")
    decay_all: bool = Field(default=True, description="Also of biases, norms and learnt graphs.")
    batch_size: int = Field(default=128, ge=1, le=8192, description="Sequences per step, over all processes.")
    passes: int = Field(default=0, ge=0, le=10000, description="Passes over the training part.")
    steps: int = Field(default=0, ge=0, description="Steps in all.")
    repeat: int = Field(default=1, ge=1, le=100, description="How often a pass sees each sequence.")
    schedule: Literal["cosine", "step", "constant"] = Field(default="cosine", description="Cosine to 0, or in steps.")
    warmup: int = Field(default=0, ge=0, description="Passes, or steps, over which the rate rises from 0.")
    milestones: tuple[int, ...] = Field(default=(), description="Passes, or steps, at which the rate falls.")
    gamma: float = Field(default=0.1, gt=0, lt=1, description="What the rate is multiplied by at a milestone.")
    clip_norm: float = Field(default=0.0, ge=0, description="Largest norm of the gradient; 0 does not clip.")
    ema: float = Field(default=0.0, ge=0, lt=1, description="Decay of averaged weights, which are measured; 0: none.")

    @model_validator(mode="after")
    def _has_one_length(self) -> Self:
        if bool(self.passes) == bool(self.steps):
            raise ValueError(f"passes is {self.passes} and steps is {self.steps}: give one of the two")
        if self.warmup > (self.passes or self.steps):
            raise ValueError(f"warmup is {self.warmup}, but the run has {self.passes or self.steps}")
        if self.milestones and self.schedule != "step":
            raise ValueError(f"milestones go with schedule 'step', schedule is {self.schedule!r}")
        return self


class TestSection(Section):
    """How it is measured."""

    clips: int = Field(default=1, ge=1, le=100, description="Clips per sequence whose probabilities are averaged.")
    flip: bool = Field(default=False, description="Each clip is also seen in a mirror.")
    side: int = Field(default=0, ge=0, le=128, description="Pixels of a heatmap's side at test; 0: as in training.")


class RunSection(Section):
    """Where and how it runs; none of it changes what is learnt, but for precision."""

    device: str = Field(default="cpu", description="cpu, cuda, or cuda:N; under torchrun each process takes its own.")
    precision: Literal["fp32", "bf16"] = Field(default="fp32", description="bf16 computes under autocast.")
    compile: bool = Field(default=False, description="Compile the network (torch.compile).")
    deterministic: bool = Field(default=False, description="Refuse operators that may differ from run to run.")
    threads: int = Field(default=1, ge=1, le=128, description="Threads of torch.")
    workers: int = Field(
        default=1, ge=0, le=64, description="Batches made ahead, each by a thread; 0 makes none ahead."
    )
    look_every: int = Field(default=1, ge=1, description="Passes, or steps, between two looks at the validation part.")
    patience: int = Field(default=0, ge=0, description="Looks without a better one before the run stops; 0: never.")
    tensorboard: bool = Field(default=False, description="Also write curves for TensorBoard (package tensorboard).")
