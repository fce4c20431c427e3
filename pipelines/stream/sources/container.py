"""Opening what a stranger sent: only real video containers, no playlists that reach elsewhere, typed errors."""

import os
import stat
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from pipelines.errors import SourceForbidden, SourceTooLarge, SourceTruncated, SourceUnavailable, UnsupportedMedia
from pipelines.stream.file_names import printable, text_path
from pipelines.stream.sources.info import SourceLimits

# FFmpeg would read a .txt as a terminal recording and follow a playlist to any file or address: name what is video.
_FILE_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,flv,asf,ogg,mxf,ivf,obu,h264,hevc,av1,mjpeg,"
    "yuv4mpegpipe,gif,dv,rm,nut,wtv"
)
_SIGNATURES = (
    (4, b"ftyp"), (4, b"moov"), (4, b"mdat"), (4, b"wide"), (4, b"free"), (0, b"\x1aE\xdf\xa3"), (0, b"RIFF"),
    (0, b"FLV"), (0, b"OggS"), (0, b"\x47"),
)  # fmt: skip


def open_file(path: Path, limits: SourceLimits) -> InputContainer:
    """Open a video file by its content, whatever its name says.

    Only a regular file is opened: a pipe without a writer or a device would never end.
    Raises SourceUnavailable (not_found), SourceForbidden, SourceTruncated or UnsupportedMedia.
    """
    head, name = _head(path), printable(path.name)
    options = {"format_whitelist": _FILE_FORMATS, "protocol_whitelist": "file", "max_pixels": str(limits.max_pixels)}
    try:
        # "file:" and an absolute path: a name such as "concat:a|b" or "x:1.mp4" is a name, not a protocol.
        with text_path(path.resolve()) as place:
            return av.open(f"file:{place}", mode="r", options=options, metadata_errors="replace")
    except av.error.FFmpegError as error:
        if any(head[at : at + len(mark)] == mark for at, mark in _SIGNATURES):
            raise SourceTruncated(
                f"{name}: starts like a video, but what describes its pictures is missing or cut off"
            ) from error
        raise UnsupportedMedia(f"{name}: not a video in a known container") from error


def require_video(container: InputContainer, name: str, limits: SourceLimits) -> VideoStream:
    """The video stream to read: the default one, else the largest; cover art is none.

    Raises UnsupportedMedia without a decodable video stream, SourceTooLarge beyond the limits of a picture.
    """
    streams = [stream for stream in container.streams.video if not stream.disposition & _ATTACHED]
    if not streams:
        raise UnsupportedMedia(f"{name}: holds no video stream")
    # PyAV leaves the codec context out where FFmpeg knows no decoder; its type stubs do not say so.
    streams = [stream for stream in streams if getattr(stream, "codec_context", None) is not None]
    if not streams:
        raise UnsupportedMedia(f"{name}: no decoder for its video codec")
    stream = max(streams, key=lambda each: (bool(each.disposition & _DEFAULT), _num_pixels(each)))
    _refuse_larger(stream, name, limits)
    return stream


_ATTACHED = av.stream.Disposition.attached_pic
_DEFAULT = av.stream.Disposition.default


def _refuse_larger(stream: VideoStream, name: str, limits: SourceLimits) -> None:
    context, num_pixels = stream.codec_context, _num_pixels(stream)
    size = f"{context.width}x{context.height}"
    if num_pixels > limits.max_pixels:
        raise SourceTooLarge(f"{name}: pictures of {size}, at most {limits.max_pixels} pixels are decoded")
    if context.format is None:
        return
    num_bytes = num_pixels * context.format.padded_bits_per_pixel // 8
    if num_bytes > limits.max_picture_bytes:
        raise SourceTooLarge(
            f"{name}: pictures of {size} in {context.format.name} take {num_bytes} bytes each, "
            f"at most {limits.max_picture_bytes} are held"
        )


def _num_pixels(stream: VideoStream) -> int:
    return stream.codec_context.width * stream.codec_context.height


def _head(path: Path) -> bytes:
    """The first bytes of a regular file that is not empty."""
    name = printable(path.name)
    try:
        # Without O_NONBLOCK, opening a pipe waits for a writer.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise SourceUnavailable(f"{name}: no such file", code="not_found") from error
    except OSError as error:
        _require_regular(_mode(path), name)  # a socket cannot even be opened
        raise SourceForbidden(f"{name}: cannot be read: {error.strerror}") from error
    try:
        _require_regular(os.fstat(handle).st_mode, name)
        head = os.read(handle, 16)
    except OSError as error:
        raise SourceForbidden(f"{name}: cannot be read: {error.strerror}") from error
    finally:
        os.close(handle)
    if not head:
        raise SourceTruncated(f"{name}: the file is empty")
    return head


_KINDS = (
    (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
)  # fmt: skip


def _require_regular(mode: int, name: str) -> None:
    kind = next((kind for is_kind, kind in _KINDS if is_kind(mode)), None)
    if kind is not None:
        raise UnsupportedMedia(f"{name}: is {kind}, a video file is expected")


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return stat.S_IFREG
