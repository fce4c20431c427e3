from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from models.errors import ExportMismatch
from models.export.onnx import OPSET, Port, export_onnx

PORT = Port("x", ("batch", "frames", 3))


class _Honest(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.linear(x)).mean(dim=1)


class _Liar(_Honest):
    """Computes something else while it is being exported."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + (0.01 if torch.compiler.is_exporting() else 0.0)


class _NotANumber(_Honest):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * (torch.nan if torch.compiler.is_exporting() else 1.0)


def test_export_writes_one_checked_file_with_dynamic_axes(tmp_path: Path) -> None:
    network = _Honest()

    exported = export_onnx(network, [PORT], ["logits"], tmp_path / "new" / "net.onnx")

    assert [path.name for path in (tmp_path / "new").iterdir()] == ["net.onnx"]
    assert exported.max_difference <= 1e-4 * exported.scale
    model = onnx.load(exported.path)
    assert [opset.version for opset in model.opset_import if not opset.domain] == [OPSET]
    session = onnxruntime.InferenceSession(exported.path)
    for batch, frames in ((1, 1), (5, 9)):
        x = torch.randn(batch, frames, 3)
        np.testing.assert_allclose(session.run(None, {"x": x.numpy()})[0], network(x).detach().numpy(), atol=1e-6)
    assert str(Path(__file__).parent).encode() not in exported.path.read_bytes()


@pytest.mark.parametrize("kind", [_Liar, _NotANumber])
def test_export_refuses_and_leaves_nothing_when_the_graph_differs(kind: type[nn.Module], tmp_path: Path) -> None:
    with pytest.raises(ExportMismatch, match=r"net\.onnx: ONNX and torch differ by"):
        export_onnx(kind(), [PORT], ["logits"], tmp_path / "net.onnx")

    assert not list(tmp_path.iterdir())
