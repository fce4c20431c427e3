"""The pose stage with its track stage: bodies are followed, turned the right way, and not confused."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from models.arrays import FloatArray, Image
from models.runtime.pose import Landmarks
from pipelines.stream.config import PoseConfig
from pipelines.stream.people.pose import PoseStage
from pipelines.stream.people.pose_hypothesis import region_of_joints
from pipelines.types import Frame, Poses, Tracks
from tests.fakes import waving_keypoints
from tests.people_fakes import Person, World, people_in, watch

STANDING = Person((320, 240))


def falling(moment: int, start: int = 20, frames: int = 8, to: float = np.pi / 2) -> Person:
    """Stands, then lies within `frames` frames, lower in the picture."""
    share = min(max((moment - start) / frames, 0.0), 1.0)
    return Person((320, 240 + 120 * share), turn=to * share)


def ids(poses: Sequence[Poses]) -> set[int]:
    return {int(track_id) for frame in poses for track_id in frame.track_id}


def torso_turn(keypoints: FloatArray) -> float:
    """How far the torso is turned from upright, radians, counter-clockwise."""
    up = keypoints[[5, 6], :2].mean(axis=0) - keypoints[[11, 12], :2].mean(axis=0)
    return float(np.arctan2(-up[0], -up[1]))


@pytest.mark.parametrize("to", [np.pi / 2, -np.pi / 2], ids=["head left", "head right"])
def test_person_keeps_the_track_and_the_right_turn_when_falling(to: float) -> None:
    poses = watch(people_in(lambda moment: [falling(moment, to=to)]), 80)

    assert ids(poses) == {1}
    assert all(len(frame) == 1 for frame in poses[10:])
    assert all(abs(torso_turn(frame.keypoints[0]) - to) < 0.1 for frame in poses[30:])


def test_person_keeps_the_track_when_the_fall_takes_one_frame() -> None:
    poses = watch(people_in(lambda moment: [falling(moment, frames=1)]), 60)

    assert ids(poses) == {1}
    assert len(poses[-1]) == 1
    assert torso_turn(poses[-1].keypoints[0]) == pytest.approx(np.pi / 2, abs=0.1)


def test_lying_person_is_found_the_right_way_round_from_the_first_frame() -> None:
    lying = Person((320, 300), turn=np.pi / 2, score=0.4)

    poses = watch(people_in(lambda moment: [lying]), 60)

    assert len(poses[-1]) == 1
    assert torso_turn(poses[-1].keypoints[0]) == pytest.approx(np.pi / 2, abs=0.1)


def test_person_upside_down_is_found_so_although_the_detector_is_sure_of_them() -> None:
    poses = watch(people_in(lambda moment: [Person((320, 240), turn=np.pi, score=0.95)]), 20)

    assert abs(torso_turn(poses[-1].keypoints[0])) == pytest.approx(np.pi, abs=0.1)


def test_box_around_the_legs_does_not_take_the_body_over() -> None:
    legs = {moment: [((290.0, 250.0, 350.0, 350.0), 0.8)] for moment in range(15, 60)}

    poses = watch(people_in(lambda moment: [replace(STANDING, score=0.3 if moment >= 15 else 0.9)], extra=legs), 60)

    assert ids(poses) == {1}
    assert np.ptp(poses[-1].keypoints[0, :, 1]) == pytest.approx(199, abs=2)


def test_calm_person_costs_one_landmark_call_per_frame_and_a_detection_every_fifth() -> None:
    people = people_in(lambda moment: [STANDING])

    watch(people, 10, rate_hz=25)
    people.world.batches.clear()
    people.world.detector_calls.clear()
    for moment in range(10, 60):
        people.see(moment, moment / 25)

    assert sum(people.world.batches) == 50
    assert len(people.world.detector_calls) == 10


def test_all_people_of_a_frame_share_one_call_of_the_network() -> None:
    crowd = [Person((100 + 150 * column, 240), scale=0.8) for column in range(4)]
    people = people_in(lambda moment: crowd)

    watch(people, 20)

    assert people.world.batches[-1] == 4


def test_person_hidden_behind_another_is_missing_and_not_confused() -> None:
    """Two people in different colours; the one who walks through hides the other: her joints must not become his."""
    woman = Person((320, 240), colour=(30, 200, 30))

    def scene(moment: int) -> list[Person]:
        man = Person((120 + 8 * moment, 240), colour=(200, 30, 30))
        hidden = abs(man.centre[0] - woman.centre[0]) < 40
        return [man] if hidden else [man, woman]

    poses = watch(people_in(scene), 45)

    for moment, frame in enumerate(poses):
        for track_id, box in zip(frame.track_id.tolist(), frame.xyxy, strict=True):
            middle = (box[0] + box[2]) / 2
            at = 320 if track_id == _id_at(poses, 320) else 120 + 8 * moment
            assert abs(middle - at) < 45


def _id_at(poses: Sequence[Poses], x: float) -> int:
    first = next(frame for frame in poses if len(frame) == 2)
    middles = (first.xyxy[:, 0] + first.xyxy[:, 2]) / 2
    return int(first.track_id[np.argmin(np.abs(middles - x))])


def test_joint_scores_are_visibility_times_presence_and_zero_outside_the_picture() -> None:
    cut = Person((320, 420))

    poses = watch(people_in(lambda moment: [cut]), 20)

    keypoints = poses[-1].keypoints[0]
    outside = keypoints[:, 1] >= 480
    assert outside.any()
    assert (keypoints[outside, 2] == 0).all()
    np.testing.assert_allclose(keypoints[~outside, 2], 0.95 * 0.99, rtol=1e-5)


def test_furniture_becomes_nobody() -> None:
    """A weak box whose body trembles and whose presence comes and goes."""

    def chair(moment: int) -> list[Person]:
        shake = 25 if moment % 2 else -25
        return [Person((320 + shake, 240), score=0.4, presence=0.95 if moment % 3 else 0.6)]

    poses = watch(people_in(chair), 80)

    assert all(len(frame) == 0 for frame in poses)


def test_stage_remembers_only_the_tracks_that_live() -> None:
    world = World(lambda moment: [STANDING])
    stage = PoseStage(world.estimate, PoseConfig())
    for moment in range(50):
        stage(Frame(moment, moment / 20, world.picture(moment)), _tracks_of([moment + 1], STANDING))

    assert len(stage._memories) == 1


@pytest.mark.parametrize(
    ("is_shown", "score", "is_missing", "num_places"),
    [(True, 0.4, False, 1), (False, 0.7, False, 1), (False, 0.4, False, 30), (True, 0.4, True, 30)],
    ids=["shown", "on trial with a strong box", "weak and on trial", "missing"],
)
def test_a_body_that_rests_and_trembles_is_looked_for_in_one_place(
    is_shown: bool, score: float, is_missing: bool, num_places: int
) -> None:
    asked: list[FloatArray] = []
    generator = np.random.default_rng(0)
    world = World(lambda moment: [STANDING])

    def trembling(images: Sequence[Image], regions: FloatArray) -> Landmarks:
        asked.append(regions)
        seen = world.estimate(images, regions)
        tremble = generator.normal(0, 0.1, seen.next_region.shape) * np.array([1, 1, 1, 0.01])
        return replace(seen, next_region=(seen.next_region + tremble).astype(np.float32))

    stage = PoseStage(trembling, PoseConfig())
    tracks = _tracks_of([1], STANDING)
    for moment in range(40):
        now = replace(
            tracks,
            score=np.full(1, score if moment < 10 else 0.0, np.float32),
            is_shown=np.array([is_shown]),
            is_missing=np.array([is_missing and moment > 0]),
            detected=moment < 10,
        )
        stage(Frame(moment, moment / 20, world.picture(moment)), now)

    assert len({regions[0].tobytes() for regions in asked[-30:]}) == num_places


@pytest.mark.parametrize(
    ("share", "outcome"),
    [(0.45, "seen"), (0.3, "low_presence")],
    ids=["falls towards the camera", "slid together onto a part"],
)
def test_a_body_that_shrinks_at_once_is_followed_down_to_two_fifths(share: float, outcome: str) -> None:
    world = World(lambda moment: [STANDING if moment < 20 else Person((320, 240), scale=share)])
    stage = PoseStage(world.estimate, PoseConfig())
    tracks = replace(_tracks_of([1], STANDING), is_shown=np.ones(1, bool))
    for moment in range(20):
        stage(Frame(moment, moment / 20, world.picture(moment)), tracks)

    unboxed = replace(tracks, score=np.zeros(1, np.float32), detected=False)
    sightings = stage(Frame(20, 1.0, world.picture(20)), unboxed)

    assert sightings.outcome == (outcome,)


def test_nobody_gives_empty_sightings_and_no_call() -> None:
    world = World(lambda moment: [])

    sightings = PoseStage(world.estimate, PoseConfig())(Frame(0, 0.0, world.picture(0)), _tracks_of([], STANDING))

    assert sightings.keypoints.shape == (0, 17, 3)
    assert sightings.outcome == ()
    assert sum(world.batches) == 0


def test_estimator_that_predicts_no_region_is_asked_around_its_joints_and_turned_with_the_body() -> None:
    asked: list[FloatArray] = []
    world = World(lambda moment: [falling(moment)])

    def estimate(images: Sequence[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]], regions: FloatArray) -> Landmarks:
        asked.append(regions)
        people = [falling(int(image[0, 0, 0])).keypoints for image in images]
        return Landmarks(np.stack(people), np.full(len(people), 0.9, np.float32), regions, follows_region=False)

    stage = PoseStage(estimate, PoseConfig())
    for moment in range(40):
        stage(Frame(moment, moment / 20, world.picture(moment)), replace(_tracks_of([1], STANDING), detected=False))

    followed = np.concatenate(asked[3:])
    assert followed[0, 3] == 0
    assert followed[-1, 3] == pytest.approx(falling(39).turn, abs=0.2)
    assert followed[-1, 1] == pytest.approx(360, abs=15)


def _tracks_of(track_ids: list[int], person: Person) -> Tracks:
    num = len(track_ids)
    return Tracks(
        np.array(track_ids, np.int64),
        np.tile(person.xyxy, (num, 1)).astype(np.float32),
        np.full(num, 0.9, np.float32),
        np.zeros(num, bool),
        np.zeros(num, bool),
        np.zeros(num, bool),
        detected=True,
    )


@pytest.mark.parametrize("turn_deg", [0, 40, 90, -90, 175])
def test_region_of_joints_turns_with_the_body_and_holds_it(turn_deg: float) -> None:
    turn = np.deg2rad(turn_deg)
    # Counter-clockwise as one sees it, where rows grow downwards.
    seen = waving_keypoints(0.0, (0.0, 0.0))
    turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]], np.float32)
    upright = region_of_joints(seen, 0.0)
    seen[:, :2] = seen[:, :2] @ turned.T + (300, 200)

    region = region_of_joints(seen, 0.0)

    np.testing.assert_allclose(np.sin((region[3] - turn) / 2), 0, atol=1e-4)
    assert region[2] == pytest.approx(upright[2], rel=1e-3)
    np.testing.assert_allclose(region[:2], turned @ upright[:2] + (300, 200), atol=0.1)


def test_region_of_joints_keeps_its_turn_when_the_torso_is_hidden() -> None:
    seen = waving_keypoints(0.0)
    seen[[5, 6, 11, 12], 2] = 0.1

    region = region_of_joints(seen, 1.0)

    assert region[3] == pytest.approx(1.0)
