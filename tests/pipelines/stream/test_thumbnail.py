"""Which moment of a video its small picture shows, and how large it is."""

import cv2
import numpy as np
import pytest

from models.arrays import Image
from pipelines.stream.render.thumbnail import TellingPicture, thumbnail
from pipelines.types import ActionState, Frame, FrameResult
from tests.fakes import poses_of


def moment(index: int, *actions: str | None, is_interpolated: bool = False) -> FrameResult:
    """A frame a second with somebody for each action; its brightness is ten times its index."""
    image = np.full((48, 64, 3), 10 * index, np.uint8)
    states = tuple(
        ActionState(track, float(index), action, 0.9, "assessed" if action else "warming_up")
        for track, action in enumerate(actions)
    )
    poses = poses_of(float(index), people={})
    return FrameResult(Frame(index, float(index), image), poses, states, (), is_interpolated=is_interpolated)


def decoded(jpeg: bytes | None) -> Image:
    """The pixels of a JPEG."""
    assert jpeg is not None
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def shown(picture: TellingPicture) -> int:
    """The index of the frame that is kept."""
    return round(float(decoded(picture.jpeg).mean()) / 10)


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        pytest.param([moment(0), moment(1, None), moment(2, None, None), moment(3, None)], 2, id="most people"),
        pytest.param([moment(0, None, None), moment(1, "walk"), moment(2, None)], 1, id="named before many"),
        pytest.param([moment(0, "walk"), moment(1, "walk", None), moment(2, "walk", "fall")], 2, id="most named"),
        pytest.param([moment(0, "walk"), moment(1, "wave")], 0, id="the first of equals"),
        pytest.param([moment(0, None), moment(1, None, None, is_interpolated=True)], 0, id="a frame that was analysed"),
    ],
)
def test_picture_is_of_the_most_telling_moment(moments: list[FrameResult], expected: int) -> None:
    picture = TellingPicture(4.0)

    for one in moments:
        picture.see(one)

    assert shown(picture) == expected


@pytest.mark.parametrize("duration_s", [20.0, None])
def test_picture_of_nobody_is_about_the_middle(duration_s: float | None) -> None:
    picture = TellingPicture(duration_s)

    for index in range(20):
        picture.see(moment(index))

    assert shown(picture) in range(10, 16)


def test_video_without_a_frame_has_no_picture() -> None:
    assert TellingPicture(1.0).jpeg is None


@pytest.mark.parametrize(
    ("shape_hw", "expected_hw"),
    [((1080, 1920), (180, 320)), ((1920, 1080), (320, 180)), ((48, 64), (48, 64)), ((2, 4000), (1, 320))],
)
def test_thumbnail_is_small_and_never_larger_than_the_picture(
    shape_hw: tuple[int, int], expected_hw: tuple[int, int]
) -> None:
    data = thumbnail(np.zeros((*shape_hw, 3), np.uint8))

    assert decoded(data).shape == (*expected_hw, 3)
