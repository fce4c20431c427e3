from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from models.errors import ExportMismatch
from models.export.fp16 import HALF_TOLERANCE, export_fp16
from models.export.onnx import Port

PORT = Port("x", ("batch", "frames", 3))


class _Scaled(nn.Module):
    """A linear layer whose hidden values are `scale` times too large, and its answers as they were."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 4)
        self.scale = scale

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = (self.linear(x) * self.scale).mean(dim=1) / self.scale
        return hidden, torch.relu(hidden)


def test_half_file_computes_in_float16_and_takes_and_gives_float32(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = _Scaled(1.0)

    exported = export_fp16(network, [PORT], ["a", "b"], tmp_path / "half.onnx")

    weights = onnx.load(exported.path).graph.initializer
    assert onnx.TensorProto.FLOAT16 in {tensor.data_type for tensor in weights}
    assert 0 < exported.max_difference <= HALF_TOLERANCE * exported.scale
    x = torch.randn(5, 7, 3, generator=torch.Generator().manual_seed(1))
    found = onnxruntime.InferenceSession(exported.path).run(None, {"x": x.numpy()})
    for one, expected in zip(found, network(x), strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, expected.detach().numpy(), atol=HALF_TOLERANCE)
    assert network.linear.weight.dtype == torch.float32


def test_half_is_refused_when_the_network_leaves_the_range_of_float16(tmp_path: Path) -> None:
    with pytest.raises(ExportMismatch, match="allowed 1e-02"):
        export_fp16(_Scaled(1e6), [PORT], ["a", "b"], tmp_path / "half.onnx")

    assert not list(tmp_path.iterdir())
