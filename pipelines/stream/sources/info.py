"""What is known of a source, what it may cost, and what it lost on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.types import BreakReason


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """Bounds on what is decoded, so that no file can take the machine's memory or its night.

    max_pixels: pictures with more pixels are refused; the default admits 8192x4320.
    max_picture_bytes: the same for the bytes of one decoded picture: a decoder holds about ten of them. 8K with 8 bits
                       (0.56 GB measured) passes, 8K with 10 bits would need twice that and is refused.
    max_side_px: larger pictures are handed out scaled down to this longer side: a detector sees at most 640 px of it,
                 and 8K in BGR would be 106 MB per frame.
    max_duration_s: longer videos are refused, at once where the duration is declared.
    """

    max_pixels: int = 8192 * 4320
    max_picture_bytes: int = 64 << 20
    max_side_px: int = 1920
    max_duration_s: float = 12 * 3600.0


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source says of itself before it is read.

    size_wh: pixels of the frames handed out: upright, with square pixels, scaled to the limits.
    stored_wh: pixels as stored, before rotation and scaling.
    duration_s: declared length, None where nothing is declared.
    num_frames: estimate of the frames that will be handed out, None where nothing is declared.
    fps: average rate of the stored frames, for display and estimates; never a clock.
    slow_motion: how many times slower than life the file says that it plays; None where it says nothing.
    """

    size_wh: tuple[int, int]
    stored_wh: tuple[int, int]
    duration_s: float | None
    num_frames: int | None
    fps: float | None
    codec: str
    container: str
    slow_motion: float | None = None


@dataclass(frozen=True, slots=True)
class SourceCounts:
    """What was read of a file so far.

    frames: handed out. skipped_rate: left out to keep to the analysis rate. corrupt: packets or pictures that could not
    be decoded. out_of_order: pictures whose time was not after the one before.
    breaks: frames that do not follow on the one before, by reason.
    is_truncated: the file ended before what it declares.
    """

    frames: int = 0
    skipped_rate: int = 0
    corrupt: int = 0
    out_of_order: int = 0
    is_truncated: bool = False
    breaks: Mapping[BreakReason, int] = field(default_factory=dict)
