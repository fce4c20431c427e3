"""A film of drawn people whose joints are known exactly, so that a test can say where a skeleton must be painted."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import av
import cv2
import numpy as np

from models.arrays import FloatArray, Image
from models.skeleton.layouts import require_layout

SIZE_WH = (640, 360)
RATE_HZ = 15
_TICKS_HZ = 90_000


@dataclass(frozen=True, slots=True)
class Act:
    """What one figure does from `start_s` to `end_s`."""

    track_id: int
    action: str
    start_s: float
    end_s: float
    score: float = 0.9


def joints(centre_x: float, ground_y: float, height: float, time_s: float, action: str) -> FloatArray:
    """(17, 3) COCO joints of a figure in 0..1 of the frame and score."""
    swing = math.sin(6 * time_s) * (0.14 if action in {"walk", "run"} else 0.02)
    raised = -0.62 if action == "wave" else -0.28
    offsets = [
        (0.0, -0.95), (0.02, -0.97), (-0.02, -0.97), (0.045, -0.95), (-0.045, -0.95),
        (0.1, -0.8), (-0.1, -0.8), (0.14 + swing / 2, -0.62), (-0.14 - swing / 2, -0.62),
        (0.15 + swing, raised - 0.18 - 0.2 * (action == "wave")), (-0.15 - swing, -0.46),
        (0.06, -0.5), (-0.06, -0.5), (0.07 + swing, -0.26), (-0.07 - swing, -0.26),
        (0.07 + 1.3 * swing, -0.02), (-0.07 - 1.3 * swing, -0.02),
    ]  # fmt: skip
    turn = math.pi / 2 * min(1.0, max(0.0, action == "fall")) if action in {"fall", "lie"} else 0.0
    turn = math.pi / 2 if action == "lie" else turn * 0.7
    aspect = SIZE_WH[1] / SIZE_WH[0]
    points = [
        (
            centre_x + height * aspect * (x * math.cos(turn) - y * math.sin(turn)),
            ground_y + height * (x * math.sin(turn) + y * math.cos(turn)),
            0.9,
        )
        for x, y in offsets
    ]
    return np.asarray(points, np.float32)


def box_of(points: FloatArray) -> tuple[float, float, float, float]:
    """The box around a figure, 0..1 of the frame."""
    low, high = points[:, :2].min(0) - 0.02, points[:, :2].max(0) + 0.02
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def place(track_id: int, time_s: float, action: str) -> FloatArray:
    """Where figure `track_id` stands at a time: each walks a lane of its own."""
    speed = {"walk": 0.05, "run": 0.09}.get(action, 0.004)
    centre = 0.18 + 0.26 * ((track_id - 1) % 3) + speed * (time_s % 4)
    return joints(centre, 0.9 - 0.03 * (track_id % 3), 0.62, time_s, action)


def draw(people: list[FloatArray], time_s: float) -> Image:
    """The picture: a floor, a wall, grey figures."""
    width, height = SIZE_WH
    image: Image = np.full((height, width, 3), (92, 86, 80), np.uint8)
    image[int(0.72 * height) :] = (66, 62, 58)
    for x in range(0, width, 80):
        cv2.line(image, (x, int(0.72 * height)), (int(1.6 * x - 0.3 * width), height), (76, 72, 68), 1)
    edges = require_layout("coco17").edges
    for points in people:
        pixels = [(int(x * width), int(y * height)) for x, y, _ in points]
        for start, end in edges:
            cv2.line(image, pixels[start], pixels[end], (150, 146, 140), 9, cv2.LINE_AA)
        cv2.circle(image, pixels[0], 15, (160, 156, 150), -1, cv2.LINE_AA)
    cv2.putText(image, f"{time_s:6.2f}", (width - 92, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (190, 190, 190), 1)
    return image


def doing(acts: Sequence[Act], track_id: int, time_s: float) -> Act | None:
    """What a figure does at a time."""
    return next((act for act in acts if act.track_id == track_id and act.start_s <= time_s < act.end_s), None)


def people_at(acts: Sequence[Act], time_s: float) -> list[tuple[Act, FloatArray]]:
    """Every figure in the picture at a time with its joints."""
    tracks = sorted({act.track_id for act in acts})
    found = [(doing(acts, track, time_s), track) for track in tracks]
    return [(act, place(track, time_s, act.action)) for act, track in found if act is not None]


def regular(duration_s: float) -> tuple[float, ...]:
    """The times of a film's frames at the usual rate, seconds."""
    return tuple(index / RATE_HZ for index in range(round(duration_s * RATE_HZ)))


@cache
def film(acts: tuple[Act, ...], duration_s: float, times_s: tuple[float, ...] | None = None) -> bytes:
    """The film as an MP4; nobody is in it when `acts` is empty. `times_s`: of frames that are not regular."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE_HZ, options={"preset": "ultrafast"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *SIZE_WH, "yuv420p"
        stream.codec_context.time_base = Fraction(1, _TICKS_HZ)
        for time_s in times_s or regular(duration_s):
            picture = av.VideoFrame.from_ndarray(
                draw([points for _, points in people_at(acts, time_s)], time_s), format="bgr24"
            )
            picture.pts, picture.time_base = round(time_s * _TICKS_HZ), Fraction(1, _TICKS_HZ)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return buffer.getvalue()


def frame_lines(
    acts: Sequence[Act], duration_s: float, times_s: tuple[float, ...] | None = None
) -> list[dict[str, object]]:
    """The `frame` lines of the film's results."""
    return [
        {
            "type": "frame", "frame_index": index, "media_time_s": round(time_s, 4),
            "persons": [person_of(act, points, time_s) for act, points in people_at(acts, time_s)],
        }
        for index, time_s in enumerate(times_s or regular(duration_s))
    ]  # fmt: skip


def person_of(act: Act, points: FloatArray, time_s: float) -> dict[str, object]:
    """One person as a `frame` message says it."""
    status, reason, action = "assessed", None, act.action
    if act.action == "too_small":
        status, reason = "not_assessable", "too_small"
    elif act.action in {"none", "unknown"}:
        status = act.action
    # A new action needs a moment to be named.
    if time_s - act.start_s < 0.6 and act.start_s > 0:
        status, reason = "warming_up", None
    named = status == "assessed"
    return {
        "track_id": act.track_id, "box": box_of(points), "keypoints": points.round(4).tolist(),
        "action": action if named else None, "score": act.score if named else 0.0, "status": status, "reason": reason,
    }  # fmt: skip
