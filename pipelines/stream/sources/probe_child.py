"""The process that opens one address for a look, confined; run with -m: order on standard input, answer on output."""

import json
import os
import sys
import threading
import time
from contextlib import closing

import av
import cv2

from pipelines.addresses.redact import redact
from pipelines.errors import DecoderFailed, SourceError, SourceUnavailable
from pipelines.orientation import Orientation
from pipelines.stream.render.blur import coarse
from pipelines.stream.sources.connection import AvConnector, DecodedPicture
from pipelines.stream.sources.decode import VideoPacket
from pipelines.stream.sources.decoder_confinement import end_with_parent, limit_live
from pipelines.stream.sources.decoder_limits import DecoderLimits
from pipelines.stream.sources.info import SourceLimits
from pipelines.stream.sources.picture import PictureMaker
from pipelines.stream.sources.probe import ORDER, POLICY, PolicyOrder, Probed, ProbeOrder, encode_fault, encode_found
from pipelines.stream.sources.status import LiveOptions

_LIMITS = DecoderLimits(memory_bytes=1 << 30, cpu_s_max=20.0)
_WATCH_S = 1.0
_PICTURES_MAX = 90
_ORDER_BYTES_MAX = 64 << 10
_JPEG_QUALITY = 82
_FEW = 3


def look(order: ProbeOrder, policy: PolicyOrder) -> Probed:
    """Open the address and watch it for a second; raises SourceError."""
    codecs: list[str] = []

    def see(_: VideoPacket, stream: av.VideoStream) -> None:
        if not codecs:
            codecs.append(stream.codec_context.name)

    began_s = time.monotonic()
    connect = AvConnector(order.uri, policy.policy(), LiveOptions(transport=order.transport), SourceLimits())
    first: DecodedPicture | None = None
    opened_s, times_s = 0.0, list[float]()
    with closing(connect(see, threading.Event())) as connection:
        for decoded in connection:
            if decoded.picture is None or decoded.picture.is_corrupt:
                continue
            now_s = time.monotonic()
            if first is None:
                first, opened_s = decoded, now_s - began_s
            times_s.append(now_s if decoded.pts_s is None else decoded.pts_s)
            if now_s - began_s - opened_s > _WATCH_S or len(times_s) > _PICTURES_MAX:
                break
    if first is None or first.picture is None:
        raise SourceUnavailable(f"{redact(order.uri)}: it opens, but no picture came", code="timeout")
    size_wh = (first.picture.width, first.picture.height)
    return Probed(codecs[0] if codecs else "", size_wh, _rate(times_s), round(opened_s, 2), _jpeg(first, order))


def _rate(times_s: list[float]) -> float | None:
    if len(times_s) < _FEW or times_s[-1] <= times_s[0]:
        return None
    return round((len(times_s) - 1) / (times_s[-1] - times_s[0]), 1)


def _jpeg(decoded: DecodedPicture, order: ProbeOrder) -> bytes:
    assert decoded.picture is not None
    image = PictureMaker(order.max_side_px, Orientation.turned(order.rotate, order.mirror))(
        decoded.picture, decoded.aspect
    )
    if order.is_coarse:
        image = coarse(image)
    done, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise DecoderFailed(f"{redact(order.uri)}: its picture cannot be written")
    return jpeg.tobytes()


def main() -> None:
    """The process from its first line to its last."""
    asked = json.loads(sys.stdin.buffer.readline(_ORDER_BYTES_MAX))
    end_with_parent()
    limit_live(_LIMITS)
    order = ORDER.validate_python(asked["order"])
    try:
        said = encode_found(look(order, POLICY.validate_python(asked["policy"])))
    except SourceError as error:
        said = encode_fault(error)
    except MemoryError:
        said = encode_fault(DecoderFailed(f"{redact(order.uri)}: its pictures take more memory than they may"))
    sys.stdout.buffer.write(said)
    sys.stdout.buffer.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
