"""Turns BlazePose's two TensorFlow Lite files into ONNX: dynamic batch, NCHW, only the outputs that are used.

BlazePose: Bazarevsky et al., "BlazePose: On-device Real-time Body Pose Tracking", 2020. Operators keep
LiteRT's meaning; rank-4 tensors are stored NCHW instead of NHWC, because that is what onnxruntime's kernels want.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.arrays import AnyArray
from models.errors import ContractMismatch
from models.weights.tflite import Table, TfliteGraph, TfliteOperator, load_tflite

OUTPUTS: Mapping[str, Mapping[int, str]] = {
    "blazepose-landmark": {0: "landmarks", 1: "presence"},
    "blazepose-detector": {0: "boxes", 1: "scores"},
}
"""Converter → position among the .tflite's outputs → name in the ONNX; mask and world landmarks are left out."""

_OPSET = 17
_IR_VERSION = 9  # what onnxruntime 1.20 reads
_TO_NCHW = (0, 3, 1, 2)
_CLIPS = {1: (0.0, None), 3: (0.0, 6.0)}  # fused activations: RELU, RELU6
_DEPTH_MULTIPLIER_ONE = 1


def convert_blazepose(source: Path, converter: str) -> bytes:
    """The ONNX file for a .tflite; `converter` is a key of OUTPUTS.

    The input is `image`, (B, 3, S, S) float32 RGB; landmark: `landmarks` (B, 195), `presence` (B, 1), 0..1;
    detector: `boxes` (B, 2254, 12), `scores` (B, 2254, 1), logits. Raises ContractMismatch when the file is another.
    """
    graph = load_tflite(source)
    wanted = OUTPUTS[converter]
    if max(wanted) >= len(graph.outputs) or len(graph.inputs) != 1:
        raise ContractMismatch(
            f"{source.name}: found {len(graph.inputs)} inputs and {len(graph.outputs)} outputs, "
            f"expected 1 and at least {max(wanted) + 1}"
        )
    outputs = {graph.outputs[position]: name for position, name in wanted.items()}
    writer = _Writer(graph, {graph.inputs[0]: "image", **outputs})
    for operator in _used(graph, outputs):
        writer.add(operator)
    return bytes(writer.model(converter, graph.inputs[0], outputs).SerializeToString())


def _used(graph: TfliteGraph, outputs: Iterable[int]) -> list[TfliteOperator]:
    """The operators that the outputs need, in running order."""
    needed = set(outputs)
    used = []
    for operator in reversed(graph.operators):
        if needed & set(operator.outputs):
            needed |= set(operator.inputs)
            used.append(operator)
    return used[::-1]


