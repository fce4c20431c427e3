"""Pairs: who stands near whom, and what a network of two people is shown."""

from collections.abc import Mapping

import numpy as np
import pytest

from models.arrays import AnyArray, FloatArray
from models.errors import LayoutNotServed
from models.runtime.action import ActionModel
from models.runtime.contract import ActionContract
from pipelines.results import persons
from pipelines.stream.actions.classify import ActionStage
from pipelines.stream.actions.partners import REACH, nearest
from pipelines.stream.build import build_actions
from pipelines.stream.config import PipelineConfig
from pipelines.types import Window, WindowBatch
from tests.fakes import contract_of, poses_of, waving_keypoints

HEIGHT_PX = 199.0
"""Of the person in waving_keypoints."""


def window(track_id: int, x_px: float, valid: AnyArray | None = None) -> Window:
    """Three seconds of a person who stands at `x_px`."""
    keypoints = np.stack([waving_keypoints(tick / 30, (x_px, 240.0)) for tick in range(90)])
    seen = np.ones(90, np.bool_) if valid is None else valid
    keypoints[~seen] = 0
    return Window(track_id, 0.0, 3.0, (640, 480), keypoints, seen)


def pairs(**changes: object) -> ActionContract:
    """The contract of a published network of two people."""
    inputs = [{"name": "keypoint", "shape": ["batch", "persons", "frames", 17, 3], "dtype": "float32"}]
    values: dict[str, object] = {
        "features": "pyskl-2d", "sampling": "uniform", "num_persons": 2, "window_s": 3.0, "rate_hz": 30.0,
        "num_frames": 100, "inputs": inputs,
    }  # fmt: skip
    return ActionContract.model_validate(contract_of().model_dump() | values | changes)


class Recorder:
    """A network that keeps what it is fed."""

    def __init__(self) -> None:
        self.fed: FloatArray = np.zeros(0, np.float32)

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        (self.fed,) = feeds.values()
        return {"logits": np.tile(np.array([[3.0, 0, 0]], np.float32), (len(self.fed), 1))}


@pytest.mark.parametrize(
    ("xs", "expected"),
    [
        ([100, 200], [(1,), (0,)]),
        ([100, 200, 250], [(1,), (2,), (1,)]),
        ([100, 100 + REACH * HEIGHT_PX - 10], [(1,), (0,)]),
        ([100, 100 + REACH * HEIGHT_PX + 10], [(), ()]),
        ([100], [()]),
    ],
    ids=["two", "the nearer of two", "just in reach", "out of reach", "alone"],
)
def test_partner_is_the_nearest_person_in_reach(xs: list[float], expected: list[tuple[int, ...]]) -> None:
    assert nearest([window(index, x) for index, x in enumerate(xs)], 1) == expected


def test_people_who_were_never_seen_together_are_no_pair() -> None:
    early, late = np.arange(90) < 40, np.arange(90) >= 50

    assert nearest([window(1, 100, early), window(2, 150, late)], 1) == [(), ()]


def test_network_of_two_is_shown_both_and_says_who_the_other_was() -> None:
    network = Recorder()
    stage = ActionStage(ActionModel(pairs(), network))

    answers = stage(WindowBatch((window(4, 200), window(9, 300), window(5, 5000))))

    assert [answer.partner for answer in answers] == [9, 4, None]
    first, second, alone = network.fed
    np.testing.assert_array_equal(first[0], second[1])
    np.testing.assert_array_equal(first[1], second[0])
    assert (alone[0] != 0).any()
    assert (alone[1] == 0).all()


def test_network_of_one_has_no_partners() -> None:
    network = Recorder()

    answers = ActionStage(ActionModel(pairs(num_persons=1), network))(WindowBatch((window(4, 200), window(9, 300))))

    assert [answer.partner for answer in answers] == [None, None]
    assert network.fed.shape[1] == 1


def test_partner_is_said_of_a_person_in_a_frame() -> None:
    chain = build_actions(ActionModel(pairs(), Recorder()), PipelineConfig(), "clip")
    for tick in range(60):
        bodies = {1: waving_keypoints(tick / 15, (200.0, 240.0)), 2: waving_keypoints(tick / 15, (300.0, 240.0))}
        poses = poses_of(tick / 15, frame_index=tick, people=bodies)
        states = chain(poses).states

    told = persons(poses, states)

    assert [(one["track_id"], one["action"], one["partner"]) for one in told] == [(1, "walk", 2), (2, "walk", 1)]


@pytest.mark.parametrize(("layout", "features"), [("hand21", "pyskl-2d"), ("nturgbd25", "pyskl-3d")])
def test_network_whose_joints_bodies_do_not_give_is_refused_before_the_first_frame(layout: str, features: str) -> None:
    model = ActionModel(pairs(layout=layout, features=features), Recorder())

    with pytest.raises(LayoutNotServed, match=layout):
        build_actions(model, PipelineConfig(), "clip")
