"""The detector is asked when it is due, by media time."""

import numpy as np
import pytest

from models.runtime.detector import DetectedPeople
from pipelines.stream.config import DetectConfig
from pipelines.stream.people.detect import DetectStage
from pipelines.types import Demand, Frame
from tests.people_fakes import Person, World

WORLD = World(lambda moment: [Person((320, 240))])


def frame(index: int, time_s: float) -> Frame:
    return Frame(index, time_s, WORLD.picture(index))


@pytest.mark.parametrize(
    ("rate_hz", "demand", "every"),
    [(30, "calm", 6), (25, "calm", 5), (18, "calm", 4), (10, "calm", 2), (8, "calm", 2), (30, "alert", 3),
     (25, "alert", 3), (18, "alert", 2), (10, "alert", 1), (8, "alert", 1)],
)  # fmt: skip
def test_detector_is_asked_every_few_frames_at_each_rate(rate_hz: float, demand: Demand, every: int) -> None:
    stage = DetectStage(WORLD.detect, DetectConfig())

    asked = [index for index in range(24) if stage(frame(index, index / rate_hz), demand) is not None]

    assert asked == list(range(0, 24, every))


@pytest.mark.parametrize(
    ("demand", "looks", "glances"),
    [
        pytest.param("calm", [0, 20], [4, 8, 12, 16], id="all upright: a full look a second"),
        pytest.param("nobody", [0, 20], [12], id="nobody, and nothing moves: two looks a second"),
        pytest.param("wary", [0, 4, 8, 12, 16, 20], [], id="somebody leans: full looks as often as before"),
        pytest.param("alert", [0, 4, 8, 12, 16, 20], [2, 6, 10, 14, 18, 22], id="a crowd: glances between"),
        pytest.param("search", list(range(0, 24, 2)), [], id="somebody missing: full looks, often"),
    ],
)
def test_only_the_looks_between_are_glances(demand: Demand, looks: list[int], glances: list[int]) -> None:
    full, quick = World(lambda moment: []), World(lambda moment: [])
    stage = DetectStage(full.detect, DetectConfig(), quick.detect)

    for index in range(24):
        stage(Frame(index, index / 20, full.picture(index)), demand)

    assert (full.detector_calls, quick.detector_calls) == (looks, glances)


def test_detector_is_asked_again_when_time_jumps_back() -> None:
    stage = DetectStage(WORLD.detect, DetectConfig())

    assert stage(frame(0, 100.0), "calm") is not None
    assert stage(frame(1, 0.0), "calm") is not None


def test_weak_and_tiny_boxes_are_dropped_and_the_rest_come_best_first() -> None:
    found = DetectedPeople(
        np.array([[0, 0, 100, 100], [0, 0, 5, 5], [200, 0, 300, 200], [400, 0, 500, 200]], np.float32),
        np.array([0.3, 0.9, 0.12, 0.8], np.float32),
    )

    boxes = DetectStage(lambda images: [found for _ in images], DetectConfig())(frame(0, 0.0), "calm")

    assert boxes is not None
    np.testing.assert_allclose(boxes.score, [0.8, 0.3])


def test_no_people_give_empty_boxes() -> None:
    boxes = DetectStage(lambda images: [DetectedPeople.empty() for _ in images], DetectConfig())(frame(0, 0.0), "calm")

    assert boxes is not None
    assert len(boxes) == 0


def _room(*, spot: int | None = None, light: int = 90, noise: int = 0) -> np.ndarray:
    """An empty room of 640 x 480; spot: where somebody small stands."""
    rng = np.random.default_rng(spot or 0)
    picture = np.tile(np.arange(640, dtype=np.int16) % 64 + light, (480, 1))
    if spot is not None:
        picture[200:260, spot : spot + 20] += 60
    return np.repeat((picture + rng.integers(-noise, noise + 1, picture.shape))[:, :, None], 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize(
    ("later", "asked"),
    [
        pytest.param(_room(spot=1, noise=6), [0, 12, 20], id="nothing but noise"),
        pytest.param(_room(spot=300), [0, 4, 16, 20], id="somebody small comes"),
        pytest.param(_room(spot=1, light=110), [0, 4, 16, 20], id="the light changes"),
        pytest.param(_room(spot=1)[:240], [0, 4, 16, 20], id="another size"),
    ],
)
def test_a_look_at_nobody_is_left_out_only_where_nothing_moved_since_the_last_one(
    later: np.ndarray, asked: list[int]
) -> None:
    """The picture changes once, before the second look is due, and stays as it is then."""
    stage = DetectStage(lambda images: [DetectedPeople.empty() for _ in images], DetectConfig())
    pictures = [_room(spot=1, noise=6) if index < 2 else later for index in range(24)]

    found = [index for index in range(24) if stage(Frame(index, index / 20, pictures[index]), "nobody") is not None]

    assert found == asked
    assert stage.num_left_out == 6 - len(asked)


def test_whoever_creeps_is_noticed_against_the_last_look() -> None:
    stage = DetectStage(lambda images: [DetectedPeople.empty() for _ in images], DetectConfig(look_period_s=10))

    found = [
        index
        for index in range(12)
        if stage(Frame(index, index / 20, _room(spot=100 + 4 * index)), "nobody") is not None
    ]

    assert found == [0, 4, 8]


def test_scene_is_looked_at_as_ever_once_somebody_was_there() -> None:
    stage = DetectStage(lambda images: [DetectedPeople.empty() for _ in images], DetectConfig())
    stage(Frame(0, 0.0, _room()), "nobody")
    stage(Frame(1, 0.2, _room()), "calm")

    found = stage(Frame(2, 0.4, _room()), "nobody")

    assert found is not None