@dataclass(slots=True)
class _Writer:
    """Collects ONNX nodes and constants while it walks the operators."""

    graph: TfliteGraph
    names: dict[int, str]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, AnyArray] = field(default_factory=dict)
    values: dict[int, AnyArray] = field(default_factory=dict)

    def add(self, operator: TfliteOperator) -> None:
        """Write one operator; what only reshapes or widens a constant is folded."""
        if operator.name in ("DEQUANTIZE", "DENSIFY"):
            self.values[operator.outputs[0]] = self.value(operator.inputs[0])
        else:
            _EMITTERS[operator.name](self, operator)

    def name(self, index: int) -> str:
        """The name of a tensor in the ONNX graph."""
        return self.names.setdefault(index, f"t{index}")

    def value(self, index: int) -> AnyArray:
        """A constant, half precision widened to float32."""
        value = self.values.get(index, self.graph.tensors[index].value)
        if value is None:
            raise ContractMismatch(f"tflite: {self.graph.tensors[index].name} is computed, expected a constant")
        return value.astype(np.float32) if value.dtype == np.float16 else value

    def constant(self, name: str, value: AnyArray) -> str:
        """Store a constant and give its name back."""
        self.constants[name] = np.ascontiguousarray(value)
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: object) -> None:
        """Write one ONNX node."""
        node = helper.make_node(kind, inputs, [output])
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self.nodes.append(node)

    def activated(self, operator: TfliteOperator, activation: int) -> str:
        """The name that the operator must write to, so that its fused activation, if any, writes the tensor itself."""
        output = self.name(operator.outputs[0])
        if activation == 0:
            return output
        if activation not in _CLIPS:
            raise ContractMismatch(f"tflite: {operator.name} fuses activation {activation}, expected ReLU or ReLU6")
        return f"{output}_raw"

    def activate(self, operator: TfliteOperator, activation: int) -> None:
        """Write the fused activation, if any, after its operator."""
        if activation == 0:
            return
        low, high = _CLIPS[activation]
        inputs = [f"{self.name(operator.outputs[0])}_raw", self.constant("zero", np.full((), low, np.float32))]
        if high is not None:
            inputs.append(self.constant("six", np.full((), high, np.float32)))
        self.node("Clip", inputs, self.name(operator.outputs[0]))

    def model(self, title: str, source: int, outputs: Mapping[int, str]) -> onnx.ModelProto:
        """The finished, checked model."""
        values = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *self.graph.tensors[index].shape[1:]])
            for index, name in outputs.items()
        ]
        shape = self.graph.tensors[source].shape
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", shape[3], shape[1], shape[2]])
        constants = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        graph = helper.make_graph(self.nodes, title, [image], values, constants)
        opset = [helper.make_opsetid("", _OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION, producer_name="actogram")
        onnx.checker.check_model(model, full_check=True)
        return model


def _options(operator: TfliteOperator) -> Table:
    if operator.options is None:
        raise ContractMismatch(f"tflite: {operator.name} has no options")
    return operator.options


def _pads(padding: int, size_hw: tuple[int, ...], kernel_hw: tuple[int, ...], stride_hw: tuple[int, int]) -> list[int]:
    """ONNX pads for VALID (1) or SAME (0); SAME puts the odd pixel at the bottom and right, as TensorFlow does."""
    if padding == 1:
        return [0, 0, 0, 0]
    total = [
        max((-(-size // stride) - 1) * stride + kernel - size, 0)
        for size, kernel, stride in zip(size_hw, kernel_hw, stride_hw, strict=True)
    ]
    return [total[0] // 2, total[1] // 2, total[0] - total[0] // 2, total[1] - total[1] // 2]


def _conv(
    writer: _Writer, operator: TfliteOperator, weight: AnyArray, group: int, fields: tuple[int, int, int]
) -> None:
    """Write a convolution; `fields` number the fused activation and the two dilations in the options table."""
    options = _options(operator)
    output = writer.name(operator.outputs[0])
    stride_hw = (options.integer(2), options.integer(1))
    dilation_hw = [options.integer(fields[2], default=1), options.integer(fields[1], default=1)]
    if dilation_hw != [1, 1]:
        raise ContractMismatch(f"tflite: {operator.name} has dilation {dilation_hw}, expected none")
    size_hw = writer.graph.tensors[operator.inputs[0]].shape[1:3]
    activation = options.integer(fields[0], "b")
    writer.node(
        "Conv",
        [
            writer.name(operator.inputs[0]),
            writer.constant(f"{output}_weight", weight),
            writer.constant(f"{output}_bias", writer.value(operator.inputs[2])),
        ],
        writer.activated(operator, activation),
        pads=_pads(options.integer(0, "b"), size_hw, weight.shape[2:], stride_hw),
        strides=list(stride_hw),
        kernel_shape=list(weight.shape[2:]),
        group=group,
    )
    writer.activate(operator, activation)


def _conv_2d(writer: _Writer, operator: TfliteOperator) -> None:
    _conv(writer, operator, writer.value(operator.inputs[1]).transpose(_TO_NCHW), 1, (3, 4, 5))


def _depthwise(writer: _Writer, operator: TfliteOperator) -> None:
    if _options(operator).integer(3) != _DEPTH_MULTIPLIER_ONE:
        raise ContractMismatch("tflite: DEPTHWISE_CONV_2D has a depth multiplier, expected 1")
    weight = writer.value(operator.inputs[1]).transpose(3, 0, 1, 2)
    _conv(writer, operator, weight, weight.shape[0], (4, 5, 6))


def _add(writer: _Writer, operator: TfliteOperator) -> None:
    activation = _options(operator).integer(0, "b")
    inputs = [writer.name(index) for index in operator.inputs]
    writer.node("Add", inputs, writer.activated(operator, activation))
    writer.activate(operator, activation)


def _pad(writer: _Writer, operator: TfliteOperator) -> None:
    output = writer.name(operator.outputs[0])
    pads = writer.value(operator.inputs[1])[list(_TO_NCHW)].T.reshape(-1).astype(np.int64)
    writer.node("Pad", [writer.name(operator.inputs[0]), writer.constant(f"{output}_pads", pads)], output)


def _max_pool(writer: _Writer, operator: TfliteOperator) -> None:
    options = _options(operator)
    kernel_hw, stride_hw = (options.integer(4), options.integer(3)), (options.integer(2), options.integer(1))
    size_hw = writer.graph.tensors[operator.inputs[0]].shape[1:3]
    writer.node(
        "MaxPool",
        [writer.name(operator.inputs[0])],
        writer.name(operator.outputs[0]),
        kernel_shape=list(kernel_hw),
        strides=list(stride_hw),
        pads=_pads(options.integer(0, "b"), size_hw, kernel_hw, stride_hw),
    )


def _resize(writer: _Writer, operator: TfliteOperator) -> None:
    if not _options(operator).integer(3, "B") or _options(operator).integer(2, "B"):
        raise ContractMismatch("tflite: RESIZE_BILINEAR without half-pixel centres, expected with")
    source, target = writer.graph.tensors[operator.inputs[0]].shape, writer.graph.tensors[operator.outputs[0]].shape
    output = writer.name(operator.outputs[0])
    scales = np.array([1, 1, target[1] / source[1], target[2] / source[2]], np.float32)
    inputs = [writer.name(operator.inputs[0]), "", writer.constant(f"{output}_scales", scales)]
    writer.node("Resize", inputs, output, mode="linear", coordinate_transformation_mode="half_pixel")


def _depth_to_space(writer: _Writer, operator: TfliteOperator) -> None:
    inputs, output = [writer.name(operator.inputs[0])], writer.name(operator.outputs[0])
    writer.node("DepthToSpace", inputs, output, blocksize=_options(operator).integer(0), mode="DCR")


def _logistic(writer: _Writer, operator: TfliteOperator) -> None:
    writer.node("Sigmoid", [writer.name(operator.inputs[0])], writer.name(operator.outputs[0]))


def _reshape(writer: _Writer, operator: TfliteOperator) -> None:
    """Back to NHWC first, because the flat order counts; 0 keeps the batch."""
    output = writer.name(operator.outputs[0])
    shape = np.array([0, *writer.graph.tensors[operator.outputs[0]].shape[1:]], np.int64)
    writer.node("Transpose", [writer.name(operator.inputs[0])], f"{output}_nhwc", perm=[0, 2, 3, 1])
    writer.node("Reshape", [f"{output}_nhwc", writer.constant(f"{output}_shape", shape)], output)


def _concatenation(writer: _Writer, operator: TfliteOperator) -> None:
    inputs, output = [writer.name(index) for index in operator.inputs], writer.name(operator.outputs[0])
    writer.node("Concat", inputs, output, axis=_options(operator).integer(0))


_EMITTERS: Mapping[str, Callable[[_Writer, TfliteOperator], None]] = {
    "ADD": _add,
    "CONCATENATION": _concatenation,
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise,
    "DEPTH_TO_SPACE": _depth_to_space,
    "LOGISTIC": _logistic,
    "MAX_POOL_2D": _max_pool,
    "PAD": _pad,
    "RESHAPE": _reshape,
    "RESIZE_BILINEAR": _resize,
}
