"""The contract of an action model: what `model.json` says of the weights beside it, trained here or imported."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.errors import ContractMismatch, WeightsCorrupt, WeightsMissing
from models.severity import Severity
from models.skeleton.layouts import require_layout

NONE_LABEL = "none"
"""The trained class of everything that is no action of the set."""

Features: TypeAlias = Literal["everyday13", "pyskl-2d", "pyskl-3d", "heatmap", "rgbpose"]
"""How keypoints become the network's input: our own features, or the reference implementation's."""
Stream: TypeAlias = Literal["joint", "bone", "joint_motion", "bone_motion", "limb"]
"""What the network sees of a body."""
Sampling: TypeAlias = Literal["resample", "uniform"]
"""Whether the network takes every sample of the window, or frames drawn uniformly from it."""
Normalise: TypeAlias = Literal["fixed", "auto"]
"""Whether pixels become -1..1 of the picture, or of what the keypoints cover (where that is more than ten)."""

_STREAMS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "everyday13": frozenset({"joint"}),
        "pyskl-2d": frozenset({"joint", "bone", "joint_motion", "bone_motion"}),
        "pyskl-3d": frozenset({"joint", "bone", "joint_motion", "bone_motion"}),
        "heatmap": frozenset({"joint", "limb"}),
        "rgbpose": frozenset({"joint"}),
    }
)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ActionRule(_Part):
    """When one action's probability becomes an event, chosen on held-out tracks after the training."""

    threshold: float = Field(ge=0, le=1, description="Smoothed probability at which an event begins.")
    offset_threshold: float = Field(ge=0, le=1, description="Smoothed probability below which it stops.")
    min_duration_s: float = Field(ge=0, description="Seconds above the thresholds before it is confirmed.")
    merge_gap_s: float = Field(ge=0, description="Longest pause in seconds inside one event.")
    quality: Literal["solid", "experimental"] = Field(description="How well it is known, by measurement.")
    severity: Severity = Field(description="How urgent it is.")


class UnknownRule(_Part):
    """When a window is none of the labels: too little probability, or too much energy (Liu et al. 2020)."""

    method: Literal["max_probability", "energy", "off"] = Field(description="What is compared with the threshold.")
    threshold: float = Field(description="Below this probability, or above this energy, the answer is unknown.")


class FamilyRule(_Part):
    """When an answer is sure of a family of labels that are easily taken for one another, and not of its member."""

    labels: tuple[str, ...] = Field(min_length=2, description="The members.")
    threshold: float = Field(ge=0, le=1, description="Smoothed probability of the family from which the rule holds.")
    share: float = Field(ge=0, le=1, description="Part of it that one member needs; with less the answer is unknown.")


class TensorSpec(_Part):
    """One input of the network; a name or -1 in `shape` stands for a free axis."""

    name: str
    shape: tuple[int | str, ...]
    dtype: str


class MemberSpec(_Part):
    """One model of a fusion."""

    folder: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", description="Its folder, inside the fusion's own.")
    weight: float = Field(gt=0, description="Its share in the mean of the probabilities, relative to the others'.")


