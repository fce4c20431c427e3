"""Plays each clip of a folder as an RTSP camera, in a loop: the first at port 8554, the next at 8555, and so on."""

import hashlib
import http.client
import logging
import os
import sys
import tempfile
import threading
import urllib.request
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av

# PYTHONSAFEPATH keeps a script's own folder off the path; the server lies beside this file in the image.
sys.path.insert(0, str(Path(__file__).parent))
from rtsp_server import Footage, RtspServer

logger = logging.getLogger("demo-camera")

FIRST_PORT = 8554
_LONGEST_S = 120
_HEIGHT_PX = 480
_RATE = 15
_FETCH_MAX_BYTES = 32 * 2**20


def main(folder: Path, url: str = "") -> int:
    """Serve until the process is ended; 1 when the folder holds no clip and none can be fetched from `url`."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    clips = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".mp4", ".mkv", ".mov", ".avi"))
    with ExitStack() as stack, tempfile.TemporaryDirectory() as scratch:
        if not clips and url:
            clips = fetch(url, Path(scratch) / "fetched.mp4")
        if not clips:
            logger.error("no clip in %s: put .mp4 files there (docker/demo-clips/README.md names one)", folder)
            return 1
        for index, clip in enumerate(clips[:8]):
            ready = Path(scratch) / f"{index}.mp4"
            convert(clip, ready)
            stack.enter_context(RtspServer(Footage.load(ready), host="0.0.0.0", port=FIRST_PORT + index))  # noqa: S104
            logger.info("%s: rtsp://demo-camera:%d/live", clip.name, FIRST_PORT + index)
        threading.Event().wait()
    return 0


def fetch(url: str, target: Path) -> list[Path]:
    """The clip behind `url`, whose fragment names its SHA-256; nothing when it cannot be had or is another one."""
    address, _, wanted = url.partition("#sha256=")
    logger.info("fetching %s", address)
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 - the compose file's own address
            content = answer.read(_FETCH_MAX_BYTES)
    except (OSError, http.client.HTTPException) as error:
        logger.error("%s: %s", address, error)
        return []
    found = hashlib.sha256(content).hexdigest()
    if found != wanted:
        logger.error("%s: SHA-256 %s, expected %s", address, found, wanted)
        return []
    target.write_bytes(content)
    return [target]


def convert(clip: Path, target: Path) -> None:
    """H.264 as cameras send it: no pictures out of order, a keyframe each two seconds, modest size and rate."""
    with av.open(str(clip)) as source, av.open(str(target), "w") as container:
        video = source.streams.video[0]
        height = min(_HEIGHT_PX, video.height) // 2 * 2
        width = int(video.width * height / video.height) // 2 * 2
        stream = container.add_stream("libx264", rate=_RATE, options={"preset": "veryfast", "crf": "23", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = 2 * _RATE
        next_index = 0
        for frame in source.decode(video):
            time_s = frame.time or 0.0
            if time_s > _LONGEST_S:
                break
            if time_s * _RATE < next_index:
                continue
            small = frame.reformat(width, height, "yuv420p")
            small.pts, small.time_base = next_index, Fraction(1, _RATE)
            next_index += 1
            container.mux(stream.encode(small))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    is_offline = os.environ.get("ACTOGRAM_OFFLINE", "").lower() in ("1", "true", "yes", "on")
    sys.exit(main(Path(sys.argv[1]), "" if is_offline or len(sys.argv) < 3 else sys.argv[2]))
