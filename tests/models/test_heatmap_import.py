"""Networks over heatmaps: a checkpoint under the reference's names becomes a graph that takes keypoints or heatmaps."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from models.errors import CheckpointMismatch
from models.export import Port, export_onnx
from models.heatmaps import joint_heatmaps, to_heatmap_pixels
from models.importer import ImportRequest, import_checkpoint
from models.nets.layers import GraphConfig
from models.nets.slnl import SLnLConfig, SLnLrFA
from models.nets.stf import STFSTGCNPP
from models.nets.x3d import X3DShallow
from models.skeleton import require_layout


def checkpoint(path: Path) -> X3DShallow:
    """A small X3D under the reference's names."""
    torch.manual_seed(0)
    network = X3DShallow(4, base_channels=8).eval()
    theirs = {
        ("cls_head." if key.startswith("fc") else "backbone.") + key: value
        for key, value in network.state_dict().items()
    }
    torch.save({"state_dict": theirs}, path)
    return network


@pytest.mark.parametrize("has_keypoints", [False, True])
def test_import_gives_the_logits_of_the_network_over_its_heatmaps(tmp_path: Path, has_keypoints: bool) -> None:
    network = checkpoint(tmp_path / "x3d.pth")
    request = ImportRequest(
        tmp_path / "x3d.pth", "posec3d-x3d", "coco17", 4, tmp_path / "out", num_frames=8, has_keypoints=has_keypoints
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
    checkpoint(tmp_path / "x3d.pth")
    request = ImportRequest(tmp_path / "x3d.pth", "posec3d-c3d", "coco17", 4, tmp_path / "out")

    with pytest.raises(CheckpointMismatch, match="conv1a"):
        import_checkpoint(request)


def test_stf_and_slnl_are_exported_with_parity(tmp_path: Path) -> None:
    layout = require_layout("body13")
    stf = STFSTGCNPP(GraphConfig(layout, 3, num_persons=1, base_channels=12, num_stages=2, inflate_stages=(2,)))
    slnl = SLnLrFA(SLnLConfig(13, 3, num_systems=2, num_learnt_joints=8, width=8, slnl_blocks=1, local_blocks=1))
    port = Port("keypoint", ("batch", 1, 16, 13, 3))

    done = [export_onnx(network, [port], ["logits"], tmp_path / f"{i}.onnx") for i, network in enumerate((stf, slnl))]

    assert all(one.max_difference <= 1e-4 * one.scale for one in done)
