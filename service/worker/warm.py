"""Runs every network once with every batch size, so that no first frame has to wait for it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.arrays import Image
from models.skeleton.layouts import require_layout
from pipelines.stream.build import Networks, PeopleNetworks
from pipelines.types import UNNAMED

_PICTURE_HW = (360, 640)
_REGION = np.array([[320, 180, 200, 0]], np.float32)
_HANDLING_MS = 4.0
_REPEATS = 7


def warm(networks: Networks, max_persons: int) -> None:
    """Empty pictures and empty windows, for one to `max_persons` people."""
    warm_people(networks, max_persons)
    contract = networks.action.contract
    num_joints = len(require_layout(contract.layout))
    for size in range(1, max_persons + 1):
        keypoints = np.zeros((size, contract.num_frames, num_joints, 3), np.float32)
        networks.action(keypoints, np.zeros((size, contract.num_frames), np.bool_))


def warm_people(networks: PeopleNetworks, max_persons: int) -> None:
    """The same for those that find people and joints alone."""
    picture = _picture()
    for detector in (networks.detector, networks.glance, networks.crop_detector):
        if detector is not None:
            detector([picture])
    for size in range(1, max_persons + 1):
        networks.pose([picture] * size, np.tile(_REGION, (size, 1)))


@dataclass(frozen=True, slots=True)
class PeopleCost:
    """Milliseconds that networks take here: a look and a glance at a picture, the joints of one person.

    is_one_stage: the joints come with the people; `pose_ms` is then of a whole picture.
    """

    look_ms: float
    glance_ms: float
    pose_ms: float
    is_one_stage: bool

    @property
    def frame_ms(self) -> float:
        """Mean per analysed frame of a calm scene with one and a half people, at fifteen frames per second.

        That is one full detection and four cheap ones each second, joints in every frame, and some handling.
        """
        if self.is_one_stage:
            return self.pose_ms + _HANDLING_MS
        return (self.look_ms + 4 * self.glance_ms) / 15 + 1.5 * self.pose_ms + _HANDLING_MS


def measure_budget(networks: PeopleNetworks, num_cores: float) -> float:
    """Frames per second that this worker can analyse, by a short measurement now; a fifth is kept free for bursts."""
    return round(0.8 * max(1.0, num_cores) / (measure_people(networks).frame_ms / 1000), 1)


def measure_people(networks: PeopleNetworks) -> PeopleCost:
    """By a short measurement now; the best of several times, for whatever else runs is not the networks' cost."""
    look_ms = _best_ms(lambda picture: networks.detector([picture]))
    glance = networks.glance
    glance_ms = look_ms if glance is None else _best_ms(lambda picture: glance([picture]))
    pose_ms = _best_ms(lambda picture: networks.pose([picture], _REGION))
    return PeopleCost(look_ms, glance_ms, pose_ms, networks.detector_id == networks.pose_id != UNNAMED)


def measure_action(networks: Networks) -> float:
    """Milliseconds of the action model for the window of one person."""
    contract = networks.action.contract
    keypoints = np.zeros((1, contract.num_frames, len(require_layout(contract.layout)), 3), np.float32)
    valid = np.zeros((1, contract.num_frames), np.bool_)
    return _best_ms(lambda _: networks.action(keypoints, valid))


def _picture() -> Image:
    return np.zeros((*_PICTURE_HW, 3), np.uint8)


def _best_ms(call: Callable[[Image], object]) -> float:
    times_s = []
    for _ in range(_REPEATS):
        # A new one each time: a network that finds people and joints at once remembers its last pictures.
        picture = _picture()
        began_s = time.perf_counter()
        call(picture)
        times_s.append(time.perf_counter() - began_s)
    return 1000 * min(times_s)
