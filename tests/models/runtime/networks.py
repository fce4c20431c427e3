"""Small ONNX networks with the outputs of real ones: constant answers for decoding, random weights for contracts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str]
_TYPES = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int64): TensorProto.INT64}


def write_constant(path: Path, input_shape: Shape, answers: Mapping[str, NDArray[np.generic]]) -> Path:
    """A network that gives the same answer for every picture of a batch; `answers` are without the batch axis."""
    nodes = [
        helper.make_node("Shape", ["input"], ["shape"]),
        helper.make_node("Slice", ["shape", "first", "second"], ["batch"]),
    ]
    constants = {"first": np.array([0]), "second": np.array([1])}
    outputs = []
    for name, answer in answers.items():
        constants |= {f"{name}_value": answer[None], f"{name}_rest": np.array(answer.shape, np.int64)}
        nodes.append(helper.make_node("Concat", ["batch", f"{name}_rest"], [f"{name}_shape"], axis=0))
        nodes.append(helper.make_node("Expand", [f"{name}_value", f"{name}_shape"], [name]))
        shape = [input_shape[0], *answer.shape]
        outputs.append(helper.make_tensor_value_info(name, _TYPES[answer.dtype], shape))
    return _save(path, input_shape, nodes, constants, outputs)


def write_random(path: Path, input_shape: Shape, shapes: Mapping[str, Sequence[int]], seed: int = 0) -> Path:
    """A convolution and a linear layer per output, with random weights; values lie between 0 and 1."""
    rng = np.random.default_rng(seed)
    nodes = [
        helper.make_node("Conv", ["input", "kernel"], ["features"], strides=[16, 16], kernel_shape=[16, 16]),
        helper.make_node("GlobalAveragePool", ["features"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
    ]
    constants: dict[str, NDArray[np.generic]] = {"kernel": rng.normal(0, 0.01, (8, 3, 16, 16)).astype(np.float32)}
    outputs = []
    for name, shape in shapes.items():
        constants[f"{name}_weight"] = rng.normal(0, 1, (8, int(np.prod(shape)))).astype(np.float32)
        constants[f"{name}_shape"] = np.array([0, *shape], np.int64)
        nodes.append(helper.make_node("MatMul", ["flat", f"{name}_weight"], [f"{name}_flat"]))
        nodes.append(helper.make_node("Sigmoid", [f"{name}_flat"], [f"{name}_unit"]))
        nodes.append(helper.make_node("Reshape", [f"{name}_unit", f"{name}_shape"], [name]))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [input_shape[0], *shape]))
    return _save(path, input_shape, nodes, constants, outputs)


def _save(
    path: Path,
    input_shape: Shape,
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, NDArray[np.generic]],
    outputs: Sequence[onnx.ValueInfoProto],
) -> Path:
    image = helper.make_tensor_value_info("input", TensorProto.FLOAT, list(input_shape))
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(list(nodes), "test", [image], list(outputs), initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
    return path


def write_suppressing(path: Path, num_classes: int, max_sorted: int | None, max_kept: int | None) -> Path:
    """A detector of 64 x 64 pictures with random weights and suppression inside, for one picture at a time.

    256 anchors. max_sorted: of them that are sorted before the suppression; max_kept: boxes that are left after it;
    None leaves that sorting out.
    """
    rng = np.random.default_rng(num_classes)
    constants: dict[str, NDArray[np.generic]] = {
        "k": rng.normal(0, 0.3, (4 + num_classes, 3, 4, 4)).astype(np.float32),
        "flat": np.array([0, 4 + num_classes, -1], np.int64),
        "cut": np.array([2, 2, num_classes], np.int64),
        "side": np.array(60, np.float32), "least": np.array(6, np.float32), "more": np.array(20, np.float32),
        "max_per_class": np.array([20], np.int64), "max_iou": np.array([0.5], np.float32),
        "min_score": np.array([0.3], np.float32), "zero": np.array([0], np.int64), "first": np.array(0, np.int64),
        "one": np.array([1], np.int64), "second": np.array(1, np.int64), "two": np.array([2], np.int64),
        "third": np.array(2, np.int64), "last": np.array([-1], np.int64),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["input", "k"], ["map"], strides=[4, 4], kernel_shape=[4, 4]),
        helper.make_node("Reshape", ["map", "flat"], ["rows"]),
        helper.make_node("Sigmoid", ["rows"], ["unit"]),
        helper.make_node("Split", ["unit", "cut"], ["a", "b", "turned"], axis=1),
        helper.make_node("Mul", ["a", "side"], ["top"]),
        helper.make_node("Mul", ["b", "more"], ["grown"]),
        helper.make_node("Add", ["grown", "least"], ["extent"]),
        helper.make_node("Add", ["top", "extent"], ["bottom"]),
        helper.make_node("Concat", ["top", "bottom"], ["corners"], axis=1),
        helper.make_node("Transpose", ["corners"], ["all_boxes"], perm=[0, 2, 1]),
    ]
    nodes += _sorted(constants, max_sorted)
    nodes += [
        helper.make_node(
            "NonMaxSuppression", ["boxes", "scores", "max_per_class", "max_iou", "min_score"], ["selected"]
        ),
        helper.make_node("Gather", ["selected", "third"], ["box_index"], axis=1),
        helper.make_node("Gather", ["selected", "second"], ["class_index"], axis=1),
        helper.make_node("Squeeze", ["boxes", "zero"], ["own_boxes"]),
        helper.make_node("Gather", ["own_boxes", "box_index"], ["left"], axis=0),
        helper.make_node("GatherND", ["scores", "selected"], ["left_scores"]),
    ]
    nodes += _kept(constants, max_kept)
    outputs = [
        helper.make_tensor_value_info("dets", TensorProto.FLOAT, ["batch", "n", 5]),
        helper.make_tensor_value_info("labels", TensorProto.INT64, ["batch", "n"]),
    ]
    return _save(path, ("batch", 3, 64, 64), nodes, constants, outputs)


def _sorted(constants: dict[str, NDArray[np.generic]], max_sorted: int | None) -> list[onnx.NodeProto]:
    """From `all_boxes` and `turned` to `boxes` and `scores`, by way of the best anchors."""
    if max_sorted is None:
        return [
            helper.make_node("Identity", ["all_boxes"], ["boxes"]),
            helper.make_node("Identity", ["turned"], ["scores"]),
        ]
    constants["max_sorted"] = np.array([max_sorted], np.int64)
    return [
        helper.make_node("Transpose", ["turned"], ["all_scores"], perm=[0, 2, 1]),
        helper.make_node("ReduceMax", ["all_scores"], ["best"], axes=[-1], keepdims=0),
        helper.make_node("TopK", ["best", "max_sorted"], ["_", "order"], axis=1),
        helper.make_node("Squeeze", ["order", "zero"], ["best_index"]),
        helper.make_node("Gather", ["all_boxes", "best_index"], ["boxes"], axis=1),
        helper.make_node("Gather", ["all_scores", "best_index"], ["best_scores"], axis=1),
        helper.make_node("Transpose", ["best_scores"], ["scores"], perm=[0, 2, 1]),
    ]


def _kept(constants: dict[str, NDArray[np.generic]], max_kept: int | None) -> list[onnx.NodeProto]:
    """From `left`, `left_scores` and `class_index` to `dets` and `labels`, by way of the best of all classes."""
    nodes, names = [], ("left", "left_scores", "class_index")
    if max_kept is not None:
        constants["max_kept"] = np.array([max_kept], np.int64)
        nodes += [
            helper.make_node("Shape", ["left_scores"], ["num_left"]),
            helper.make_node("Min", ["max_kept", "num_left"], ["num_kept"]),
            helper.make_node("TopK", ["left_scores", "num_kept"], ["kept_scores", "kept_index"], axis=0),
            helper.make_node("Gather", ["left", "kept_index"], ["kept"], axis=0),
            helper.make_node("Gather", ["class_index", "kept_index"], ["kept_class"], axis=0),
        ]
        names = ("kept", "kept_scores", "kept_class")
    return [
        *nodes,
        helper.make_node("Unsqueeze", [names[1], "one"], ["column"]),
        helper.make_node("Concat", [names[0], "column"], ["rows_left"], axis=1),
        helper.make_node("Unsqueeze", ["rows_left", "zero"], ["dets"]),
        helper.make_node("Unsqueeze", [names[2], "zero"], ["labels"]),
    ]


def write_renamed(source: Path, path: Path) -> Path:
    """The same network, every tensor of which has another name."""
    model = onnx.load(source)
    graph = model.graph
    names: dict[str, str] = {"": ""}

    def renamed(name: str) -> str:
        return names.setdefault(name, f"t{len(names)}")

    for node in graph.node:
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
        node.name = ""
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = renamed(value.name)
    del graph.value_info[:]
    onnx.save(model, str(path))
    return path
