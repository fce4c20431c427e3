"""Runs in the peer's own environment: boxes per frame in, the numbers of `trackers`' ByteTrack out."""

import json
import sys
from pathlib import Path

import numpy as np
import supervision as sv
from numpy.typing import NDArray
from trackers import ByteTrackTracker


def main(source: Path, target: Path) -> None:
    """Answer every scene of `source`: {"rate_hz", "frames": [[[x1, y1, x2, y2, score], ...], ...]}."""
    scenes = json.loads(source.read_text())
    target.write_text(json.dumps([track(float(scene["rate_hz"]), scene["frames"]) for scene in scenes]))


def track(rate_hz: float, frames: list[list[list[float]]]) -> list[list[list[float]]]:
    """Per frame [[number, x1, y1, x2, y2], ...] of the boxes that belong to a track."""
    tracker = ByteTrackTracker(frame_rate=rate_hz)
    return [_update(tracker, np.array(rows, np.float32).reshape(-1, 5)) for rows in frames]


def _update(tracker: ByteTrackTracker, rows: NDArray[np.float32]) -> list[list[float]]:
    found = sv.Detections(xyxy=rows[:, :4], confidence=rows[:, 4], class_id=np.zeros(len(rows), int))
    tracked = tracker.update(found)
    if tracked.tracker_id is None:
        return []
    return [
        [int(number), *map(float, box)]
        for number, box in zip(tracked.tracker_id, tracked.xyxy, strict=True)
        if number >= 0
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
