"""A camera that moves, and one that hangs upside down or on its side."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest

from models.arrays import FloatArray, Image
from pipelines.stream.config import CameraConfig
from pipelines.stream.people.camera import CameraStage
from pipelines.stream.people.camera_motion import CameraMotion
from pipelines.stream.people.camera_turn import CameraTurn, head_points, rotation_deg
from pipelines.types import Frame, Poses
from tests.fakes import poses_of

SIZE_WH = (640, 480)
STANDING = np.array([250, 100, 350, 400], np.float32)
View = Callable[[int], np.ndarray[tuple[int, ...], np.dtype[np.float64]]]


def scene() -> Image:
    """A room larger than the picture: boxes and lines of all sizes, blurred a little."""
    generator = np.random.default_rng(4)
    image = np.full((1400, 1600, 3), 120, np.uint8)
    for _ in range(260):
        x, y = generator.integers(0, 1600), generator.integers(0, 1400)
        w, h = generator.integers(20, 160, 2)
        cv2.rectangle(image, (int(x), int(y)), (int(x + w), int(y + h)), generator.integers(30, 220, 3).tolist(), -1)
    return np.asarray(cv2.GaussianBlur(image, (5, 5), 0), np.uint8)


SCENE = scene()


def view(dx: float = 0, dy: float = 0, turn_deg: float = 0, zoom: float = 1) -> Image:
    """What a camera sees that looks at the middle of the room, moved by pixels, degrees and zoom."""
    matrix = cv2.getRotationMatrix2D((800 + dx, 700 + dy), turn_deg, zoom)
    matrix[:, 2] += np.array([320 - 800 - dx, 240 - 700 - dy])
    return np.asarray(cv2.warpAffine(SCENE, matrix, SIZE_WH), np.uint8)


def with_person(image: Image, box: FloatArray, step: int) -> Image:
    """The same with somebody before it, who sways and whose clothes have a pattern."""
    left, top, right, bottom = (box + 6 * np.sin(step)).astype(int)
    seen = image.copy()
    seen[top:bottom, left:right] = (40, 40, 160)
    seen[top:bottom:12, left:right] = 230
    return seen


def moments(picture: Callable[[int], Image], num: int = 24, box: FloatArray = STANDING) -> list[bool]:
    """Whether the camera was said to move, at 15 pictures a second, with somebody in the box."""
    motion = CameraMotion(CameraConfig())
    return [bool(motion(with_person(picture(i), box, i), i / 15, box[None])[0]) for i in range(num)]


@pytest.mark.parametrize(
    "picture",
    [
        lambda i: view(dy=-min(max(i - 8, 0) * 30, 200)),
        lambda i: view(dx=min(max(i - 8, 0) * 40, 280)),
        lambda i: view(dx=0 if i < 10 else 90),
        lambda i: view(zoom=1 + 0.05 * min(max(i - 8, 0), 10)),
        lambda i: view(turn_deg=3 * min(max(i - 8, 0), 8)),
        lambda i: view(dx=25 * np.sin(2.1 * i), dy=20 * np.sin(1.7 * i)),
        lambda i: view(dy=8 * i),
    ],
    ids=["tilt", "pan", "jerk", "zoom", "roll", "shake", "slow tilt"],
)
def test_a_moving_camera_is_noticed(picture: Callable[[int], Image]) -> None:
    assert any(moments(picture))


def test_motion_is_forgotten_half_a_second_after_the_camera_rests() -> None:
    said = moments(lambda i: view(dy=-min(max(i - 4, 0) * 30, 150)), num=30)

    assert any(said[4:12])
    assert not any(said[:5])
    assert not any(said[19:])


def flicker(i: int) -> Image:
    return np.asarray(np.clip(view().astype(int) + (25 if i % 3 else -25), 0, 255), np.uint8)


def noise(i: int) -> Image:
    generator = np.random.default_rng(i)
    return np.asarray(np.clip(view() + generator.normal(0, 8, (480, 640, 3)), 0, 255), np.uint8)


def bus(i: int) -> Image:
    seen = view()
    left, right = min(max(0, 40 * i - 400), 640), min(40 * i, 640)
    seen[60:360, left:right] = view(dx=300 - 40 * i)[60:360, left:right]
    return seen


def tremble(i: int) -> Image:
    return view(dx=1.5 * np.sin(2.3 * i), dy=1.5 * np.sin(1.1 * i))


def bare(i: int) -> Image:
    return np.full((480, 640, 3), 128 + i % 2, np.uint8)


@pytest.mark.parametrize(
    "picture", [lambda i: view(), flicker, noise, bus, tremble, bare],
    ids=["still", "flicker", "noise", "a bus passes", "a hand trembles", "a bare wall"],
)  # fmt: skip
def test_a_resting_camera_is_never_said_to_move(picture: Callable[[int], Image]) -> None:
    assert not any(moments(picture))


@pytest.mark.parametrize("size", [0.7, 0.95])
def test_people_who_fill_the_picture_do_not_move_the_camera(size: float) -> None:
    def near(i: int) -> tuple[Image, FloatArray]:
        left = 10.0 * i
        box = np.array([left, 10, left + 640 * size, 470], np.float32)
        return with_person(view(), np.clip(box, 0, [640, 480, 640, 480]).astype(np.float32), 0), box

    motion = CameraMotion(CameraConfig())

    said = [bool(motion(image, i / 15, box[None])[0]) for i, (image, box) in enumerate(map(near, range(20)))]

    assert not any(said)


def test_nobody_in_the_picture_costs_nothing_and_says_nothing() -> None:
    motion, nobody = CameraMotion(CameraConfig()), np.zeros((0, 4), np.float32)

    assert motion(view(), 0.0, nobody).shape == (0,)
    assert not motion(view(dx=100), 0.1, STANDING[None]).any()


def test_a_small_person_cannot_be_judged_where_a_large_one_still_can() -> None:
    motion = CameraMotion(CameraConfig())
    boxes = np.array([[330, 20, 630, 470], [100, 200, 130, 260]], np.float32)

    said = [motion(with_person(view(dy=2.0 * i), boxes[0], 0), i / 15, boxes).tolist() for i in range(12)]

    assert said[-1] == [False, True]


def turned(keypoints: FloatArray, degrees: float) -> FloatArray:
    """The same body with its head turned clockwise about the picture's middle."""
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points = keypoints.copy()
    points[:, :2] = (keypoints[:, :2] - [320, 240]) @ matrix + [320, 240]
    return points.astype(np.float32)