class ActionContract(_Part):
    """What `model.json` says of the weights beside it.

    num_frames: frames that the network gets. num_samples: of the window, at `rate_hz`; equal unless `sampling` is
    uniform. families: name → labels of which an unsure one is unknown. members: of a fusion, which has no network of
    its own. defaults: fields that neither a training nor a checkpoint settled, but the table in docs/models.md.
    """

    name: str
    task: Literal["action"]
    network: str
    layout: str
    features: Features
    stream: Stream = "joint"
    normalise: Normalise = "fixed"
    num_persons: int = Field(default=1, ge=1, le=16)
    window_s: float = Field(gt=0, le=30)
    rate_hz: float = Field(gt=0, le=60)
    num_frames: int = Field(ge=1, le=1800)
    sampling: Sampling = "resample"
    inputs: tuple[TensorSpec, ...] = Field(max_length=2)
    outputs: tuple[str, ...]
    labels: tuple[str, ...] = Field(min_length=1)
    temperature: float = Field(default=1.0, gt=0)
    unknown: UnknownRule
    actions: dict[str, ActionRule]
    families: dict[str, FamilyRule] = Field(default_factory=dict)
    members: tuple[MemberSpec, ...] = ()
    is_continual: bool = False
    defaults: tuple[str, ...] = ()
    sha256: str

    @property
    def num_samples(self) -> int:
        """Samples of a window at `rate_hz`."""
        return round(self.window_s * self.rate_hz)

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        without_rule = sorted(set(self.labels) - {NONE_LABEL} - set(self.actions))
        if without_rule:
            raise ValueError(f"labels without a rule in `actions`: {', '.join(without_rule)}")
        twice = sorted({label for label in self.labels if self.labels.count(label) > 1})
        if twice:
            raise ValueError(f"labels that occur twice: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _families_agree(self) -> Self:
        strange = sorted({label for rule in self.families.values() for label in rule.labels} - set(self.labels))
        if strange:
            raise ValueError(f"families of labels that it does not know: {', '.join(strange)}")
        return self

    @model_validator(mode="after")
    def _frames_agree(self) -> Self:
        if self.num_samples < 1:
            raise ValueError(f"window_s {self.window_s:g} x rate_hz {self.rate_hz:g} is less than one sample")
        if self.sampling == "resample" and self.num_samples != self.num_frames:
            raise ValueError(f"num_frames {self.num_frames} is not window_s {self.window_s} x rate_hz {self.rate_hz}")
        return self

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if self.members:
            return self
        if not self.inputs or not self.outputs:
            raise ValueError("a model without members needs at least one input and one output")
        allowed = _STREAMS[self.features]
        if self.stream not in allowed:
            raise ValueError(
                f"stream {self.stream!r} does not go with features {self.features!r}, "
                f"expected {' or '.join(sorted(allowed))}"
            )
        if self.is_continual and (self.features, self.normalise) != ("pyskl-2d", "fixed"):
            raise ValueError("a continual network takes pyskl-2d features, normalised by the size of the picture")
        if self.is_continual and self.stream not in {"joint", "bone"}:
            raise ValueError(f"a continual network sees one frame at a time, and {self.stream} needs two")
        return self


def load_contract(path: Path) -> ActionContract:
    """The contract of a model folder's `model.json`; raises WeightsMissing, ContractMismatch or LayoutUnknown."""
    try:
        contract = ActionContract.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise WeightsMissing(
            f"{path}: no such file; an action model is a folder with model.json and model.onnx"
        ) from error
    except OSError as error:
        raise WeightsMissing(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "model.json"
        raise ContractMismatch(f"{path}: {where}: {first['msg']}{_advice(where)}") from error
    require_layout(contract.layout)
    return contract


def verify_weights(contract: ActionContract, path: Path) -> None:
    """Compare a weight file with its contract before anything opens it; raises WeightsMissing or WeightsCorrupt."""
    if not path.is_file():
        raise WeightsMissing(f"{path}: no such file, though {contract.name} names it")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != contract.sha256:
        raise WeightsCorrupt(f"{path.name}: sha256 {found[:12]}, {contract.name} says {contract.sha256[:12]}")


def members_sha256(members: Sequence[MemberSpec], hashes: Sequence[str]) -> str:
    """The hash of a fusion: of its members' weight files and shares."""
    parts = [f"{member.folder} {member.weight:g} {sha256}" for member, sha256 in zip(members, hashes, strict=True)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def verify_members(contract: ActionContract, members: Sequence[ActionContract]) -> None:
    """Compare the members of a fusion with what it was made of; raises WeightsCorrupt."""
    found = members_sha256(contract.members, [member.sha256 for member in members])
    if found != contract.sha256:
        raise WeightsCorrupt(f"{contract.name}: its members have sha256 {found[:12]}, it says {contract.sha256[:12]}")


def _advice(field: str) -> str:
    """What helps a folder that an earlier version imported, which said less than serving needs."""
    is_old = field in {"features", "window_s", "rate_hz", "unknown", "actions"}
    return "; if an earlier version imported this folder, import the checkpoint again" if is_old else ""
