"""The one table of source schemes: a new scheme is one entry here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

SourceKind = Literal["rtsp", "rtmp", "srt", "http", "file", "webcam", "push"]
Opening = Literal["relay", "fetch", "direct", "file", "device", "push"]

# Measured on 15 fps over RTSP: 1.9 s until the first picture with FFmpeg's defaults, 0.3 s with these.
_RTSP = {
    "analyzeduration": "100000", "probesize": "500000", "fpsprobesize": "0", "allowed_media_types": "video",
}  # fmt: skip
_SRT = {"analyzeduration": "1000000", "fpsprobesize": "0", "mode": "caller"}
_RTMP = {"analyzeduration": "1000000", "fpsprobesize": "0", "rtmp_live": "live"}
# What a stranger's server may answer with. Playlists lead to more of the same, and each file of a playlist is opened
# by us: the persistent connections are ones that FFmpeg would open itself.
_HTTP = {
    "format_whitelist": "hls,mpegts,flv,live_flv,mov,mp4,matroska,webm,mpjpeg,mjpeg,jpeg_pipe,ogg,h264,hevc,asf",
    "fpsprobesize": "0",
}


@dataclass(frozen=True, slots=True)
class Scheme:
    """What the part before the colon means.

    opening: who connects. `relay`: FFmpeg speaks to a relay of ours, which dials the checked address. `fetch`: we fetch
        and FFmpeg reads. `direct`: FFmpeg dials the checked address. `file`, `device`: a path. `push`: nobody.
    port: the default one; None where the scheme names no host, or where the port must be given.
    protocols: FFmpeg's protocols that may be used, comma separated.
    options: further options of FFmpeg.
    input_format: FFmpeg's demuxer, where the content does not tell.
    transports: how the pictures may travel, where there is a choice; the first is the default.
    is_live: whether the end of the pictures is a lost connection rather than the end of a file.
    for_jobs, for_cameras: whether the settings may allow it there.
    is_default: whether cameras may use it without being asked for in the settings.
    """

    name: str
    kind: SourceKind
    opening: Opening
    port: int | None = None
    is_tls: bool = False
    protocols: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    input_format: str | None = None
    transports: tuple[str, ...] = ()
    is_live: bool = True
    for_jobs: bool = False
    for_cameras: bool = True
    is_default: bool = True

    @property
    def has_host(self) -> bool:
        """Whether it names a host."""
        return self.opening in ("relay", "fetch", "direct")


_RTSP_TRANSPORTS = ("tcp", "udp")
_TABLE = (
    Scheme("rtsp", "rtsp", "relay", 554, protocols="tcp,rtp,udp", options=_RTSP, input_format="rtsp",
           transports=_RTSP_TRANSPORTS),
    Scheme("rtsps", "rtsp", "relay", 322, is_tls=True, protocols="tcp", options=_RTSP, input_format="rtsp",
           transports=("tcp",)),
    Scheme("rtmp", "rtmp", "relay", 1935, protocols="rtmp,tcp", options=_RTMP),
    Scheme("rtmps", "rtmp", "relay", 443, is_tls=True, protocols="rtmp,tcp", options=_RTMP),
    Scheme("srt", "srt", "direct", protocols="srt", options=_SRT, input_format="mpegts"),
    Scheme("http", "http", "fetch", 80, options=_HTTP, for_jobs=True),
    Scheme("https", "http", "fetch", 443, is_tls=True, options=_HTTP, for_jobs=True),
    Scheme("file", "file", "file", is_live=False, for_jobs=True, is_default=False),
    Scheme("webcam", "webcam", "device", input_format="v4l2", is_default=False),
    Scheme("push", "push", "push"),
)  # fmt: skip
SCHEMES: Mapping[str, Scheme] = {scheme.name: scheme for scheme in _TABLE}
JOB_SCHEMES = frozenset(scheme.name for scheme in _TABLE if scheme.for_jobs)
CAMERA_SCHEMES = frozenset(scheme.name for scheme in _TABLE if scheme.for_cameras)
DEFAULT_CAMERA_SCHEMES = frozenset(scheme.name for scheme in _TABLE if scheme.for_cameras and scheme.is_default)
