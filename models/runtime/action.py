"""The action model: windows of keypoints in, calibrated probabilities out, by the contract beside its weights."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.arrays import AnyArray, BoolArray, FloatArray
from models.errors import ContractMismatch, WeightsCorrupt, WeightsMissing
from models.severity import Severity
from models.skeleton.features import require_features
from models.skeleton.layouts import require_layout

NONE_LABEL = "none"
"""The trained class of everything that is no action of the set."""


class Network(Protocol):
    """Anything that maps named inputs to named outputs, such as an ONNX session."""

    def run(self, feeds: Mapping[str, AnyArray]) -> Mapping[str, AnyArray]:
        """The outputs for one batch."""
        ...


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


class TensorSpec(_Part):
    """One input of the network; a name or -1 in `shape` stands for a free axis."""

    name: str
    shape: tuple[int | str, ...]
    dtype: str


class ActionContract(_Part):
    """What `model.json` says of the weights beside it."""

    name: str
    task: Literal["action"]
    network: str
    layout: str
    features: str
    window_s: float = Field(gt=0, le=10)
    rate_hz: float = Field(gt=0, le=60)
    num_frames: int = Field(ge=2, le=600)
    inputs: tuple[TensorSpec, ...] = Field(min_length=1, max_length=1)
    outputs: tuple[str, ...] = Field(min_length=1)
    labels: tuple[str, ...] = Field(min_length=1)
    temperature: float = Field(gt=0)
    unknown: UnknownRule
    actions: dict[str, ActionRule]
    sha256: str

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        without_rule = sorted(set(self.labels) - {NONE_LABEL} - set(self.actions))
        if without_rule:
            raise ValueError(f"labels without a rule in `actions`: {', '.join(without_rule)}")
        if round(self.window_s * self.rate_hz) != self.num_frames:
            raise ValueError(f"num_frames {self.num_frames} is not window_s {self.window_s} x rate_hz {self.rate_hz}")
        return self


def load_contract(path: Path) -> ActionContract:
    """The contract of a model folder's `model.json`; raises WeightsMissing or ContractMismatch."""
    try:
        contract = ActionContract.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise WeightsMissing(
            f"{path}: no such file; an action model is a folder with model.json and model.onnx"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "model.json"
        raise ContractMismatch(f"{path}: {where}: {first['msg']}") from error
    require_layout(contract.layout)
    require_features(contract.features)
    return contract


def verify_weights(contract: ActionContract, path: Path) -> None:
    """Compare a weight file with its contract before anything opens it; raises WeightsMissing or WeightsCorrupt."""
    if not path.is_file():
        raise WeightsMissing(f"{path}: no such file, though {contract.name} names it")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != contract.sha256:
        raise WeightsCorrupt(f"{path.name}: sha256 {found[:12]}, {contract.name} says {contract.sha256[:12]}")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the model says of a batch of windows.

    probabilities: (B, K) float32, calibrated, rows sum to 1.
    is_unknown:    (B,) bool, True where the open-set rule refuses the window.
    """

    probabilities: FloatArray
    is_unknown: BoolArray


class ActionModel:
    """Features, network, temperature and open-set rule, for windows of many people at once."""

    def __init__(self, contract: ActionContract, network: Network) -> None:
        self.contract = contract
        self._network = network
        self._features = require_features(contract.features)

    @property
    def labels(self) -> tuple[str, ...]:
        """(K,) the names of the probabilities."""
        return self.contract.labels

    def __call__(self, keypoints: FloatArray, valid: BoolArray) -> FloatArray:
        """(B, K) calibrated probabilities of windows; see `judge`."""
        return self.judge(keypoints, valid).probabilities

    def judge(self, keypoints: FloatArray, valid: BoolArray) -> Judgement:
        """Probabilities, and whether each window is like anything that was trained.

        keypoints: (B, T, 17, 3) pixels and score; valid: (B, T) bool. B may be 0. Raises ContractMismatch.
        """
        B, T = valid.shape
        if self.contract.num_frames != T:
            raise ContractMismatch(
                f"{self.contract.name}: a window has {T} samples, expected {self.contract.num_frames}"
            )
        if B == 0:
            return Judgement(np.zeros((0, len(self.labels)), np.float32), np.zeros(0, np.bool_))
        logits = self._logits(self._features(keypoints, valid)) / self.contract.temperature
        probabilities = _softmax(logits)
        return Judgement(probabilities, self._is_unknown(logits, probabilities))

    def _logits(self, features: FloatArray) -> FloatArray:
        """(B, K) from (B, T, V, C); a network that tells people apart gets one person per window."""
        spec = self.contract.inputs[0]
        batch = features[:, None] if len(spec.shape) == features.ndim + 1 else features
        logits = self._network.run({spec.name: batch})[self.contract.outputs[0]]
        expected = (len(features), len(self.labels))
        if logits.shape != expected:
            raise ContractMismatch(f"{self.contract.name}: logits are {logits.shape}, expected {expected}")
        return logits

    def _is_unknown(self, scaled: FloatArray, probabilities: FloatArray) -> BoolArray:
        rule = self.contract.unknown
        refused: BoolArray = np.zeros(len(probabilities), np.bool_)
        if rule.method == "max_probability":
            refused = np.less(probabilities.max(axis=1), rule.threshold)
        elif rule.method == "energy":
            refused = np.greater(-self.contract.temperature * _logsumexp(scaled), rule.threshold)
        return refused


def _logsumexp(values: FloatArray) -> FloatArray:
    """(B,) of (B, K), without overflow."""
    top = values.max(axis=1)
    total: FloatArray = top + np.log(np.exp(values - top[:, None]).sum(axis=1))
    return total


def _softmax(values: FloatArray) -> FloatArray:
    """(B, K) rows that sum to 1."""
    exponents = np.exp(values - values.max(axis=1, keepdims=True))
    shares: FloatArray = (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares
