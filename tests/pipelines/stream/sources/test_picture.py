"""PictureMaker: upright BGR pictures, each of the size that it asks for."""

import av
import pytest

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
