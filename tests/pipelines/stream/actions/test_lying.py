"""Who may be judged as lying: not somebody of whom only a part was ever seen."""

import numpy as np
import pytest

from models.arrays import FloatArray
from models.runtime.action import ActionModel
from pipelines.stream.actions.classify import ActionStage
from pipelines.stream.actions.lying import WholeBody
from pipelines.stream.actions.window import WindowStage
from pipelines.stream.config import WindowConfig
from pipelines.types import Poses, Window, WindowBatch
from tests.fakes import FakeNetwork, contract_of, waving_keypoints

SIZE_WH = (640, 480)
INSIDE = np.array([200, 100, 400, 400], np.float32)
CUT = np.array([0, 200, 240, 300], np.float32)


def body(*, feet: float, lying: bool) -> FloatArray:
    keypoints = waving_keypoints(0.0)
    if lying:
        keypoints[:, :2] = keypoints[:, [1, 0]]
    keypoints[[15, 16], 2] = feet
    return keypoints


def answers(keypoints: FloatArray, box: FloatArray, before: FloatArray | None = None) -> list[bool]:
    whole, shown = WholeBody(), [] if before is None else [before] * 8
    return [whole.see(i / 15, points, box, SIZE_WH) for i, points in enumerate([*shown, *[keypoints] * 30])]


def test_who_is_cut_and_shows_no_feet_may_not_lie() -> None:
    assert not any(answers(body(feet=0.1, lying=True), CUT))


@pytest.mark.parametrize(
    ("keypoints", "box", "before"),
    [
        (body(feet=0.1, lying=True), INSIDE, None),
        (body(feet=0.7, lying=True), CUT, None),
        (body(feet=0.1, lying=True), CUT, body(feet=0.9, lying=False)),
        (body(feet=0.1, lying=True), CUT, body(feet=0.1, lying=False)),
    ],
    ids=["in full view", "feet are seen", "was seen whole", "stood before"],
)
def test_who_was_seen_well_may_lie(keypoints: FloatArray, box: FloatArray, before: FloatArray | None) -> None:
    assert all(answers(keypoints, box, before)[-20:])


def windows_of(keypoints: FloatArray, box: FloatArray) -> list[Window]:
    stage = WindowStage(WindowConfig(), 2.0, 15.0)
    found: list[Window] = []
    for i in range(45):
        poses = Poses(
            i, i / 15, SIZE_WH, np.array([1]), keypoints[None], box[None], np.ones(1, np.float32), (None,)
        )  # fmt: skip
        found += stage(poses).ready
    return found


def test_windows_carry_whether_the_person_may_lie() -> None:
    assert {window.may_lie for window in windows_of(body(feet=0.1, lying=True), CUT)} == {False}
    assert {window.may_lie for window in windows_of(body(feet=0.9, lying=True), CUT)} == {True}


@pytest.mark.parametrize(
    ("logits", "may_lie", "status"),
    [((0, 5, 0), False, "not_assessable"), ((0, 5, 0), True, "assessed"), ((5, 0, 0), False, "assessed")],
    ids=["lying is withheld", "lying is told", "anything else is told"],
)
def test_only_lying_is_withheld(logits: tuple[float, ...], may_lie: bool, status: str) -> None:
    stage = ActionStage(ActionModel(contract_of(), FakeNetwork(logits)))
    window = Window(1, 0.0, 2.0, SIZE_WH, np.zeros((30, 17, 3), np.float32), np.ones(30, np.bool_), may_lie)

    (scores,) = stage(WindowBatch((window,)))

    assert scores.status == status
    assert (scores.reason == "edge_of_frame") == (status == "not_assessable")


@pytest.mark.parametrize("reason", ["camera_moved", "camera_rotated"])
def test_one_frame_of_a_moving_or_turned_camera_withholds_the_window(reason: str) -> None:
    stage, withheld = WindowStage(WindowConfig(), 2.0, 15.0), []
    for i in range(75):
        reasons = (reason if i == 30 else None,)
        poses = Poses(
            i, i / 15, SIZE_WH, np.array([1]), waving_keypoints(0.0)[None], INSIDE[None], np.ones(1, np.float32),
            reasons,  # type: ignore[arg-type]
        )  # fmt: skip
        withheld += [(item.reason, item.time_s) for item in stage(poses).withheld if item.status == "not_assessable"]

    assert {why for why, _ in withheld} == {reason}
    assert all(2.0 <= time_s < 4.1 for _, time_s in withheld)
