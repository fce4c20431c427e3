"""Draws people of a sequence frame by frame, and on them how much each joint counts for a label."""

from collections.abc import Iterator

import cv2
import numpy as np

from models.arrays import BoolArray, FloatArray, Image
from pipelines.training.visualize.bodies import Bodies, to_picture

PAPER = (250, 249, 247)
INK = (40, 36, 32)
# Left, right and middle, BGR: told apart also by people who confuse red and green.
_SIDES = {"left": (178, 114, 0), "right": (0, 94, 213), "": (110, 100, 90)}
_FOCUS = (40, 40, 220)
_SHIFT = 4


def frames_of(
    bodies: Bodies, size_wh: tuple[int, int] = (480, 480), title: str = "", focus: FloatArray | None = None,
    turns: bool = True,
) -> Iterator[Image]:  # fmt: skip
    """One picture per frame: (H, W, 3) BGR, left limbs blue and right ones orange.

    title: a line at the top. focus: (M, T, V) 0..1, drawn as red discs that are bigger where a joint counts more.
    turns: as for `to_picture`.
    """
    points, near = to_picture(bodies, size_wh, turns)
    for frame in range(bodies.num_frames):
        canvas = np.full((size_wh[1], size_wh[0], 3), PAPER, np.uint8)
        for person in range(len(points)):
            if focus is not None:
                _discs(canvas, points[person, frame], focus[person, frame], bodies.seen[person, frame])
            _body(canvas, bodies, points[person, frame], near[person, frame], (person, frame))
        text = f"{title}  {frame / bodies.rate_hz:.2f} s" if title else f"{frame / bodies.rate_hz:.2f} s"
        cv2.putText(canvas, text, (10, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.5, INK, 1, cv2.LINE_AA)
        yield canvas


def side_of(joint: str) -> str:
    """ "left", "right" or "" of a joint's name."""
    return next((side for side in ("left", "right") if joint.startswith(side)), "")


def _body(canvas: Image, bodies: Bodies, points: FloatArray, near: FloatArray, which: tuple[int, int]) -> None:
    """Bones from far to near, then joints; what is far is thinner and paler."""
    seen, names = bodies.seen[which], bodies.layout.joints
    unit = min(canvas.shape[:2]) / 480
    edges = [(a, b) for a, b in bodies.layout.edges if seen[a] and seen[b]]
    for a, b in sorted(edges, key=lambda edge: float(near[edge[0]] + near[edge[1]])):
        share = float(near[a] + near[b]) / 2
        width = max(1, round(unit * (2 + 3 * share)))
        cv2.line(
            canvas, _at(points[a]), _at(points[b]), _pale(_SIDES[side_of(names[a])], share), width, cv2.LINE_AA, _SHIFT
        )
    for joint in np.flatnonzero(seen).tolist():
        cv2.circle(canvas, _at(points[joint]), round(unit * 3) << _SHIFT, INK, -1, cv2.LINE_AA, _SHIFT)


def _discs(canvas: Image, points: FloatArray, weight: FloatArray, seen: BoolArray) -> None:
    """Transparent discs, so that those which overlap add up."""
    unit = min(canvas.shape[:2]) / 480
    for joint in np.flatnonzero(seen & (weight > 0.02)).tolist():
        layer = canvas.copy()
        radius = round(unit * (6 + 22 * float(weight[joint]))) << _SHIFT
        cv2.circle(layer, _at(points[joint]), radius, _FOCUS, -1, cv2.LINE_AA, _SHIFT)
        cv2.addWeighted(layer, 0.45 * float(weight[joint]), canvas, 1 - 0.45 * float(weight[joint]), 0, dst=canvas)


def _at(point: FloatArray) -> tuple[int, int]:
    return round(float(point[0]) * (1 << _SHIFT)), round(float(point[1]) * (1 << _SHIFT))


def _pale(colour: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    kept = 0.45 + 0.55 * share
    blue, green, red = (round(kept * ink + (1 - kept) * paper) for ink, paper in zip(colour, PAPER, strict=True))
    return blue, green, red
