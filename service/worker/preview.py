"""Pictures of one stream for whoever looks at it: small, a few a second, and none while nobody looks."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace

import cv2

from pipelines.stream.render.blur import FaceRecord
from pipelines.types import Frame
from service.protocol.messages import StreamTask
from service.protocol.preview import JPEG_BYTES_MAX, PreviewPicture
from service.worker.channel import Channel

logger = logging.getLogger(__name__)

_PERIOD_S = 0.2
_SIDE_PX = 960
_QUALITY = 75


class Preview:
    """Sends every so often the frame that was analysed last.

    faces: where heads are, which are then not shown; None shows pictures as they are.
    clock: monotonic seconds.
    """

    def __init__(
        self, task: StreamTask, channel: Channel, faces: FaceRecord | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._faces = faces
        self._task = task
        self._channel = channel
        self._clock = clock
        self._shown_s = float("-inf")

    def show(self, frame: Frame) -> None:
        """Send this frame when somebody looks and the last picture is old enough."""
        now_s = self._clock()
        if now_s - self._shown_s < _PERIOD_S or not self._channel.is_looked_at:
            return
        self._shown_s = now_s
        jpeg = self._encode(frame)
        if jpeg is None or len(jpeg) > JPEG_BYTES_MAX:
            logger.warning("stream %s: a picture of %s px makes no JPEG to show", self._task.task_id, frame.size_wh)
            return
        self._channel.offer(PreviewPicture(self._task.task_id, self._task.generation, jpeg))

    def _encode(self, frame: Frame) -> bytes | None:
        try:
            if self._faces is not None:
                frame = replace(frame, image=self._faces.hidden(frame.image, frame.time_s))
            return _encode(frame)
        except cv2.error:
            return None


def stamped(jpeg: bytes, frame_index: int, media_time_s: float) -> bytes:
    """A JPEG that says which frame it is, in a comment segment: the page draws on it what was said of that frame."""
    comment = f"frame_index={frame_index};media_time_s={media_time_s:.3f}".encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def _encode(frame: Frame) -> bytes | None:
    scale = min(1.0, _SIDE_PX / max(frame.size_wh))
    image = cv2.resize(frame.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    is_done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return stamped(data.tobytes(), frame.index, frame.time_s) if is_done else None
