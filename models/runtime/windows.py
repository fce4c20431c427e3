"""Declares what the network of an action model is fed: the same for every window, whatever the file leaves free."""

import numpy as np

from models.runtime.contract import ActionContract
from models.runtime.device import is_bound
from models.runtime.preprocess import People, network_feeds
from models.runtime.session import Session
from models.runtime.shapes import BATCHES, Shape
from models.skeleton.layouts import require_layout
from models.skeleton.network_input import graph_input_2d

_BLANK_WH = (640, 360)
_PICTURES_MAX = 8
"""Windows with pictures at once on a device: each is some fifty megabytes before its first layer."""


def declare_windows(contract: ActionContract, session: Session) -> None:
    """Declare the shape of one window's input; no effect on the CPU. Raises ContractMismatch."""
    if is_bound(session.device):
        max_batch = _PICTURES_MAX if contract.features == "rgbpose" else BATCHES[-1]
        session.declare(_rows(contract), max_batch)


def sample_window(contract: ActionContract) -> People:
    """One window in which everybody is seen and nobody moves, with all that the model's features want of it."""
    num_joints = len(require_layout(contract.layout))
    keypoints = np.ones((1, contract.num_persons, contract.num_samples, num_joints, 3), np.float32)
    keypoints[..., :2] += np.arange(2 * num_joints, dtype=np.float32).reshape(num_joints, 2)
    valid = np.ones(keypoints.shape[:3], np.bool_)
    picture = np.zeros((_BLANK_WH[1], _BLANK_WH[0], 3), np.uint8)
    pictures = [[picture] * contract.num_samples] if contract.features == "rgbpose" else []
    return People(keypoints, valid, np.array([_BLANK_WH], np.float32), pictures)


def _rows(contract: ActionContract) -> dict[str, Shape]:
    """Input → shape of one window's input, as the features make it."""
    if not contract.is_continual:
        return {name: value.shape[1:] for name, value in network_feeds(contract, sample_window(contract)).items()}
    frames, state = contract.inputs
    layout = require_layout(contract.layout)
    values = graph_input_2d(np.zeros((1, 1, len(layout), 3), np.float32), _BLANK_WH, layout, contract.stream)
    return {frames.name: (*values.shape[1:-1], int(frames.shape[-1])), state.name: (int(state.shape[1]),)}
