"""The newest picture of a stream, for whoever looks at it now."""

from pathlib import Path

_WANTED_S = 5.0


def stamped(jpeg: bytes, frame_index: int, media_time_s: float) -> bytes:
    """A JPEG that says which frame it is, in a comment segment: the page draws on it what was said of that frame."""
    comment = f"frame_index={frame_index};media_time_s={media_time_s:.3f}".encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def is_wanted(folder: Path, now_s: float) -> bool:
    """The worker's question: whether somebody looked at this stream lately."""
    try:
        return now_s - (folder / "wanted").stat().st_mtime < _WANTED_S
    except FileNotFoundError:
        return False
