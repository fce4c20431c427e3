"""Runs every network once with every batch size, so that no first frame has to wait for it."""

import time
from collections.abc import Callable
from functools import partial

import numpy as np

from models.skeleton.layouts import require_layout
from pipelines.stream.build import Networks

_PICTURE_HW = (360, 640)
_HANDLING_S = 0.004
_REPEATS = 7


def warm(networks: Networks, max_persons: int) -> None:
    """Empty pictures and empty windows, for one to `max_persons` people."""
    picture = np.zeros((*_PICTURE_HW, 3), np.uint8)
    contract = networks.action.contract
    num_joints = len(require_layout(contract.layout))
    for detector in (networks.detector, networks.glance, networks.crop_detector):
        if detector is not None:
            detector([picture])
    for size in range(1, max_persons + 1):
        regions = np.tile(np.array([320, 180, 200, 0], np.float32), (size, 1))
        networks.pose([picture] * size, regions)
        keypoints = np.zeros((size, contract.num_frames, num_joints, 3), np.float32)
        networks.action(keypoints, np.zeros((size, contract.num_frames), np.bool_))


def measure_budget(networks: Networks, num_cores: float) -> float:
    """Frames per second that this worker can analyse, by a short measurement now.

    The best of several times counts, because whatever else the machine does now is not the networks' cost.
    A calm scene at fifteen frames per second costs one full detection and four cheap ones each second, and for each
    frame the joints of one and a half people and some handling. A fifth of the time is kept free for bursts.
    """
    picture = np.zeros((*_PICTURE_HW, 3), np.uint8)
    region = np.array([[320, 180, 200, 0]], np.float32)
    look_s = _best_s(lambda: networks.detector([picture]))
    glance_s = look_s if networks.glance is None else _best_s(partial(networks.glance, [picture]))
    pose_s = _best_s(lambda: networks.pose([picture], region))
    frame_s = (look_s + 4 * glance_s) / 15 + 1.5 * pose_s + _HANDLING_S
    return round(0.8 * max(1.0, num_cores) / frame_s, 1)


def _best_s(call: Callable[[], object]) -> float:
    times_s = []
    for _ in range(_REPEATS):
        began_s = time.perf_counter()
        call()
        times_s.append(time.perf_counter() - began_s)
    return min(times_s)
