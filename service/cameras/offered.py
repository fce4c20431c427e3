"""What a camera says of itself and of the streams that it offers."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field

from service.cameras.soap import local, text_at


@dataclass(frozen=True, slots=True)
class OfferedStream:
    """One stream of a camera.

    uri: without a login. codec, size_wh, fps: as the camera is set; empty, None where it does not say.
    """

    name: str
    uri: str = field(repr=False)
    codec: str = ""
    size_wh: tuple[int, int] | None = None
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class Described:
    """A camera and its streams. clock_offset_s: how far its clock is ahead; None where it tells no time."""

    manufacturer: str
    model: str
    firmware: str
    serial: str
    clock_offset_s: float | None
    streams: tuple[OfferedStream, ...]


def offered(profile: ET.Element, uri: str) -> OfferedStream:
    """What a profile says of its pictures; media and media2 nest alike in this."""
    encoder = next(
        (one for one in profile.iter() if local(one) in ("VideoEncoderConfiguration", "VideoEncoder")), profile
    )
    width, height = (_number(text_at(encoder, "Resolution", side)) for side in ("Width", "Height"))
    size = (int(width), int(height)) if width and height else None
    rate = _number(text_at(encoder, "RateControl", "FrameRateLimit"))
    name = text_at(profile, "Name") or profile.get("token", "")
    return OfferedStream(name, uri, text_at(encoder, "Encoding").lower(), size, rate)


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if 0 < found < 1e5 else None
