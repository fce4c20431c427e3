"""Networks over heatmaps: a checkpoint under the reference's names becomes a graph that takes keypoints or heatmaps."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from models.errors import CheckpointMismatch
from models.export.importer import ImportRequest, import_checkpoint
from models.export.onnx import export_onnx
from models.export.servable import wrap
from models.nets.build import require_network
from models.nets.c3d import C3DLight
from models.nets.layers import GraphConfig
from models.nets.stf import STFSTGCNPP
from models.skeleton.heatmaps import joint_heatmaps, to_heatmap_pixels
from models.skeleton.layouts import require_layout


def checkpoint(path: Path) -> C3DLight:
    """A small C3D-light under the reference's names."""
    torch.manual_seed(0)
    network = C3DLight(4, base_channels=4).eval()
    theirs = {
        ("cls_head." if key.startswith("fc") else "backbone.") + key: value
        for key, value in network.state_dict().items()
    }
    torch.save({"state_dict": theirs}, path)
    return network


@pytest.mark.parametrize("has_keypoints", [False, True])
def test_import_gives_the_logits_of_the_network_over_its_heatmaps(tmp_path: Path, has_keypoints: bool) -> None:
    network = checkpoint(tmp_path / "c3d.pth")
    request = ImportRequest(
        tmp_path / "c3d.pth", "posec3d-c3d", "coco17", 4, tmp_path / "out", num_frames=8, has_keypoints=has_keypoints
    )
    generator = np.random.default_rng(1)
    xy = generator.uniform(50, 300, (1, 8, 17, 2)).astype(np.float32)
    score = generator.uniform(0.3, 1, (1, 8, 17)).astype(np.float32)
    volume = joint_heatmaps(to_heatmap_pixels(xy, (640, 480), (56, 56)), score, (56, 56))[None]
    with torch.no_grad():
        expected = network(torch.as_tensor(volume)).numpy()

    folder = import_checkpoint(request)

    session = onnxruntime.InferenceSession(folder / "model.onnx")
    keypoints = np.concatenate([xy, score[..., None]], axis=-1)[None]
    found = session.run(None, {"keypoint": keypoints} if has_keypoints else {"heatmap": volume})[0]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    contract = json.loads((folder / "model.json").read_text())
    assert contract["inputs"][0]["name"] == ("keypoint" if has_keypoints else "heatmap")


def test_import_names_the_misfit_when_the_network_is_another_one(tmp_path: Path) -> None:
    checkpoint(tmp_path / "c3d.pth")
    request = ImportRequest(tmp_path / "c3d.pth", "posec3d-x3d", "coco17", 4, tmp_path / "out")

    with pytest.raises(CheckpointMismatch, match=r"conv1_s"):
        import_checkpoint(request)


@torch.no_grad()
def test_stf_is_exported_with_its_empty_slots_skipped(tmp_path: Path) -> None:
    config = GraphConfig(require_layout("body13"), 3, base_channels=12, num_stages=1, inflate_stages=())
    network = STFSTGCNPP(config)
    torch.nn.init.constant_(network.get_parameter("gcn.0.0.gcn.instance.strength"), 1.0)
    served = wrap(require_network("stf-stgcn++"), network, 16)
    x = torch.randn(3, 2, 16, 13, 3, generator=torch.Generator().manual_seed(1))
    x[1, 1] = 0
    x[2] = 0

    export_onnx(served.module, served.inputs, ["logits"], tmp_path / "model.onnx")

    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    for frames in (16, 9):
        found = session.run(None, {"keypoint": x[:, :, :frames].numpy()})[0]
        np.testing.assert_allclose(found, network(x[:, :, :frames]).numpy(), atol=1e-5)
