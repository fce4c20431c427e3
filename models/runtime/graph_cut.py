"""Finds in a detector's ONNX graph where its own non-maximum suppression begins, and cuts the graph there.

By the structure of the graph, never by the names in it: from the NonMaxSuppression node back over what only sorts and
rearranges, to the boxes and scores of every anchor. The thresholds are read from the graph.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import NodeProto, TensorProto, helper, numpy_helper

from models.arrays import AnyArray
from models.runtime.suppression import Suppression

_REARRANGING = frozenset(
    {"Identity", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Gather", "GatherND", "GatherElements"}
)
_COUNTING = frozenset({"Identity", "Reshape", "Squeeze", "Unsqueeze", "Cast", "Where", "Min", "ReduceMin", "Concat"})
_IS_STRICT = {"Not Less": False, "GreaterOrEqual": False, "Greater": True, "Not LessOrEqual": True}
_NO_NUMBER = -1.0


class CannotCut(Exception):
    """A graph whose suppression cannot be told from the rest; says what was found."""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """What a graph does after it has found boxes.

    boxes, scores: tensors that may hold every anchor's, those nearest to the suppression first.
    ungated: such a tensor of scores → the same before `highest of all anchors >= gate`, which mixes up the pictures of
    a batch.  dets, labels: the outputs that hold what is left.
    """

    boxes: tuple[str, ...]
    scores: tuple[str, ...]
    ungated: dict[str, tuple[str, float]]
    dets: str
    labels: str
    rule: Suppression


class DetectorGraph:
    """The ONNX graph of a detector. Raises CannotCut where the file cannot be read."""

    def __init__(self, path: Path) -> None:
        try:
            self._model = onnx.load(path)
        except (DecodeError, OSError, ValueError) as error:
            raise CannotCut(f"cannot be read: {error}") from error
        graph = self._model.graph
        self._makers = {name: node for node in graph.node for name in node.output}
        self._values = {one.name: one for one in graph.initializer}
        self._late = _downstream(graph.node, {"NonMaxSuppression"})
        self._sorted = self._late | _downstream(graph.node, {"TopK"})

    def suppressed(self) -> Suppressed:
        """What comes after the boxes. Raises CannotCut."""
        found = [node for node in self._model.graph.node if node.op_type == "NonMaxSuppression"]
        if len(found) != 1:
            raise CannotCut(f"found {len(found)} NonMaxSuppression nodes, expected 1")
        node = found[0]
        if _attribute(node, "center_point_box", 0):
            raise CannotCut("found boxes as centre and size, expected corners")
        boxes, scores = (self._unsorted(name) for name in node.input[:2])
        gates = {name: gate for name in scores if (gate := self._gate(name)) is not None}
        return Suppressed(boxes, scores, gates, *self._answers(), self._rule(node))

    def with_outputs(self, names: Sequence[str], keeps_own: bool) -> bytes:
        """The file of the graph that gives these tensors, beside its own outputs or instead of them."""
        whole = self._model.graph
        own = [one for one in whole.output if keeps_own]
        added = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in dict.fromkeys(names)]
        nodes = _needed(whole.node, {one.name for one in (*own, *added)})
        used = {name for node in nodes for name in _reads(node)}
        values = [one for one in whole.initializer if one.name in used]
        inputs = [one for one in whole.input if one.name in used or one.name not in self._values]
        graph = helper.make_graph(nodes, whole.name, inputs, [*own, *added], values)
        model = helper.make_model(
            graph, opset_imports=self._model.opset_import, ir_version=self._model.ir_version,
            functions=self._model.functions,
        )  # fmt: skip
        return bytes(model.SerializeToString())

    def _unsorted(self, name: str) -> tuple[str, ...]:
        """The tensors before all sorting from which this one is only rearranged, the nearest first."""
        walk = [name]
        while (node := self._makers.get(walk[-1])) is not None and node.op_type in _REARRANGING:
            walk.append(node.input[0])
        return tuple(one for one in walk if one not in self._sorted)

    def _gate(self, name: str) -> tuple[str, float] | None:
        """The scores before a gate, and the least highest score that opens it."""
        node = self._makers.get(name)
        if node is None or node.op_type != "Where":
            return None
        condition, scores = node.input[:2]
        test, prefix = self._makers.get(condition), ""
        if test is not None and test.op_type == "Not":
            test, prefix = self._makers.get(test.input[0]), "Not "
        if test is None or prefix + test.op_type not in _IS_STRICT:
            return None
        highest, threshold = self._makers.get(test.input[0]), self._constant(test.input[1])
        if highest is None or highest.op_type != "ReduceMax" or highest.input[0] != scores or threshold is None:
            return None
        value = np.float32(threshold.reshape(-1)[0])
        is_strict = _IS_STRICT[prefix + test.op_type]
        keeps_anchors = bool(_attribute(highest, "keepdims", 1))
        return None if keeps_anchors else (scores, float(np.nextafter(value, np.float32(2)) if is_strict else value))

    def _answers(self) -> tuple[str, str]:
        outputs = [one for one in self._model.graph.output if one.name in self._late]
        is_float = [one.type.tensor_type.elem_type == TensorProto.FLOAT for one in outputs]
        if sorted(is_float) != [False, True]:
            raise CannotCut(f"found outputs {[one.name for one in outputs]}, expected boxes with scores, and labels")
        return outputs[is_float.index(True)].name, outputs[is_float.index(False)].name

    def _rule(self, node: NodeProto) -> Suppression:
        max_per_class = self._number(node, 2)
        if max_per_class < 1:
            raise CannotCut(f"found at most {max_per_class:g} boxes per class, expected a number of them")
        sortings = [one for one in self._model.graph.node if one.op_type == "TopK"]
        return Suppression(
            max_iou=max(0.0, self._number(node, 3)),
            min_score=self._number(node, 4),
            max_per_class=int(max_per_class),
            max_sorted=self._limit([one for one in sortings if not self._late.intersection(one.output)]),
            max_kept=self._limit([one for one in sortings if self._late.intersection(one.output)]),
        )

    def _number(self, node: NodeProto, index: int) -> float:
        """The constant at an input of a node; one below all of them where it is left out."""
        if len(node.input) <= index or not node.input[index]:
            return _NO_NUMBER
        value = self._constant(node.input[index])
        if value is None or value.size != 1:
            raise CannotCut(f"found no constant at input {index} of {node.op_type}")
        return float(value.reshape(-1)[0])

    def _limit(self, sortings: Sequence[NodeProto]) -> int | None:
        """How many rows a sorting keeps; None where nothing is sorted."""
        if len(sortings) > 1:
            raise CannotCut(f"found {len(sortings)} TopK nodes on one side of the suppression, expected 1 at most")
        numbers = [number for one in sortings for number in self._numbers(one.input[1]) if number > 0]
        return min(numbers, default=None)

    def _numbers(self, name: str) -> Iterator[int]:
        """The constants that a count is made of; sizes of tensors are left out."""
        value, node = self._constant(name), self._makers.get(name)
        if value is not None:
            yield from (int(number) for number in value.reshape(-1))
        elif node is not None and node.op_type in _COUNTING:
            inputs = {"Where": node.input[1:], "Min": node.input, "Concat": node.input}
            for one in inputs.get(node.op_type, node.input[:1]):
                yield from self._numbers(one)

    def _constant(self, name: str) -> AnyArray | None:
        """The value of a tensor that is the same for every picture."""
        if name in self._values:
            return numpy_helper.to_array(self._values[name])
        node = self._makers.get(name)
        if node is None or node.op_type not in {"Constant", "Identity"}:
            return None
        if node.op_type == "Identity":
            return self._constant(node.input[0])
        value = next((helper.get_attribute_value(one) for one in node.attribute), None)
        return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)


def _downstream(nodes: Iterable[NodeProto], kinds: set[str]) -> set[str]:
    """Every tensor that depends on a node of these kinds; nodes stand in the order in which they run."""
    found: set[str] = set()
    for node in nodes:
        if node.op_type in kinds or found.intersection(_reads(node)):
            found.update(node.output)
    return found


def _needed(nodes: Iterable[NodeProto], outputs: set[str]) -> list[NodeProto]:
    """The nodes without which these tensors are not made, in their order."""
    wanted, kept = set(outputs), []
    for node in reversed(list(nodes)):
        if wanted.intersection(node.output):
            wanted.update(_reads(node))
            kept.append(node)
    return kept[::-1]


def _reads(node: NodeProto) -> Iterator[str]:
    """The tensors that a node reads, those inside of its branches as well."""
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from _reads(inner)


def _attribute(node: NodeProto, name: str, default: int) -> int:
    found = [int(one.i) for one in node.attribute if one.name == name]
    return found[0] if found else default
