"""From single windows to a steady label per person."""

import numpy as np
import pytest

from models.runtime.action import ActionModel
from models.runtime.contract import FamilyRule
from pipelines.stream.actions.classify import ActionStage
from pipelines.stream.actions.label import LabelStage
from pipelines.stream.actions.smooth import SmoothStage
from pipelines.stream.config import SmoothConfig
from pipelines.types import ActionScores, ActionState, Window, WindowBatch, Withheld
from tests.fakes import FakeNetwork, contract_of, poses_of, scores_of, waving_keypoints

LABELS = ("walk", "run", "none")


def window(track_id: int) -> Window:
    keypoints = np.stack([waving_keypoints(tick / 15) for tick in range(30)])
    return Window(track_id, 0.0, 2.0, (640, 480), keypoints, np.ones(30, np.bool_))


def smooth(*rows: tuple[ActionScores, ...]) -> ActionScores:
    stage = SmoothStage(SmoothConfig(), LABELS)
    for row in rows:
        (last,) = stage(poses_of(row[0].time_s), row)
    return last


def show(*rows: tuple[ActionScores, ...]) -> tuple[list[ActionState], LabelStage]:
    stage = LabelStage(SmoothConfig(), LABELS, contract_of(LABELS).actions)
    return [stage(poses_of(row[0].time_s), row)[0] for row in rows], stage


def test_action_stage_judges_all_people_in_one_batch() -> None:
    network = FakeNetwork([3.0, 0.0, 0.0])
    stage = ActionStage(ActionModel(contract_of(), network))

    scores = stage(WindowBatch((window(1), window(2)), (Withheld(3, 2.0, "not_assessable", "occluded"),)))

    assert len(network.fed) == 1
    assert [(item.track_id, item.status, item.reason) for item in scores] == [
        (1, "assessed", None), (2, "assessed", None), (3, "not_assessable", "occluded"),
    ]  # fmt: skip
    assert not scores[2].probabilities.any()


@pytest.mark.parametrize(
    ("logits", "status"),
    [([3.0, 0.0, 0.0], "assessed"), ([0.0, 0.0, 3.0], "none"), ([0.1, 0.1, 0.0], "unknown")],
)
def test_action_stage_tells_actions_none_and_unknown_apart(logits: list[float], status: str) -> None:
    stage = ActionStage(ActionModel(contract_of(), FakeNetwork(logits)))

    (scores,) = stage(WindowBatch((window(1),)))

    assert scores.status == status


def test_action_stage_asks_nothing_between_two_ticks() -> None:
    network = FakeNetwork([3.0, 0.0, 0.0])

    assert ActionStage(ActionModel(contract_of(), network))(WindowBatch()) == ()
    assert network.fed == []


@pytest.mark.parametrize(
    ("probabilities", "status", "kept"),
    [
        ((0.45, 0.4, 0.15), "unknown", (0.0, 0.0, 0.15)),
        ((0.8, 0.1, 0.1), "assessed", (0.8, 0.1, 0.1)),
        ((0.2, 0.25, 0.55), "none", (0.2, 0.25, 0.55)),
    ],
    ids=["of the family but which", "sure of the member", "not of the family"],
)
def test_smooth_says_neither_of_two_labels_of_a_family_that_are_both_likely(
    probabilities: tuple[float, float, float], status: str, kept: tuple[float, float, float]
) -> None:
    family = FamilyRule(labels=("walk", "run"), threshold=0.5, share=0.7)
    stage = SmoothStage(SmoothConfig(), LABELS, {"locomotion": family})

    (found,) = stage(poses_of(1.0), scores_of(1.0, *probabilities))

    assert found.status == status
    np.testing.assert_allclose(found.probabilities, kept)


def test_smooth_is_the_mean_of_the_last_three_windows() -> None:
    last = smooth(
        scores_of(1.0, 0.0, 0.0, 1.0),
        scores_of(1.2, 0.9, 0.1, 0.0),
        scores_of(1.4, 0.6, 0.1, 0.3),
        scores_of(1.6, 0.3, 0.1, 0.6),
    )

    assert last.probabilities == pytest.approx([0.6, 0.1, 0.3])


def test_smooth_does_not_reach_across_a_pause() -> None:
    last = smooth(scores_of(1.0, 1.0, 0.0, 0.0), scores_of(3.0, 0.0, 1.0, 0.0))

    assert last.probabilities == pytest.approx([0, 1, 0])


def test_smooth_counts_an_unknown_window_as_no_evidence() -> None:
    last = smooth(
        scores_of(1.0, 0.9, 0.1, 0.0), scores_of(1.2, 0.9, 0.1, 0.0), scores_of(1.4, 0.9, 0.1, 0.0, status="unknown")
    )

    assert last.status == "assessed"
    assert last.probabilities[0] == pytest.approx(0.6)


def test_smooth_is_unknown_when_half_of_the_windows_are() -> None:
    last = smooth(scores_of(1.0, 0.9, 0.1, 0.0), scores_of(1.2, 0.9, 0.1, 0.0, status="unknown"))

    assert last.status == "unknown"


def test_label_is_warming_up_before_the_first_window() -> None:
    stage = LabelStage(SmoothConfig(), LABELS, contract_of(LABELS).actions)

    (state,) = stage(poses_of(0.1), ())

    assert (state.status, state.action) == ("warming_up", None)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (scores_of(1.0, 0.6, 0.1, 0.3), ("assessed", "walk")),
        (scores_of(1.0, 0.45, 0.35, 0.2), ("unknown", None)),
        (scores_of(1.0, 0.1, 0.1, 0.8, status="none"), ("none", None)),
        (scores_of(1.0, 0.6, 0.1, 0.3, status="unknown"), ("unknown", None)),
        (scores_of(1.0, 0.0, 0.0, 0.0, status="not_assessable"), ("not_assessable", None)),
    ],
)
def test_label_is_the_strongest_action_above_its_threshold(
    row: tuple[ActionScores, ...], expected: tuple[str, str | None]
) -> None:
    (state,), _ = show(row)

    assert (state.status, state.action) == expected


def test_label_stands_between_two_windows() -> None:
    states, stage = show(scores_of(1.0, 0.6, 0.1, 0.3))

    (between,) = stage(poses_of(1.1), ())

    assert between == states[0]


def test_label_does_not_flicker_between_near_equals() -> None:
    states, stage = show(
        scores_of(1.0, 0.51, 0.40, 0.0), scores_of(1.2, 0.45, 0.52, 0.0), scores_of(1.4, 0.51, 0.45, 0.0)
    )

    assert [state.action for state in states] == ["walk", "walk", "walk"]
    assert stage.num_flips == 0


def test_label_changes_to_a_clearly_stronger_action_and_counts_it() -> None:
    states, stage = show(scores_of(1.0, 0.6, 0.1, 0.3), scores_of(1.2, 0.35, 0.55, 0.1))

    assert [state.action for state in states] == ["walk", "run"]
    assert stage.num_flips == 1


def test_label_fades_below_its_offset_threshold() -> None:
    states, _ = show(scores_of(1.0, 0.6, 0.1, 0.3), scores_of(1.2, 0.35, 0.1, 0.3), scores_of(1.4, 0.2, 0.1, 0.2))

    assert [state.action for state in states] == ["walk", "walk", None]


def test_label_of_a_person_who_left_is_gone() -> None:
    _, stage = show(scores_of(1.0, 0.6, 0.1, 0.3))

    away = stage(poses_of(1.1, people={}, ended=((1, "left"),)), ())
    (back,) = stage(poses_of(1.2), ())

    assert away == ()
    assert back.status == "warming_up"
