"""Videos that are none, and videos that are odd, each with what the service must say of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.videos import Clip, write_audio, write_video

Make = Callable[[Path], bytes]
THREE_HOURS_S = 3 * 3600.0


@dataclass(frozen=True)
class Refused:
    """A file from which no labels can come: the code of its job, or of the answer to its upload."""

    name: str
    make: Make
    code: str


@dataclass(frozen=True)
class Odd:
    """A file that is analysed: how many of its pictures, and how many seconds it has."""

    name: str
    make: Make
    num_frames: int
    duration_s: float


def _noise(_: Path) -> bytes:
    return np.random.default_rng(0).bytes(20_000)


def _text(_: Path) -> bytes:
    return b"these are notes, not a film\n" * 100


def _nothing(_: Path) -> bytes:
    return b""


def _sound(folder: Path) -> bytes:
    return write_audio(folder / "sound.mp4").read_bytes()


def _cut(folder: Path) -> bytes:
    whole = write_video(folder / "cut.mp4", Clip(num_frames=60)).read_bytes()
    return whole[: len(whole) // 2]


def _film(clip: Clip, suffix: str = "mp4") -> Make:
    return lambda folder: write_video(folder / f"film.{suffix}", clip).read_bytes()


REFUSED = (
    Refused("notes.mp4", _text, "unsupported_media"),
    Refused("noise.avi", _noise, "unsupported_media"),
    Refused("empty.mp4", _nothing, "unsupported_media"),
    Refused("ton ü.mp4", _sound, "unsupported_media"),
    Refused("cut.mp4", _cut, "source_truncated"),
)
ODD = (
    Odd("one frame.mp4", _film(Clip(num_frames=1)), 1, 0.1),
    Odd("8k.mp4", _film(Clip(size_wh=(7680, 4320), num_frames=1)), 1, 0.1),
    Odd("slow.mp4", _film(Clip(num_frames=4, fps=0.1)), 4, 40.0),
    Odd("fast.mp4", _film(Clip(num_frames=120, fps=240.0)), 16, 0.5),
    Odd("three hours.mp4", _film(Clip(times_s=list(np.arange(0.0, THREE_HOURS_S, 240.0)))), 45, THREE_HOURS_S),
    Odd("holiday.txt", _film(Clip(), "mkv"), 12, 1.2),
    Odd("größe 视频 🎬.mp4", _film(Clip()), 12, 1.2),
    Odd("no suffix", _film(Clip(), "ts"), 12, 1.2),
)
