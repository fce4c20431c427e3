"""Writes pictures as a video, an animation or a still, by the ending of the file."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
from PIL import Image as PilImage

from models.arrays import Image
from models.atomic_file import replacing
from pipelines.errors import ConfigInvalid

_GIF_LEAST_MS = 20
MOVING = (".mp4", ".gif")
STILL = (".png", ".jpg")


def require_ending(path: Path, endings: tuple[str, ...]) -> None:
    """Raise ConfigInvalid for a file that would be something else, or has no folder."""
    if path.suffix.lower() not in endings:
        raise ConfigInvalid(f"{path.name}: expected a name that ends in {' or '.join(endings)}")
    if not path.parent.is_dir():
        raise ConfigInvalid(f"{path}: the folder {path.parent} does not exist")


def write_movie(pictures: Iterable[Image], path: Path, rate_hz: float) -> int:
    """Write (H, W, 3) BGR pictures of one size as .mp4 or .gif; returns how many. Raises ConfigInvalid."""
    require_ending(path, MOVING)
    with replacing(path) as part:
        return _gif(pictures, part, rate_hz) if path.suffix.lower() == ".gif" else _mp4(pictures, part, rate_hz)


def write_still(picture: Image, path: Path) -> None:
    """Write a (H, W, 3) BGR picture as .png or .jpg. Raises ConfigInvalid."""
    require_ending(path, STILL)
    done, data = cv2.imencode(path.suffix.lower(), picture)
    assert done
    with replacing(path) as part:
        part.write_bytes(data.tobytes())


def _mp4(pictures: Iterable[Image], path: Path, rate_hz: float) -> int:
    count = 0
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(rate_hz).limit_denominator(1001), options={"crf": "18"})
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            # 4:2:0 colour has half the resolution: sides must be even.
            even = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
            if not count:
                stream.height, stream.width = even.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="bgr24")))
            count += 1
        container.mux(stream.encode(None))
    return count


def _gif(pictures: Iterable[Image], path: Path, rate_hz: float) -> int:
    # Browsers slow down animations of less than two hundredths of a second a picture: leave some out instead.
    step = max(1, round(_GIF_LEAST_MS / 1000 * rate_hz))
    frames = [PilImage.fromarray(picture[..., ::-1]) for index, picture in enumerate(pictures) if index % step == 0]
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:], duration=round(1000 * step / rate_hz), loop=0)
    return len(frames)
