"""Trackers on clips: whose numbers break, and in which falls.

Nobody labelled who is who. A break is counted where a number ends inside the picture and another begins in the same
place within two seconds; two people who swap numbers are not seen that way.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from models.arrays import FloatArray
from pipelines.bench.clip_set import BenchClip
from pipelines.stream.people.boxes import iou_matrix
from pipelines.types import Frame

Numbered = Sequence[tuple[int, FloatArray]]
"""The people of one picture: number and box (4,)."""
Follow = Callable[[Sequence[Frame], float], list[Numbered]]
"""Frames, and how many come a second → who is where in each."""

_SAME_PLACE = 0.2  # overlap (IoU)
_AGAIN_S = 2.0
_EDGE = 0.02  # of the picture's side: what ends there has left
_BEFORE_S, _AFTER_S = 0.5, 1.0  # around a fall
_KEPT = 0.8  # of the pictures of a fall in which one number must be seen
_LEAST_SEEN_S = 0.5


@dataclass(frozen=True, slots=True)
class TrackingReport:
    """What one tracker made of one clip.

    numbers: that were seen for half a second or longer. breaks: see above. falls, lost: those with known times, and
    those through which no number was kept.
    """

    tracker: str
    clip: str
    numbers: int
    breaks: int
    falls: int
    lost: int


def compare(
    clips: Sequence[tuple[BenchClip, Sequence[Frame]]], ways: Mapping[str, Follow], rate_hz: float
) -> Iterator[TrackingReport]:
    """Every clip by every tracker, in the order of the clips."""
    for clip, frames in clips:
        times_s = [frame.time_s for frame in frames]
        for name, follow in ways.items():
            seen = follow(frames, rate_hz)
            lost = [fall for fall in clip.falls if not is_kept(seen, times_s, fall)]
            longest = count_numbers(seen, times_s)
            size_wh = frames[0].size_wh if frames else (1, 1)
            breaks = count_breaks(seen, times_s, size_wh)
            yield TrackingReport(name, clip.name, longest, breaks, len(clip.falls), len(lost))


def count_numbers(seen: Sequence[Numbered], times_s: Sequence[float]) -> int:
    """Numbers that were seen for half a second or longer, from first to last."""
    spans = _spans(seen)
    return sum(times_s[last] - times_s[first] >= _LEAST_SEEN_S for first, last in spans.values())


def count_breaks(seen: Sequence[Numbered], times_s: Sequence[float], size_wh: tuple[int, int]) -> int:
    """Numbers that end inside the picture while another begins in the same place within two seconds."""
    spans = _spans(seen)
    heirs: set[int] = set()
    for number, (_, last) in sorted(spans.items(), key=lambda item: item[1][1]):
        box = dict(seen[last])[number]
        if _is_at_edge(box, size_wh):
            continue
        later = ((other, first) for other, (first, _) in spans.items() if other not in heirs and other != number)
        for other, first in later:
            is_soon = first - last > 0 and times_s[first] - times_s[last] <= _AGAIN_S
            if is_soon and float(iou_matrix(box[None], dict(seen[first])[other][None])[0, 0]) > _SAME_PLACE:
                heirs.add(other)
                break
    return len(heirs)


def is_kept(seen: Sequence[Numbered], times_s: Sequence[float], fall: tuple[float, float]) -> bool:
    """Whether one number is seen in most pictures of a fall, a moment before and a second after it as well."""
    low, high = fall[0] - _BEFORE_S, fall[1] + _AFTER_S
    inside = [row for row, time_s in enumerate(times_s) if low <= time_s <= high]
    counts: dict[int, int] = {}
    for row in inside:
        for number, _ in seen[row]:
            counts[number] = counts.get(number, 0) + 1
    return max(counts.values(), default=0) >= _KEPT * len(inside) > 0


def table(reports: Sequence[TrackingReport]) -> str:
    """Sums per tracker, as lines of text."""
    lines = [f"{'tracker':12}{'clips':>7}{'numbers':>9}{'breaks':>8}{'falls':>7}{'lost':>6}"]
    for name in dict.fromkeys(report.tracker for report in reports):
        own = [report for report in reports if report.tracker == name]
        sums = [sum(getattr(report, field) for report in own) for field in ("numbers", "breaks", "falls", "lost")]
        lines.append(f"{name:12}{len(own):>7}{sums[0]:>9}{sums[1]:>8}{sums[2]:>7}{sums[3]:>6}")
    return "\n".join(lines)


def report_object(reports: Sequence[TrackingReport]) -> list[dict[str, object]]:
    """All reports as JSON."""
    return [asdict(report) for report in reports]


def _spans(seen: Sequence[Numbered]) -> dict[int, tuple[int, int]]:
    """Number → first and last row in which it was seen."""
    spans: dict[int, tuple[int, int]] = {}
    for row, people in enumerate(seen):
        for number, _ in people:
            spans[number] = (spans.get(number, (row, row))[0], row)
    return spans


def _is_at_edge(box: FloatArray, size_wh: tuple[int, int]) -> bool:
    width, height = size_wh
    return bool(box[0] < _EDGE * width or box[2] > (1 - _EDGE) * width or box[1] < _EDGE * height)