def body(degrees: float = 0, score: float = 0.95, along: float = 1.0) -> FloatArray:
    """Somebody of 200 px seen from the front; `along` shortens torso and legs as in one who lies along the view."""
    row = np.array([-95, -99, -99, -97, -97, -70, -70, -35, -35, 0, 0, 0, 0, 50, 50, 88, 88], np.float32)
    column = np.array([0, 4, -4, 8, -8, 20, -20, 25, -25, 25, -25, 12, -12, 12, -12, 12, -12], np.float32)
    points = np.stack([320 + column, 240 + along * row, np.full(17, score)], axis=1).astype(np.float32)
    return turned(points, degrees)


@pytest.mark.parametrize(
    ("keypoints", "quarter"),
    [
        (body(), 0), (body(25), 0), (body(90), 1), (body(180), 2), (body(270), 3), (body(168), 2),
        (body(45), None), (body(65), None), (body(180, score=0.4), None), (body(90, score=0.6), None),
        (body(180, along=0.3), None),
    ],
    ids=["up", "leans", "right", "down", "left", "nearly down", "askew", "half lying", "hardly seen", "badly seen",
         "head to the camera"],
)  # fmt: skip
def test_heads_point_somewhere_only_where_it_is_plain(keypoints: FloatArray, quarter: int | None) -> None:
    assert head_points(keypoints, SIZE_WH) == quarter


def told(people: Sequence[tuple[int, FloatArray]], seconds: float, turn: CameraTurn, start_s: float = 0.0) -> list[int]:
    """The verdict after each frame of a time in which the same people are there."""
    return [turn(poses_of(start_s + i / 15, people=dict(people))) for i in range(round(seconds * 15))]


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_camera_is_noticed_within_a_second_and_stays_noticed(degrees: int) -> None:
    said = told([(1, body(degrees))], 20, CameraTurn())

    assert not any(said[:8])
    assert set(said[15:]) == {degrees // 90}
    assert rotation_deg(degrees // 90) == 360 - degrees  # type: ignore[arg-type]


def test_several_people_outvote_one_who_stands_on_the_head() -> None:
    said = told([(1, body()), (2, body(180))], 10, CameraTurn())

    assert not any(said)


def test_who_lies_or_stands_on_the_head_after_standing_turns_no_camera() -> None:
    for degrees in (90, 180, 270):
        turn = CameraTurn()
        told([(1, body())], 2, turn)

        assert not any(told([(1, body(degrees))], 60, turn, start_s=2))


def test_somebody_who_lies_for_hours_does_not_outvote_those_who_walked_by() -> None:
    turn = CameraTurn()
    told([(1, body())], 6, turn)

    said = [told([(track_id, body(90))], 6, turn, start_s=6.0 * track_id)[-1] for track_id in range(2, 5)]

    assert not any(said)


def test_the_verdict_is_taken_back_when_people_stand() -> None:
    turn = CameraTurn()
    told([(1, body(180))], 2, turn)

    said = told([(2, body()), (3, body())], 4, turn, start_s=2)

    assert said[-1] == 0


def test_another_picture_size_begins_anew() -> None:
    turn = CameraTurn()
    told([(1, body(180))], 2, turn)
    other = poses_of(2.0, people={1: body(180)})

    quarter = turn(Poses(0, 2.0, (480, 640), other.track_id, other.keypoints, other.xyxy, other.score, other.reason))

    assert quarter == 0


def test_stage_gives_the_reason_and_reports_what_it_noticed() -> None:
    stage = CameraStage(CameraConfig())
    people = {1: body(180)}

    reasons = [
        stage(Frame(i, i / 15, view(dy=0 if i < 20 else 40 * (i - 20))), poses_of(i / 15, people=people)).reason[0]
        for i in range(30)
    ]

    assert reasons[0] is None
    assert reasons[18] == "camera_rotated"
    assert "camera_moved" in reasons[20:]
    assert stage.report.moved_frames == reasons.count("camera_moved")


def test_stage_reports_how_to_turn_the_picture() -> None:
    stage = CameraStage(CameraConfig())
    for i in range(20):
        stage(Frame(i, i / 15, view()), poses_of(i / 15, people={1: body(90)}))

    assert stage.report.rotate_deg == 270
