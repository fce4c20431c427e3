"""Served networks under autocast: every network of the table answers in half precision what it answers in full."""

import pytest
import torch

from models.export.samples import draw_inputs
from models.export.servable import wrap
from models.nets.build import NETWORKS, NetworkRequest, require_network
from models.skeleton.layouts import require_layout
from tests.pipelines.training.recipes import TINY

_SIZES = {"batch": 2, "persons": 2, "frames": 24}


@pytest.mark.parametrize("name", NETWORKS)
def test_served_network_answers_under_autocast_as_without(name: str) -> None:
    torch.manual_seed(0)
    entry = require_network(name)
    network = entry.build(NetworkRequest(require_layout("coco17"), 4, options=TINY[name])).eval()
    served = wrap(entry, network, num_frames=24, side_px=32)
    inputs = draw_inputs(served.module, served.inputs, _SIZES, torch.Generator().manual_seed(1))
    if served.inputs[0].name == "keypoint":
        inputs[0][1, 1] = 0  # a sample with an empty slot

    with torch.inference_mode():
        full = served.module(*inputs)
        with torch.autocast("cpu", torch.bfloat16):
            half = served.module(*inputs)

    for one, other in zip(_heads(full), _heads(half), strict=True):
        assert torch.isfinite(other).all()
        # bfloat16 keeps eight bits: 4e-3 per product, several layers deep.
        assert (one - other.float()).abs().max() <= 0.1 * one.abs().max()


def _heads(answer: torch.Tensor | tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return answer if isinstance(answer, tuple) else (answer,)
