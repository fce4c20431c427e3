"""SceneCut: another scene is a cut; people who move, light, shake and pans are none."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from models.arrays import Image
from pipelines.stream.sources.scene_cut import SceneCut


def scene(seed: int, size_wh: tuple[int, int] = (640, 480)) -> Image:
    """A room: surfaces and furniture of many sizes, with edges and a little noise, the same for the same seed."""
    generator = np.random.default_rng(seed)
    width, height = size_wh
    image = np.full((height, width, 3), 120, np.uint8)
    for _ in range(60):
        left, top = generator.integers(0, width), generator.integers(0, height)
        right, bottom = left + generator.integers(20, width // 3), top + generator.integers(20, height // 3)
        colour = [int(value) for value in generator.integers(20, 220, 3)]
        cv2.rectangle(image, (int(left), int(top)), (int(right), int(bottom)), colour, -1)
    return image


def person_at(image: Image, x: int) -> Image:
    """The same room with somebody in it."""
    return np.asarray(cv2.rectangle(image.copy(), (x, 140), (x + 90, 460), (40, 60, 200), -1), np.uint8)


def cuts(images: list[Image]) -> list[int]:
    """Indexes of the pictures with which a scene begins."""
    is_cut = SceneCut()
    is_cut.restart(images[0])
    return [index for index, image in enumerate(images[1:], 1) if is_cut(image)]


def light(image: Image, gain: float, offset: float = 0.0) -> Image:
    return np.asarray(np.clip(image * gain + offset, 0, 255), np.uint8)


def moved(image: Image, x: float, y: float = 0.0, degrees: float = 0.0) -> Image:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    matrix[:, 2] += np.array((x, y))
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8)


@pytest.mark.parametrize("seed", range(1, 9))
def test_another_scene_is_a_cut(seed: int) -> None:
    first, second = scene(0), scene(seed)

    assert cuts([first, first, second, second]) == [2]


def test_every_one_of_several_cuts_is_told() -> None:
    assert cuts([scene(0), scene(1), scene(2), scene(2), scene(0)]) == [1, 2, 4]


def test_a_cut_through_black_is_one_cut() -> None:
    black = np.zeros((480, 640, 3), np.uint8)

    assert cuts([scene(0), black, black, scene(1), scene(1)]) == [3]


def test_a_dark_second_in_one_scene_is_none() -> None:
    black = np.zeros((480, 640, 3), np.uint8)

    assert cuts([scene(0), black, black, scene(0), scene(0)]) == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda image, i: person_at(image, 60 * i), id="fast motion"),
        pytest.param(lambda image, i: light(image, 0.2 if i >= 4 else 1.0), id="light switched off"),
        pytest.param(lambda image, i: light(image, 1.0 if i >= 4 else 0.2), id="light switched on"),
        pytest.param(lambda image, i: light(image, 1.5, 50) if i == 4 else image, id="flash"),
        pytest.param(lambda image, i: np.full_like(image, 255) if i == 4 else image, id="flash that blinds"),
        pytest.param(lambda image, i: light(image, 1 - i / 10), id="fade to black"),
        pytest.param(lambda image, i: moved(image, 15 * (-1) ** i, 10 * (-1) ** i, 2 * (-1) ** i), id="shake"),
        pytest.param(lambda image, i: moved(image, 12 * i), id="pan"),
        pytest.param(lambda image, i: moved(image, 6 * i * i), id="pan that speeds up"),
        pytest.param(lambda image, i: moved(image, 60.0 if i >= 4 else 0.0), id="camera knocked aside"),
    ],
)
def test_what_happens_within_one_scene_is_no_cut(change: Callable[[Image, int], Image]) -> None:
    room = scene(0)

    assert cuts([change(room, i) for i in range(9)]) == []


def test_pictures_without_detail_are_no_cut() -> None:
    assert cuts([np.full((48, 64, 3), grey, np.uint8) for grey in (10, 200, 90)]) == []


@pytest.mark.parametrize("size_wh", [(64, 48), (48, 640), (1920, 1080)])
def test_a_cut_is_told_at_every_size(size_wh: tuple[int, int]) -> None:
    first, second = (np.asarray(cv2.resize(scene(seed), size_wh), np.uint8) for seed in (0, 3))

    assert cuts([first, first, second]) == [2]
