"""Labels of a file's frames: each says what the timeline says of its moment, whenever that was decided."""

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest

from pipelines.results import PersonTimeline
from pipelines.stream.actions.events import EventDating, EventStage
from pipelines.stream.config import PipelineConfig
from pipelines.stream.settle import Settled, settled, settling_s
from pipelines.stream.timeline import Timeline
from pipelines.types import ActionState, Event, EventState, Frame, FrameResult, PersonStatus
from tests.fakes import contract_of, poses_of, scores_of, waving_keypoints

LABELS = ("walk", "sit", "fall", "none")
IMAGE = np.zeros((48, 64, 3), np.uint8)


def event(action: str, start_s: float, end_s: float, state: EventState = "ended", score: float = 0.8) -> Event:
    return Event(f"{action}{start_s}", 1, action, state, start_s, end_s, score, None)


def state(action: str | None = None, status: PersonStatus = "assessed") -> ActionState:
    return ActionState(1, 0.0, action, 0.3, status)


def shown(result: FrameResult) -> str | None:
    return result.states[0].action if result.states else None


def result_at(time_s: float, *events: Event, said: str | None = None) -> FrameResult:
    return FrameResult(
        Frame(round(time_s * 10), time_s, IMAGE), poses_of(time_s), (replace(state(said), time_s=time_s),), events
    )


def test_frame_shows_an_action_from_its_onset_though_it_was_named_later() -> None:
    held = Settled(2.0, keeps_pictures=False)
    results = [result_at(index / 10, said="sit_down") for index in range(10)]
    results.append(result_at(1.0, event("fall", 0.3, 1.0, "confirmed")))

    given = [one for result in results for one in held.add(result)]
    given += held.finish([event("fall", 0.3, 0.8)])

    assert [shown(one) for one in given] == [None] * 3 + ["fall"] * 5 + ["fall"] + [None] * 2


@pytest.mark.parametrize("state_name", ["provisional", "retracted"])
def test_action_that_was_never_confirmed_is_not_shown(state_name: EventState) -> None:
    (found,) = settled([state("walk")], 1.0, {1: {"a": event("walk", 0.5, 2.0, state_name)}})

    assert (found.action, found.status) == (None, "none")


@pytest.mark.parametrize("status", ["warming_up", "unknown", "not_assessable", "none"])
def test_person_without_an_action_keeps_what_was_said_of_them(status: PersonStatus) -> None:
    (found,) = settled([state(None, status)], 1.0, {})

    assert found.status == status


def test_of_two_actions_at_once_the_surer_is_shown_and_at_a_border_the_one_that_begins() -> None:
    events = {one.event_id: one for one in (event("sit", 0, 2), event("walk", 2, 4), event("fall", 3, 5, score=0.95))}

    found = [settled([state()], time_s, {1: events})[0].action for time_s in (1.0, 2.0, 3.5, 4.5, 5.0, 5.1)]

    assert found == ["sit", "walk", "fall", "fall", "fall", None]


def test_pictures_are_kept_only_for_those_who_want_them() -> None:
    picture = np.full((48, 64, 3), 200, np.uint8)
    cv2.circle(picture, (30, 20), 8, (40, 90, 220), -1)
    result = replace(result_at(0.0), frame=Frame(0, 0.0, picture))

    with_pictures, without = (Settled(1.0, keeps_pictures=kept) for kept in (True, False))
    (one,) = [*with_pictures.add(result), *with_pictures.finish([])]
    (other,) = [*without.add(result), *without.finish([])]

    assert np.abs(one.frame.image.astype(int) - picture).mean() < 2
    assert other.frame.size_wh == (64, 48)
    assert not other.frame.image.any()


def test_what_is_held_is_bounded_by_media_time() -> None:
    held = Settled(1.0, keeps_pictures=False)

    given = [len(list(held.add(result_at(index / 10)))) for index in range(100)]

    assert sum(given) == 100 - 11


@pytest.mark.parametrize("seed", range(20))
def test_every_frame_that_was_given_on_agrees_with_the_final_timeline(seed: int) -> None:
    """Random answers, pauses in which nobody can be judged, and people who come and go."""
    contract, config = contract_of(LABELS), PipelineConfig()
    smooth_s = (config.smooth.mean_s - config.window.stride_s) / 2
    stage = EventStage(
        "clip", contract.labels, contract.actions, config.events, EventDating(contract.window_s, smooth_s)
    )
    held, timeline = Settled(settling_s(contract, config), keeps_pictures=False), Timeline()

    given: list[FrameResult] = []
    for result in _random_minute(np.random.default_rng(seed), stage):
        timeline.add(result)
        given += held.add(result)
    last = stage.finish()
    timeline.add_events(last)
    given += held.finish(last)

    assert [one.frame.index for one in given] == list(range(len(given)))
    for one in given:
        for person in one.states:
            row = next(track for track in timeline.tracks() if track.track_id == person.track_id)
            assert (person.action is None) == (not _covering(row, one.frame.time_s))
            assert person.action is None or person.action in _covering(row, one.frame.time_s)


def _random_minute(dice: np.random.Generator, stage: EventStage) -> Iterator[FrameResult]:
    """Six hundred frames; every second one has an answer for the person who is there."""
    track_id, is_there, status, row = 1, True, "assessed", (0.0, 0.0, 0.0, 1.0)
    for index in range(600):
        if dice.random() < 0.02:
            is_there = not is_there
            track_id += int(is_there and dice.random() < 0.5)
        if dice.random() < 0.1:
            status = str(dice.choice(["assessed", "not_assessable"], p=[0.7, 0.3]))
            answer = dice.dirichlet([0.3, 0.3, 0.3, 0.3])
            row = (float(answer[0]), float(answer[1]), float(answer[2]), float(answer[3]))
        yield _frame(stage, index, track_id if is_there else None, status, row)


def _frame(
    stage: EventStage, index: int, track_id: int | None, status: str, row: tuple[float, float, float, float]
) -> FrameResult:
    time_s = index / 10
    told: PersonStatus = "assessed" if status == "assessed" else "not_assessable"
    poses = poses_of(time_s, people={} if track_id is None else {track_id: waving_keypoints(time_s)})
    people = () if track_id is None else (ActionState(track_id, time_s, "walk", 0.5, "assessed"),)
    answers = scores_of(time_s, *row, track_id=track_id, status=told) if track_id and index % 2 == 0 else ()
    return FrameResult(Frame(index, time_s, IMAGE), poses, people, stage(poses, answers))


def _covering(row: PersonTimeline, time_s: float) -> set[str]:
    """Actions at a moment; one that ends at it counts where none goes on."""
    going_on = {one.action for one in row.actions if one.start_s <= time_s < one.end_s}
    return going_on or {one.action for one in row.actions if one.end_s == time_s}
