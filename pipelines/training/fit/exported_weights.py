"""The weights of an exported model folder, to learn on from: what is shipped as ONNX can be fine-tuned.

The exporter keeps the names of tensors and folds batch norms into the convolutions before them. A norm that was folded
is given back as one that changes nothing, so that the network answers as the file does.
"""

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from models.runtime.contract import load_contract, verify_weights

_WRAPPERS = ("network.", "members.0.", "1.")
"""What stands round a network when it is exported: one person, several seeds, heatmaps before it."""


def exported_weights(folder: Path, network: nn.Module) -> dict[str, Tensor]:
    """Tensors by the network's names, of the first member where there are several; raises ModelError."""
    # What has the hash of its contract is what was exported.
    verify_weights(load_contract(folder / "model.json"), folder / "model.onnx")
    graph = onnx.load(folder / "model.onnx").graph
    found = {
        _bare(item.name): torch.from_numpy(numpy_helper.to_array(item).copy())
        for item in graph.initializer
        if "members." not in item.name or "members.0." in item.name
    }
    own = network.state_dict()
    known = {name: tensor for name, tensor in found.items() if name in own}
    return _identity_norms(network, known) | known


def _bare(name: str) -> str:
    for wrapper in _WRAPPERS:
        while name.startswith(wrapper):
            name = name.removeprefix(wrapper)
    return name


def _identity_norms(network: nn.Module, known: dict[str, Tensor]) -> dict[str, Tensor]:
    """For every batch norm without weights: the values with which it changes nothing."""
    given: dict[str, Tensor] = {}
    for name, module in network.named_modules():
        if not isinstance(module, nn.modules.batchnorm._BatchNorm):
            continue
        given[f"{name}.num_batches_tracked"] = torch.tensor(0)
        if f"{name}.weight" not in known:
            one = torch.ones(module.num_features)
            given |= {
                f"{name}.weight": one * (1 + module.eps) ** 0.5, f"{name}.bias": one * 0,
                f"{name}.running_mean": one * 0, f"{name}.running_var": one,
            }  # fmt: skip
    return given
