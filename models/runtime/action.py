"""The action model: windows of people in, calibrated probabilities out, by the contract beside its weights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from models.arrays import AnyArray, BoolArray, FloatArray
from models.errors import ContractMismatch
from models.runtime.contract import ActionContract
from models.runtime.preprocess import People, Pictures, network_feeds
from models.runtime.session import Session, sessions_of


class Network(Protocol):
    """Anything that maps named inputs to named outputs, such as an ONNX session."""

    def run(self, feeds: Mapping[str, AnyArray]) -> Mapping[str, AnyArray]:
        """The outputs for one batch."""
        ...


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

    @property
    def labels(self) -> tuple[str, ...]:
        """(K,) the names of the probabilities."""
        return self.contract.labels

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What it runs on."""
        return sessions_of(self._network)

    def over(self, wrap: Callable[[Network], Network]) -> Self:
        """The same model with something between it and its network, such as a batcher."""
        return type(self)(self.contract, wrap(self._network))

    @property
    def wants_pictures(self) -> bool:
        """Whether it looks at pictures beside the joints."""
        return self.contract.features == "rgbpose"

    @property
    def num_pictures(self) -> int:
        """Pictures of a window that it looks at; 0 where it looks at joints alone."""
        return int(self.contract.inputs[0].shape[2]) if self.wants_pictures else 0

    def __call__(self, keypoints: FloatArray, valid: BoolArray) -> FloatArray:
        """(B, K) calibrated probabilities of windows; see `judge`."""
        return self.judge(keypoints, valid).probabilities

    def judge(
        self,
        keypoints: FloatArray,
        valid: BoolArray,
        size_wh: FloatArray | None = None,
        pictures: Sequence[Pictures] = (),
    ) -> Judgement:
        """Probabilities, and whether each window is like anything that was trained.

        keypoints: (B, T, V, 3) pixels and score, or (B, M, T, V, 3) where others stand beside the one who is judged;
        V as in the contract's layout, or two values per joint where there are no scores. valid: (B, T) or (B, M, T).
        size_wh: (B, 2) of the pictures; pictures: see `People`. B may be 0. Raises ContractMismatch.
        """
        if keypoints.ndim == 4:
            keypoints, valid = keypoints[:, None], valid[:, None]
        self._require_samples(valid.shape[-1])
        if len(keypoints) == 0:
            return Judgement(np.zeros((0, len(self.labels)), np.float32), np.zeros(0, np.bool_))
        scaled = self.scaled_logits(People(keypoints, valid, size_wh, pictures))
        probabilities = softmax(scaled)
        return Judgement(probabilities, self._is_unknown(scaled, probabilities))

    def scaled_logits(self, people: People) -> FloatArray:
        """(B, K) logits divided by the temperature; of a network with several heads, the log of their mean."""
        people = with_slots(people, self.contract.num_persons)
        outputs = self._network.run(network_feeds(self.contract, people))
        heads = [
            self._checked(outputs[name], len(people)) / self.contract.temperature for name in self.contract.outputs
        ]
        if len(heads) == 1:
            return heads[0]
        return log_mean([softmax(head) for head in heads], [1.0] * len(heads))

    def _require_samples(self, num_samples: int) -> None:
        expected = self.contract.num_samples
        if num_samples != expected and self.contract.sampling == "resample":
            raise ContractMismatch(f"{self.contract.name}: a window has {num_samples} samples, expected {expected}")

    def _checked(self, logits: FloatArray, num_windows: int) -> FloatArray:
        expected = (num_windows, len(self.labels))
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


def with_slots(people: People, num_persons: int) -> People:
    """The same windows with as many people as a network has slots: more are left out, absent ones are zeros."""
    B, M = people.valid.shape[:2]
    if num_persons == M:
        return people
    keypoints = np.zeros((B, num_persons, *people.keypoints.shape[2:]), people.keypoints.dtype)
    valid = np.zeros((B, num_persons, people.valid.shape[2]), np.bool_)
    kept = min(M, num_persons)
    keypoints[:, :kept], valid[:, :kept] = people.keypoints[:, :kept], people.valid[:, :kept]
    return People(keypoints, valid, people.size_wh, people.pictures)


def softmax(values: FloatArray) -> FloatArray:
    """(B, K) rows that sum to 1."""
    exponents = np.exp(values - values.max(axis=1, keepdims=True))
    shares: FloatArray = (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def log_mean(probabilities: Sequence[FloatArray], weights: Sequence[float]) -> FloatArray:
    """(B, K) logarithms of a weighted mean of probabilities: logits whose softmax is that mean."""
    mean = np.average(np.stack(probabilities), axis=0, weights=weights)
    logs: FloatArray = np.log(np.maximum(mean, np.finfo(np.float32).tiny)).astype(np.float32)
    return logs


def _logsumexp(values: FloatArray) -> FloatArray:
    """(B,) of (B, K), without overflow."""
    top = values.max(axis=1)
    total: FloatArray = top + np.log(np.exp(values - top[:, None]).sum(axis=1))
    return total
