"""Where a trained network looks for a label: STF's own focus, and of other joint networks what each joint changes."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.arrays import FloatArray
from models.nets.stf import FocusNetwork, focus, scaled, stretched
from models.skeleton.layouts import require_layout
from models.skeleton.pyskl_features import sample_for_test
from pipelines.errors import ConfigInvalid, DatasetInvalid
from pipelines.training.fit.run import load_run, objective_of
from pipelines.training.fit.sequences import Sequences, SkeletonSequence, load_test
from pipelines.training.fit.views import build_maker
from pipelines.training.visualize.bodies import Bodies

_BLUR_FRAMES = 5


@dataclass(frozen=True, slots=True)
class FocusMap:
    """What is drawn: the people of the frames that the network saw, and (M, T, V) 0..1 how much each joint counted.

    label: the class whose focus it is.  probability: what the network gave it.
    """

    bodies: Bodies
    weight: FloatArray
    label: str
    probability: float


def focus_of(run: Path, folders: tuple[Path, ...], name: str | None = None, label: str | None = None) -> FocusMap:
    """The focus of a label on a sequence of a run's test part.

    name: of the sequence, None for the first.  label: None for what the network says of it.
    Raises ConfigInvalid for a run that does not learn from joints, DatasetInvalid for names that are not there.
    """
    state = load_run(run)
    recipe = state.recipe
    if not recipe.input.features.startswith("pyskl"):
        raise ConfigInvalid(
            f"{run.name}: input.features is {recipe.input.features!r}, a focus needs 'pyskl-2d' or '-3d'"
        )
    sequences = load_test(recipe, folders)
    item = _named(sequences, name)
    maker = build_maker(recipe)
    prepared = maker.prepare(replace(sequences, items=(item,)))
    (view,) = maker.test(prepared.items[0], 1, False)
    x = torch.from_numpy(view).float()
    network = objective_of(state).network
    with torch.no_grad():
        probabilities = network(x).softmax(dim=1)[0]
    target = int(probabilities.argmax()) if label is None else _index(state.classes, label)
    weight = _weights(network, x, target)
    index = sample_for_test(prepared.items[0].num_frames, recipe.input.num_frames)
    shown = prepared.items[0].keypoint[: weight.shape[0], index]
    return FocusMap(
        _bodies(shown, recipe.input.layout, recipe.input.features == "pyskl-3d", item),
        weight[: len(shown)], state.classes[target], float(probabilities[target]),
    )  # fmt: skip


def joint_weights(network: nn.Module, x: Tensor, target: int) -> Tensor:
    """(B*M, T, V) how much each joint of (B, M, T, V, C) changes the logit of a class: |gradient x input|.

    The gradient of one frame is noisy: it is averaged over five.
    """
    B, M, T, V, _ = x.shape
    joints = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(joints)[:, target].sum(), joints)
    change = (gradient * (x - x.mean(dim=2, keepdim=True))).sum(dim=-1).abs().reshape(B * M, T, V)
    smooth = torch.nn.functional.avg_pool1d(change.transpose(1, 2), _BLUR_FRAMES, 1, _BLUR_FRAMES // 2)
    return smooth.transpose(1, 2)


def _weights(network: nn.Module, x: Tensor, target: int) -> FloatArray:
    if isinstance(network, FocusNetwork):
        found = focus(network.observe(x), torch.tensor([target]))[-1]
        found = stretched(found, x.shape[2])
    else:
        found = joint_weights(network, x, target)
    weight: FloatArray = scaled(found.detach()).numpy().astype(np.float32)
    return weight


def _bodies(keypoint: FloatArray, layout: str, is_3d: bool, item: SkeletonSequence) -> Bodies:
    """The normalised joints; PYSKL's have z up, what is drawn has y up."""
    there = (keypoint[..., :2] != 0).any(axis=-1)
    seen = there if is_3d else there & (keypoint[..., 2] > 0)
    x, y, z = np.moveaxis(keypoint, -1, 0)
    joints = np.stack([x, z, -y] if is_3d else [x, y], axis=-1).astype(np.float32)
    return Bodies(joints, seen, require_layout(layout), item.rate_hz)


def _named(sequences: Sequences, name: str | None) -> SkeletonSequence:
    if name is None:
        return sequences.items[0]
    found = next((item for item in sequences.items if item.name == name), None)
    if found is None:
        raise DatasetInvalid(f"no sequence {name!r} in the test part, such as {sequences.items[0].name!r}")
    return found


def _index(classes: tuple[str, ...], label: str) -> int:
    if label not in classes:
        raise DatasetInvalid(f"label {label!r} is not one of {', '.join(classes)}")
    return classes.index(label)
