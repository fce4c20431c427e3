"""Encodes a clip again with faces hidden."""

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import IO

import av
from av.video.stream import VideoStream

from models.arrays import Image
from pipelines.stream.render.blur import FaceRecord
from pipelines.stream.sources.info import SourceLimits
from pipelines.stream.sources.picture import PictureMaker

_TICKS_HZ = 90_000
_OPTIONS = {"preset": "veryfast", "crf": "23"}
_NOMINAL_FPS = 30


class NotHidden(Exception):
    """A clip whose pictures cannot all be read and made unrecognisable."""


def encode_hidden(
    source: IO[bytes], path: Path, moments: Sequence[tuple[float, float]], faces: FaceRecord
) -> None:  # fmt: skip
    """Read an MP4, hide the heads, write another one without sound.

    moments: when each picture is shown, seconds from the first, and its media seconds. Raises NotHidden, and what PyAV
    and OpenCV raise.
    """
    make = PictureMaker(SourceLimits().max_side_px)
    first_s: float | None = None
    last_pts = -1
    with (
        av.open(source, mode="r", format="mp4") as plain,
        av.open(str(path), mode="w", format="mp4", options={"movflags": "+faststart"}) as container,
    ):
        stream: VideoStream | None = None
        for picture in plain.decode(video=0):
            if picture.pts is None or picture.is_corrupt:
                continue
            at_s = float(picture.pts * (picture.time_base or 1))
            first_s = at_s if first_s is None else first_s
            image = _even(faces.hidden(make(picture), _media_s(moments, at_s - first_s)))
            if stream is None:
                stream = _add_stream(container, image)
            shown = av.VideoFrame.from_ndarray(image, format="bgr24")
            # A camera whose clock stands still or jumps back has pictures at one and the same time.
            last_pts = max(last_pts + 1, round((at_s - first_s) * _TICKS_HZ))
            shown.pts, shown.time_base = last_pts, Fraction(1, _TICKS_HZ)
            container.mux(stream.encode(shown))
        if stream is None:
            raise NotHidden("no picture of it can be read")
        container.mux(stream.encode(None))


def _add_stream(container: "av.container.OutputContainer", image: Image) -> VideoStream:
    stream: VideoStream = container.add_stream("libx264", rate=_NOMINAL_FPS, options=_OPTIONS)
    stream.height, stream.width = image.shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS_HZ)
    return stream


def _media_s(moments: Sequence[tuple[float, float]], at_s: float) -> float:
    """The media second of the picture that is shown nearest to a time. Raises NotHidden where none is known."""
    if not moments:
        raise NotHidden("its pictures carry no times")
    after = bisect_left(moments, at_s, key=lambda moment: moment[0])
    near = moments[max(0, after - 1) : after + 1] or moments[-1:]
    return min(near, key=lambda moment: abs(moment[0] - at_s))[1]


def _even(image: Image) -> Image:
    """H.264 takes even sides only."""
    height, width = image.shape[:2]
    return image[: height // 2 * 2, : width // 2 * 2]
