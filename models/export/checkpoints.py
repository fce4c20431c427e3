"""Checkpoints that others published: read without executing them, renamed to ours, loaded without leniency.

Names. PYSKL and MMAction2 0.x and 1.x store `backbone.X` and `cls_head.fc_cls.Y`; ours are X and `fc_cls.Y`, everything
below equal. MMAction2 1.x's GCNHead calls the classifier `cls_head.fc`; data-parallel training puts `module.` before it
all. `data_preprocessor.*` holds the pixel statistics of MMEngine's input pipeline, which no network reads.
"""

import pickle
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from models.errors import CheckpointMismatch

_RENAMED = (
    ("module.", ""),
    ("backbone.", ""),
    ("cls_head.fc.", "fc_cls."),
    ("cls_head.", ""),
)
_NOT_A_NETWORK = ("data_preprocessor.",)
_WRAPPERS = ("state_dict", "model_state_dict", "model")
# Types that MMEngine leaves in its metadata; they are replaced by `_Inert`, never imported.
_METADATA = ("mmengine.", "mmcv.", "numpy.")


class _Inert:
    """Takes the place of an object of a checkpoint's metadata: accepts any state and keeps none."""

    def __init__(self, *_: object) -> None:
        """Forget the arguments."""

    def __setstate__(self, state: object) -> None:
        """Forget the state."""


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint under our names.

    No object of the file is executed. Raises CheckpointMismatch for what is no checkpoint, or would need to be.
    """
    content = _read(path)
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping):
        raise CheckpointMismatch(f"{path.name}: holds a {type(content).__name__}, expected named tensors")
    state = {our_name(key): value for key, value in content.items() if isinstance(key, str)}
    strange = [key for key, value in state.items() if not isinstance(value, Tensor)]
    if strange or not state:
        raise CheckpointMismatch(f"{path.name}: expected named tensors, found {strange[0] if strange else 'none'}")
    return {key: value for key, value in state.items() if not key.startswith(_NOT_A_NETWORK)}


def our_name(key: str) -> str:
    """Our name of a tensor of PYSKL or MMAction2."""
    for theirs, ours in _RENAMED:
        if key.startswith(theirs):
            key = ours + key.removeprefix(theirs)
    return key


def load_strictly(network: nn.Module, state: Mapping[str, Tensor], unread: tuple[str, ...] = ()) -> None:
    """Copy every tensor into `network`; raises CheckpointMismatch that names each one that is missing, left over, of
    another shape, or not finite. `unread` names tensors that may be left over.
    """
    misfits = list(_misfits(network.state_dict(), state, unread))
    if misfits:
        raise CheckpointMismatch("\n".join([f"{len(misfits)} tensors do not fit:", *misfits]))
    network.load_state_dict({key: value for key, value in state.items() if key not in unread})


def _misfits(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], unread: tuple[str, ...]) -> Iterator[str]:
    for key, tensor in wanted.items():
        if key not in found:
            yield f"missing {key} {tuple(tensor.shape)}"
        elif found[key].shape != tensor.shape:
            yield f"{key}: found {tuple(found[key].shape)}, expected {tuple(tensor.shape)}"
        elif not torch.isfinite(found[key]).all():
            yield f"{key}: holds values that are not finite"
    for key, tensor in found.items():
        if key not in wanted and key not in unread:
            yield f"left over {key} {tuple(tensor.shape)}"


def _read(path: Path) -> object:
    if not path.is_file():
        raise CheckpointMismatch(f"{path}: no such file")
    try:
        with torch.serialization.safe_globals([*_stand_ins(path)]), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about pickle protocols other than torch's own
            content: object = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, ValueError, RuntimeError, KeyError, AttributeError, TypeError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointMismatch(f"{path.name}: cannot be read safely as a checkpoint: {reason[-1]}") from error
    return content


def _stand_ins(path: Path) -> list[tuple[type[_Inert], str]]:
    """Inert types for known metadata; refuses a file that names any other type than tensors and containers."""
    if not zipfile.is_zipfile(path):
        return []
    named = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    refused = sorted(name for name in named if not name.startswith(_METADATA))
    if refused:
        raise CheckpointMismatch(f"{path.name}: refused: opening it would run {', '.join(refused)} when opened")
    return [(_Inert, name) for name in named]
