"""Small videos made on the spot: every frame says its number by its brightness, its top left corner is red."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.stream import VideoStream

from models.arrays import Image

_TICKS = 90_000


@dataclass(frozen=True)
class Clip:
    """What to encode. times_s: when each frame is shown; None for num_frames at fps."""

    size_wh: tuple[int, int] = (64, 48)
    num_frames: int = 12
    fps: float = 10.0
    times_s: Sequence[float] | None = None
    rotation: int | None = None
    hflip: bool = False
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    container_format: str | None = None
    container_options: dict[str, str] = field(default_factory=dict)
    codec_options: dict[str, str] = field(default_factory=lambda: {"preset": "ultrafast", "g": "6"})
    aspect: Fraction | None = None
    has_audio: bool = False

    @property
    def times(self) -> Sequence[float]:
        """Seconds at which each frame is shown."""
        return self.times_s if self.times_s is not None else [i / self.fps for i in range(self.num_frames)]


def picture(index: int, size_wh: tuple[int, int] = (64, 48)) -> Image:
    """Grey of brightness 40 + 10 * index (mod 200), with a red top left quarter."""
    width, height = size_wh
    image = np.full((height, width, 3), 40 + 10 * (index % 20), np.uint8)
    image[: height // 2, : width // 2] = (0, 0, 255)
    return image


def number(image: Image) -> int:
    """Which `picture` an image is, read from its bottom right corner."""
    return round((float(image[-6:-2, -6:-2].mean()) - 40) / 10)


def red_corner(image: Image) -> str:
    """Where the red quarter is: "top left", "top right", "bottom left" or "bottom right"."""
    height, width = image.shape[:2]
    redness = image[:, :, 2].astype(int) - image[:, :, 0]
    rows, columns = redness[:, width // 4], redness[:, 3 * width // 4]
    quarter = {
        "top left": rows[height // 4], "bottom left": rows[3 * height // 4],
        "top right": columns[height // 4], "bottom right": columns[3 * height // 4],
    }  # fmt: skip
    return max(quarter, key=lambda name: quarter[name])


def write_video(path: Path, clip: Clip | None = None) -> Path:
    """Encode a clip to a file; the container follows the name unless the clip names one."""
    clip = clip or Clip()
    with av.open(str(path), "w", format=clip.container_format, options=clip.container_options) as container:
        rate = Fraction(clip.fps).limit_denominator(1000)
        stream = cast("VideoStream", container.add_stream(clip.codec, rate=rate, options=clip.codec_options))
        stream.width, stream.height = clip.size_wh
        stream.pix_fmt = clip.pix_fmt
        stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS)
        if clip.aspect is not None:
            stream.codec_context.sample_aspect_ratio = clip.aspect
        if clip.rotation is not None:
            stream.set_display_rotation(clip.rotation, hflip=clip.hflip)
        if clip.has_audio:
            _write_silence(container, max(clip.times))
        for index, time_s in enumerate(clip.times):
            frame = av.VideoFrame.from_ndarray(picture(index, clip.size_wh), format="bgr24")
            frame.pts, frame.time_base = round(time_s * _TICKS), Fraction(1, _TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_audio(path: Path) -> Path:
    """A file with sound and no picture."""
    with av.open(str(path), "w") as container:
        _write_silence(container, 1.0)
    return path


def _write_silence(container: av.container.OutputContainer, duration_s: float) -> None:
    stream = container.add_stream("aac", rate=8000)
    for start in range(0, int(duration_s * 8000), 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 8000, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
