"""PictureMaker: one constant size per stream, whatever the stream changes on the way."""

import av
import pytest

from pipelines.stream.sources.picture import PictureMaker
from tests.videos import picture, red_corner


def decoded(size_wh: tuple[int, int], pix_fmt: str = "yuv444p") -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(picture(5, size_wh), format="bgr24").reformat(format=pix_fmt)


@pytest.mark.parametrize(
    ("later_wh", "bars"),
    [
        pytest.param((32, 24), [], id="smaller, same shape"),
        pytest.param((128, 96), [], id="larger, same shape"),
        pytest.param((64, 32), [(0, 4), (44, 4)], id="wider: bars above and below"),
        pytest.param((48, 64), [(4, 2), (4, 60)], id="turned: bars left and right"),
    ],
)
def test_picture_keeps_its_size_when_the_stream_changes(later_wh: tuple[int, int], bars: list[tuple[int, int]]) -> None:
    make = PictureMaker(max_side_px=1920)
    first = make(decoded((64, 48)))

    later = make(decoded(later_wh))

    assert later.shape == first.shape == (48, 64, 3)
    assert all(later[row, column].tolist() == [0, 0, 0] for row, column in bars)
    assert red_corner(later[8:40, 16:48]) == "top left"


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj422p", "yuv420p10le", "gray", "rgb24", "nv12", "gbrp", "yuva420p"])
def test_picture_is_bgr_whatever_the_codec_stored(pix_fmt: str) -> None:
    image = PictureMaker(max_side_px=1920)(decoded((64, 48), pix_fmt))

    assert image.shape == (48, 64, 3)
    assert image.dtype == "uint8"
    assert float(image[40, 60].mean()) == pytest.approx(90, abs=4)
