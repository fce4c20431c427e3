"""Runs every network once with every batch size, so that no first frame pays for it."""

import numpy as np

from pipelines.stream.build import Networks

_PICTURE_HW = (360, 640)


def warm(networks: Networks, max_persons: int) -> None:
    """Empty pictures and empty windows, for one to `max_persons` people."""
    picture = np.zeros((*_PICTURE_HW, 3), np.uint8)
    contract = networks.action.contract
    networks.detector([picture])
    for size in range(1, max_persons + 1):
        regions = np.tile(np.array([320, 180, 200, 0], np.float32), (size, 1))
        networks.pose([picture] * size, regions)
        keypoints = np.zeros((size, contract.num_frames, 17, 3), np.float32)
        networks.action(keypoints, np.zeros((size, contract.num_frames), np.bool_))
