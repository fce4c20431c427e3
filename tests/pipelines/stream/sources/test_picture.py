"""PictureMaker: upright BGR pictures, each of the size that it asks for."""

import av
import numpy as np
import pytest

from pipelines.orientation import Orientation, Rotation
from pipelines.stream.sources.picture import PictureMaker
from tests.videos import picture, red_corner


def decoded(size_wh: tuple[int, int], pix_fmt: str = "yuv444p") -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(picture(5, size_wh), format="bgr24").reformat(format=pix_fmt)


@pytest.mark.parametrize("later_wh", [(32, 24), (128, 96), (64, 32), (48, 64)])
def test_picture_has_its_own_size_when_the_stream_changes(later_wh: tuple[int, int]) -> None:
    make = PictureMaker(max_side_px=1920)
    make(decoded((64, 48)))

    later = make(decoded(later_wh))

    assert later.shape == (later_wh[1], later_wh[0], 3)
    assert red_corner(later) == "top left"


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj422p", "yuv420p10le", "gray", "rgb24", "nv12", "gbrp", "yuva420p"])
def test_picture_is_bgr_whatever_the_codec_stored(pix_fmt: str) -> None:
    image = PictureMaker(max_side_px=1920)(decoded((64, 48), pix_fmt))

    assert image.shape == (48, 64, 3)
    assert image.dtype == "uint8"
    assert float(image[40, 60].mean()) == pytest.approx(90, abs=4)


@pytest.mark.parametrize(
    ("rotate_deg", "mirror", "corner", "size_wh"),
    [
        (0, False, "top left", (64, 48)),
        (90, False, "top right", (48, 64)),
        (180, False, "bottom right", (64, 48)),
        (270, False, "bottom left", (48, 64)),
        (0, True, "top right", (64, 48)),
        (90, True, "top left", (48, 64)),
        (180, True, "bottom left", (64, 48)),
        (270, True, "bottom right", (48, 64)),
    ],
)
def test_picture_is_turned_clockwise_and_then_mirrored(
    rotate_deg: Rotation, mirror: bool, corner: str, size_wh: tuple[int, int]
) -> None:
    make = PictureMaker(1920, Orientation.turned(rotate_deg, mirror))

    image = make(decoded((64, 48)))

    assert red_corner(image) == corner
    assert image.shape == (size_wh[1], size_wh[0], 3)
    assert image.flags.c_contiguous


@pytest.mark.parametrize("rotate_deg", [90, 180, 270])
def test_picture_that_is_turned_and_turned_back_is_as_it_was(rotate_deg: Rotation) -> None:
    stored = decoded((64, 48))
    back = Orientation.turned(rotate_deg).then(Orientation.turned((360 - rotate_deg) % 360))  # type: ignore[arg-type]

    image = PictureMaker(1920, back)(stored)

    assert np.array_equal(image, PictureMaker(1920)(stored))
