"""Tracks: who is shown, for how long, under which number, and why a track ends."""

import numpy as np
import pytest

from pipelines.stream.config import TrackConfig
from pipelines.types import Demand, Poses
from tests.people_fakes import Person, people_in, watch


def first_shown(poses: list[Poses]) -> int | None:
    return next((frame.frame_index for frame in poses if len(frame)), None)


@pytest.mark.parametrize(
    ("score", "after_s"), [(0.9, 0.25), (0.45, 1.0)], ids=["a strong box soon", "a weak box after a second"]
)
def test_person_is_shown_after_a_time_that_depends_on_the_box(score: float, after_s: float) -> None:
    poses = watch(people_in(lambda moment: [Person((320, 240), score=score)]), 40, rate_hz=20)

    shown = first_shown(poses)
    assert shown is not None
    assert shown / 20 == pytest.approx(after_s, abs=0.051)


@pytest.mark.parametrize("rate_hz", [8, 15, 25, 30])
def test_person_is_shown_at_the_same_time_at_each_rate(rate_hz: float) -> None:
    poses = watch(people_in(lambda moment: [Person((320, 240))]), 40, rate_hz=rate_hz)

    shown = first_shown(poses)
    assert shown is not None
    assert 0.25 <= shown / rate_hz <= 0.25 + 1.01 / rate_hz


def test_person_who_vanishes_is_lost_after_a_second_and_returns_under_a_new_number() -> None:
    poses = watch(people_in(lambda moment: [] if 20 <= moment < 60 else [Person((320, 240))]), 90, rate_hz=20)

    ended = [(frame.time_s, end) for frame in poses for end in frame.ended]
    assert [end for _, end in ended] == [(1, "lost")]
    assert ended[0][0] == pytest.approx(2.0, abs=0.1)
    assert poses[-1].track_id.tolist() == [2]


def test_person_who_is_hidden_for_a_moment_keeps_the_number() -> None:
    poses = watch(people_in(lambda moment: [] if 20 <= moment < 32 else [Person((320, 240))]), 60, rate_hz=20)

    assert not any(frame.ended for frame in poses)
    assert poses[-1].track_id.tolist() == [1]
    assert all(len(frame) == 0 for frame in poses[20:32])


def test_person_who_walks_out_has_left() -> None:
    poses = watch(people_in(lambda moment: [Person((500 + 6 * moment, 240))]), 60, rate_hz=20)

    assert [end for frame in poses for end in frame.ended] == [(1, "left")]


def test_larger_people_come_first_and_the_others_are_counted() -> None:
    crowd = [Person((80 + 120 * column, 240), scale=0.5 + 0.1 * column) for column in range(5)]
    people = people_in(lambda moment: crowd, track=TrackConfig(max_persons=2))

    poses = watch(people, 20)

    assert poses[-1].skipped == 3
    assert sorted((poses[-1].xyxy[:, 0] + poses[-1].xyxy[:, 2]) // 2) == pytest.approx([440, 560], abs=2)


def test_crowd_is_taken_in_over_several_detections() -> None:
    crowd = [Person((60 + 75 * column, 240), scale=0.6) for column in range(8)]
    people = people_in(lambda moment: crowd, track=TrackConfig(max_starts=3))

    poses = watch(people, 40)

    assert max(people.world.batches) <= 8
    assert len(poses[-1]) == 8


def test_person_too_small_is_shown_and_said_to_be_too_small() -> None:
    poses = watch(people_in(lambda moment: [Person((320, 240), scale=0.2)]), 20)

    assert poses[-1].reason == ("too_small",)


def test_person_mostly_outside_the_picture_is_said_to_be_at_the_edge() -> None:
    poses = watch(people_in(lambda moment: [Person((320, 480))]), 20)

    assert poses[-1].reason == ("edge_of_frame",)


def test_empty_room_gives_empty_poses_and_no_tracks() -> None:
    people = people_in(lambda moment: [])

    poses = watch(people, 30)

    assert all(len(frame) == 0 and not frame.ended for frame in poses)
    assert people.track.demand() == "nobody"


@pytest.mark.parametrize(
    ("scene", "demand"),
    [
        pytest.param([Person((320, 240))], "calm", id="upright"),
        pytest.param([Person((320, 240), turn=0.7)], "wary", id="leaning"),
        pytest.param([Person((300, 240)), Person((345, 240), colour=(200, 40, 40))], "alert", id="two who overlap"),
    ],
)
def test_detector_is_wanted_as_closely_as_the_scene_needs(scene: list[Person], demand: Demand) -> None:
    people = people_in(lambda moment: scene)

    watch(people, 20)

    assert people.track.demand() == demand


def test_detector_is_wanted_closely_while_somebody_is_missing() -> None:
    people = people_in(lambda moment: [Person((320, 240), presence=0.99 if moment < 15 else 0.1)])

    watch(people, 20)

    assert people.track.demand() == "search"


def test_same_scene_gives_the_same_poses_twice() -> None:
    def scene(moment: int) -> list[Person]:
        return [Person((100 + 8 * moment, 240)), Person((500 - 8 * moment, 240), colour=(200, 40, 40))]

    first, second = watch(people_in(scene), 50), watch(people_in(scene), 50)

    for one, other in zip(first, second, strict=True):
        assert one.track_id.tolist() == other.track_id.tolist()
        np.testing.assert_array_equal(one.keypoints, other.keypoints)


def test_state_stays_bounded_while_people_come_and_go() -> None:
    people = people_in(lambda moment: [Person((100 + 40 * (moment // 30 % 10), 240))] if moment % 30 < 5 else [])

    watch(people, 600)

    assert len(people.track._tracks) <= 2
    assert len(people.pose._memories) <= 2
