"""Opens a detector without its own suppression, once it is sure that the boxes stay the same."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from models.arrays import AnyArray, FloatArray
from models.errors import ContractMismatch
from models.runtime.detector import SCORE_FLOOR
from models.runtime.graph_cut import CannotCut, DetectorGraph, Suppressed
from models.runtime.session import Session
from models.runtime.spare import SpareThreads
from models.runtime.suppression import Suppression, suppress

logger = logging.getLogger(__name__)

_PROBE_SIDE = 192
_PROBE_CELLS = 10
_TOLERANCE = 0.01  # pixels; scores agree much better


@dataclass(frozen=True, slots=True)
class _Tensors:
    """Where the boxes and scores of all anchors are. is_turned: the scores are (B, K, N)."""

    boxes: str
    scores: str
    is_turned: bool
    rule: Suppression

    def kept(self, row: Mapping[str, AnyArray]) -> tuple[FloatArray, FloatArray, AnyArray]:
        """Boxes, scores and labels that are left of one picture."""
        scores = row[self.scores]
        found = suppress(row[self.boxes], scores.T if self.is_turned else scores, self.rule)
        return found.xyxy, found.score, found.label


class CutSession:
    """A detector's session, and what is to be done with its boxes.

    tensors: None where the network suppresses by itself, one picture at a time.
    """

    def __init__(self, session: Session, tensors: _Tensors | None) -> None:
        self.session = session
        self._tensors = tensors

    @property
    def is_cut(self) -> bool:
        """Whether it gives the boxes of all anchors."""
        return self._tensors is not None

    def kept(self, row: Mapping[str, AnyArray]) -> tuple[FloatArray, FloatArray, AnyArray]:
        """Boxes (N, 4) in input pixels, scores and class numbers that are left of one picture's outputs, best first."""
        assert self._tensors is not None
        return self._tensors.kept(row)


def open_cut(path: Path, device: str = "cpu", threads: int = 1, spare: SpareThreads | None = None) -> CutSession:
    """A detector without its suppression; one that cannot be cut as it is, and then the log says why.

    Raises WeightsMissing, ContractMismatch, DeviceUnavailable.
    """
    try:
        graph, tensors = _cut(path)
    except CannotCut as reason:
        session = Session(path, device, threads, spare=spare)
        if gives_every_box(session):
            return CutSession(session, None)
        logger.warning("%s keeps its own suppression and takes one picture at a time: %s", path.name, reason)
        return CutSession(session, None)
    return CutSession(Session(path, device, threads, graph, spare), tensors)


def gives_every_box(session: Session) -> bool:
    """Whether a file was exported without suppression: `boxes` and `scores` of every place of the grid."""
    return {"boxes", "scores"} <= {output.name for output in session.outputs}


def _cut(path: Path) -> tuple[bytes, _Tensors]:
    """The graph that was cut, and what it gives. Raises CannotCut where two probes do not give the same boxes."""
    graph = DetectorGraph(path)
    found = graph.suppressed()
    candidates = [*found.boxes, *found.scores, *(name for name, _ in found.ungated.values())]
    try:
        whole = Session(path, graph=graph.with_outputs(candidates, keeps_own=True))
        probes = _probes(whole)
        answers = [_row(whole.run({name: picture})) for name, picture in probes]
        tensors = _tensors(found, answers[0])
        cut = graph.with_outputs([tensors.boxes, tensors.scores], keeps_own=False)
        name = probes[0][0]
        both = Session(path, graph=cut).run({name: np.concatenate([picture for _, picture in probes])})
    except ContractMismatch as error:
        raise CannotCut(str(error)) from error
    for index, answer in enumerate(answers):
        alone = tensors.kept({name: value[index] for name, value in both.items()})
        _require_equal(alone, answer[found.dets], answer[found.labels])
    return cut, tensors


def _tensors(found: Suppressed, row: Mapping[str, AnyArray]) -> _Tensors:
    """The nearest tensors of the right shape. Raises CannotCut."""
    boxes = next((name for name in found.boxes if row[name].ndim == 2 and row[name].shape[1] == 4), None)
    num_anchors = 0 if boxes is None else len(row[boxes])
    scores = next((name for name in found.scores if row[name].ndim == 2 and num_anchors in row[name].shape), None)
    if boxes is None or scores is None:
        raise CannotCut("found no boxes and scores of every anchor before the suppression")
    name, gate = found.ungated.get(scores, (scores, None))
    return _Tensors(boxes, name, row[name].shape[0] != num_anchors, found.rule.gated(gate))


def _row(outputs: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """The only picture's outputs; a tensor without a batch axis, such as one that is flat, loses its first row."""
    return {name: value[0] for name, value in outputs.items()}


def _probes(session: Session) -> list[tuple[str, FloatArray]]:
    """The input's name with each of two pictures of coloured spots."""
    spec = session.inputs[0]
    if len(session.inputs) != 1 or len(spec.shape) != 4 or spec.dtype != "tensor(float)":
        raise CannotCut(f"found input {spec.name} {spec.shape} {spec.dtype}, expected one of (B, 3, H, W) float32")
    if session.fixed_batch is not None:
        raise CannotCut(f"found a batch of {session.fixed_batch} in the file")
    height, width = (side if isinstance(side, int) else _PROBE_SIDE for side in spec.shape[2:])
    rng = np.random.default_rng(0)
    spots = rng.uniform(-2, 2, (2, _PROBE_CELLS, _PROBE_CELLS, 3)).astype(np.float32)
    pictures = [cv2.resize(one, (width, height), interpolation=cv2.INTER_CUBIC).transpose(2, 0, 1) for one in spots]
    return [(spec.name, np.ascontiguousarray(picture[None], np.float32)) for picture in pictures]


def _require_equal(found: tuple[FloatArray, FloatArray, AnyArray], dets: AnyArray, labels: AnyArray) -> None:
    """Raise CannotCut unless what is left is what the file itself leaves, from SCORE_FLOOR on."""
    strong = (dets[:, 4] >= SCORE_FLOOR) & (labels >= 0)
    own = _in_order(dets[strong, :4], dets[strong, 4], labels[strong])
    ours = _in_order(*found)
    if own.shape != ours.shape or not np.allclose(own, ours, rtol=0, atol=_TOLERANCE):
        raise CannotCut(f"found {len(ours)} boxes on a probe, expected the file's own {len(own)}")


def _in_order(xyxy: AnyArray, score: AnyArray, label: AnyArray) -> AnyArray:
    """(N, 6) rows of box, score and label, by label and score: the order of a file's own answer is its own affair."""
    rows = np.concatenate([xyxy, score[:, None], label[:, None]], axis=1)
    return rows[np.lexsort((xyxy[:, 0], -score, label))]
