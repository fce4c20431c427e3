"""The annotated video: the frames with everyone drawn, each at its own time, without sound."""

from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream

from models.arrays import Image
from pipelines.errors import SinkError
from pipelines.results import Header, Summary
from pipelines.stream.file_names import printable, text_path
from pipelines.stream.render.blur import FaceRecord
from pipelines.stream.render.draw import Artist
from pipelines.stream.sinks.output import OutputFile, told
from pipelines.types import Event, FrameResult

_TICKS_HZ = 90_000  # MPEG's clock: every usual frame rate is a whole number of ticks, or near enough
_OPTIONS = {"preset": "veryfast", "crf": "23"}
_NOMINAL_FPS = 30  # only the encoder's rate control looks at it; the pictures carry their times


class VideoSink:
    """An mp4 (H.264) that browsers play.

    path: the file. max_side_px: larger pictures are scaled down; sides become even, as H.264 wants them.
    faces: where heads are, which are then not shown; it must know of each frame before the sink gets it.
    """

    wants_pictures = True

    def __init__(self, path: Path, max_side_px: int = 1920, faces: FaceRecord | None = None) -> None:
        self._faces = faces
        self._output = OutputFile(path)
        self._path = path
        self._max_side_px = max_side_px
        self._artist = Artist()
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._last_pts = -1
        self._links = ExitStack()

    def open(self, header: Header) -> None:
        """Begin the file. Raises SinkError, DiskFull."""
        place = self._output.open()
        self._artist = Artist(header.layout)
        with told(self._path):
            place = self._links.enter_context(text_path(place))  # until `close`: faststart opens it once more
            self._container = av.open(str(place), "w", format="mp4", container_options={"movflags": "+faststart"})
            self._stream = self._add_stream(self._container, header.size_wh)

    def write(self, result: FrameResult) -> None:
        """Draw and encode one frame."""
        drawn = self._artist.draw(self._hidden(result))
        picture = av.VideoFrame.from_ndarray(self._fit(drawn), format="bgr24")
        picture.pts = self._last_pts = max(self._last_pts + 1, round(result.frame.time_s * _TICKS_HZ))
        picture.time_base = Fraction(1, _TICKS_HZ)
        self._encode(picture)

    def _hidden(self, result: FrameResult) -> FrameResult:
        if self._faces is None:
            return result
        frame = result.frame
        return replace(result, frame=replace(frame, image=self._faces.hidden(frame.image, frame.time_s)))

    def close(self, events: tuple[Event, ...], summary: Summary) -> None:  # noqa: ARG002 - the video shows frames
        """Write what the encoder still holds, and make the file appear."""
        assert self._container is not None, "open comes first"
        self._encode(None)
        with told(self._path):
            self._container.close()
            self._links.close()
        self._output.commit()

    def abort(self) -> None:
        """Leave nothing behind."""
        if self._container is not None:
            try:
                self._container.close()
            except (OSError, ValueError):  # what cannot be finished is removed anyway
                self._container = None
        self._links.close()
        self._output.abort()

    def _add_stream(self, container: OutputContainer, size_wh: tuple[int, int]) -> VideoStream:
        scale = min(1.0, self._max_side_px / max(size_wh))
        stream: VideoStream = container.add_stream("libx264", rate=_NOMINAL_FPS, options=_OPTIONS)
        stream.width, stream.height = (max(2, round(side * scale) // 2 * 2) for side in size_wh)
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS_HZ)
        return stream

    def _fit(self, image: Image) -> Image:
        assert self._stream is not None, "open comes first"
        width, height = self._stream.width, self._stream.height
        if image.shape[1] - width in (0, 1) and image.shape[0] - height in (0, 1):
            return image[:height, :width]
        return _framed(image, width, height)

    def _encode(self, picture: av.VideoFrame | None) -> None:
        assert self._container is not None, "open comes first"
        assert self._stream is not None, "open comes first"
        try:
            with told(self._path):
                for packet in self._stream.encode(picture):
                    self._container.mux(packet)
        except ValueError as error:
            raise SinkError(f"{printable(str(self._path))}: the encoder refused a picture: {error}") from error


def _framed(image: Image, width: int, height: int) -> Image:
    """The image scaled into a picture of the given size, with black bars where its shape is another."""
    scale = min(width / image.shape[1], height / image.shape[0])
    inner_wh = (min(width, max(1, round(image.shape[1] * scale))), min(height, max(1, round(image.shape[0] * scale))))
    canvas = np.zeros((height, width, 3), np.uint8)
    left, top = (width - inner_wh[0]) // 2, (height - inner_wh[1]) // 2
    canvas[top : top + inner_wh[1], left : left + inner_wh[0]] = cv2.resize(
        image, inner_wh, interpolation=cv2.INTER_AREA
    )
    return canvas
