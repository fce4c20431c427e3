"""The clips of a noise run: which ones, the falls in them, and their pictures."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.errors import SourceUnavailable
from pipelines.stream.sources import FileSource
from pipelines.types import Frame

_DEFAULT = Path(__file__).with_name("noise.toml")
_ENDINGS = (".mp4", ".avi", ".mkv", ".mov", ".webm")


class BenchClip(BaseModel):
    """One clip to replay.

    falls: per fall, the seconds at which balance is lost and at which the torso reaches the ground.
    use: `tune` where thresholds were chosen while looking at the clip, `check` where they were not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    use: Literal["tune", "check"] = "check"
    falls: tuple[tuple[float, float], ...] = Field(default=())


def load_clips(names: Sequence[str] = ()) -> tuple[BenchClip, ...]:
    """The clips of noise.toml, or those named; a name that the list lacks is a clip whose falls are not known."""
    listed = tuple(BenchClip.model_validate(row) for row in tomllib.loads(_DEFAULT.read_text("utf-8"))["clips"])
    known = {clip.name: clip for clip in listed}
    return tuple(known.get(name) or BenchClip(name=name) for name in names) or listed


def find_video(folder: Path, name: str) -> Path:
    """The file of a clip, in the folder or in one that it holds; raises SourceUnavailable where there is none."""
    for ending in _ENDINGS:
        for path in (folder / f"{name}{ending}", *sorted(folder.glob(f"*/{name}{ending}"))):
            if path.is_file():
                return path
    raise SourceUnavailable(f"{folder}: no clip named {name} ({', '.join(_ENDINGS)})")


def read_frames(path: Path, rate_hz: float, seconds: float) -> tuple[Frame, ...]:
    """The first `seconds` of a clip, at most `rate_hz` frames a second; raises what FileSource raises."""
    frames: list[Frame] = []
    with FileSource(path, rate_hz=rate_hz) as source:
        for frame in source:
            if frame.time_s > seconds:
                break
            frames.append(frame)
    return tuple(frames)
