"""Analyses as many pictures of a file as are needed, and interpolates people's joints in those between.

The action models see fifteen moments a second; the networks gain nothing from thirty. A camera's pictures that come too
soon are left out, but whoever watches a file wants a skeleton in each of its pictures.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from pipelines.types import Frame, FrameResult, Poses

ENOUGH_HZ = 14.0
"""So that of 28 to 30 pictures a second every second one is analysed, and of 25 every one."""
_TICK_S = 1e-3  # timestamps are rounded to the container's ticks


def results(
    frames: Iterable[Frame], process: Callable[[Frame], FrameResult], enough_hz: float | None = ENOUGH_HZ
) -> Iterator[FrameResult]:
    """One result per frame, in order; at most `1 / enough_hz` seconds apart, frames go through `process`.

    A frame is left out where the next one comes early enough, whatever the rate, so the first and the last frame are
    always analysed, and so are those on both sides of a break. What is said of one between: the people of the analysed
    frame before it, their joints and boxes linear in time where they are still there in the one after, nothing new.
    None for `enough_hz` leaves nobody out.
    """
    before: FrameResult | None = None
    held: list[Frame] = []
    for frame, following in _with_next(frames):
        if before is not None and enough_hz is not None and not _is_due(before, frame, following, enough_hz):
            held.append(frame)
            continue
        after = process(frame)
        if before is not None:
            for skipped in held:
                yield _interpolated(before, after, skipped)
        held.clear()
        yield after
        before = after


def _with_next(frames: Iterable[Frame]) -> Iterator[tuple[Frame, Frame | None]]:
    held: Frame | None = None
    for frame in frames:
        if held is not None:
            yield held, frame
        held = frame
    if held is not None:
        yield held, None


def _is_due(before: FrameResult, frame: Frame, following: Frame | None, enough_hz: float) -> bool:
    """Whether the frame must be analysed: at a break, at the end, and where the following one comes too late."""
    if frame.is_break or following is None or following.is_break:
        return True
    wait_s = following.time_s - before.frame.time_s
    return not 0 <= wait_s <= 1 / enough_hz + _TICK_S


def _interpolated(before: FrameResult, after: FrameResult, frame: Frame) -> FrameResult:
    span_s = after.frame.time_s - before.frame.time_s
    share = np.float32((frame.time_s - before.frame.time_s) / span_s if span_s > 0 else 0.0)
    return FrameResult(frame, _moved(before.poses, after.poses, frame, share), before.states, (), is_interpolated=True)


def _moved(before: Poses, after: Poses, frame: Frame, share: np.float32) -> Poses:
    keypoints, xyxy = before.keypoints.copy(), before.xyxy.copy()
    rows_after = {track_id: row for row, track_id in enumerate(after.track_id.tolist())}
    for row, track_id in enumerate(before.track_id.tolist()):
        other = rows_after.get(track_id)
        if other is not None:
            keypoints[row] += share * (after.keypoints[other] - keypoints[row])
            xyxy[row] += share * (after.xyxy[other] - xyxy[row])
    return replace(
        before, frame_index=frame.index, time_s=frame.time_s, keypoints=keypoints, xyxy=xyxy, ended=(),
    )  # fmt: skip
