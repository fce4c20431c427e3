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
