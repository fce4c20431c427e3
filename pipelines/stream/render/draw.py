"""Draws what is known of a frame on its picture: boxes, skeletons, numbers, labels."""

from collections import OrderedDict

import cv2
import numpy as np
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from models.arrays import FloatArray, Image
from models.skeleton.layouts import Layout, require_layout
from pipelines.stream.render.numbers import Numbers
from pipelines.stream.render.palette import Colour, colour_of, ink_on
from pipelines.types import ActionState, FrameResult, NotAssessableReason, PersonStatus

_VISIBLE_SCORE = 0.5
_SHIFT = 4  # bits of sub-pixel precision in OpenCV's drawing
_CHIPS_MAX = 256
_RIM: Colour = (20, 18, 16)
_SAID: dict[PersonStatus, str] = {"warming_up": "…", "none": "", "unknown": "unknown"}
_WHY: dict[NotAssessableReason, str] = {
    "occluded": "hidden",
    "too_small": "too small",
    "low_fps": "too few frames",
    "edge_of_frame": "cut off",
    "identity_uncertain": "not sure who",
}


class Artist:
    """Draws the results of one video in their order; keeps the pictures of recent labels, so that text costs little."""

    def __init__(self, layout: str = "coco17") -> None:
        self._layout: Layout = require_layout(layout)
        self._chips: OrderedDict[tuple[str, Colour, int], Image] = OrderedDict()
        self._numbers = Numbers()

    def draw(self, result: FrameResult) -> Image:
        """A copy of the frame with everyone in it drawn: (H, W, 3) uint8 BGR."""
        canvas = np.ascontiguousarray(result.frame.image).copy()
        unit = max(min(canvas.shape[:2]) / 540, 0.6)  # a line is as bold in a small picture as in a large one
        self._numbers.see(state.track_id for state in result.states)
        people = list(zip(result.poses.xyxy, result.poses.keypoints, result.states, strict=True))
        for box, _, state in people:
            _draw_box(canvas, box, _bgr(_colour(state)), unit)
        for _, keypoints, state in people:
            self._draw_skeleton(canvas, keypoints, _bgr(_colour(state)), unit)
        for box, _, state in people:
            self._draw_label(canvas, box, state, unit)
        return canvas

    def _draw_skeleton(self, canvas: Image, keypoints: FloatArray, colour: Colour, unit: float) -> None:
        """Bones in the action's colour over a dark rim, joints as light dots."""
        visible = keypoints[:, 2] >= _VISIBLE_SCORE
        points = np.round(keypoints[:, :2] * (1 << _SHIFT)).astype(np.int64)
        bones = [(a, b) for a, b in self._layout.edges if visible[a] and visible[b]]
        for width, ink in ((4.5 * unit, _RIM), (2.5 * unit, colour)):
            for a, b in bones:
                _line(canvas, points[a], points[b], ink, max(1, round(width)))
        radius = max(1, round(2.4 * unit))
        for x, y in points[visible].tolist():
            cv2.circle(canvas, (x, y), radius << _SHIFT, (255, 255, 255), -1, cv2.LINE_AA, _SHIFT)
            cv2.circle(canvas, (x, y), radius << _SHIFT, colour, max(1, round(unit)), cv2.LINE_AA, _SHIFT)

    def _draw_label(self, canvas: Image, box: FloatArray, state: ActionState, unit: float) -> None:
        chip = self._chip(label_of(state, self._numbers.of(state.track_id)), _colour(state), round(15 * unit))
        height, width = chip.shape[:2]
        left = int(np.clip(box[0], 0, max(canvas.shape[1] - width, 0)))
        above = int(box[1]) - height - round(2 * unit)
        top = int(np.clip(above if above >= 0 else box[1], 0, max(canvas.shape[0] - height, 0)))
        place = canvas[top : top + height, left : left + width]
        chip = chip[: place.shape[0], : place.shape[1]]
        alpha = chip[..., 3:].astype(np.float32) / 255
        place[:] = (chip[..., :3] * alpha + place * (1 - alpha)).astype(np.uint8)

    def _chip(self, text: str, colour: Colour, size_px: int) -> Image:
        """The picture of a label, (h, w, 4) BGR and alpha, from the cache where it was drawn before."""
        key = (text, colour, size_px)
        if key not in self._chips:
            self._chips[key] = _render_chip(text, colour, size_px)
            if len(self._chips) > _CHIPS_MAX:
                self._chips.popitem(last=False)
        self._chips.move_to_end(key)
        return self._chips[key]


def label_of(state: ActionState, number: int) -> str:
    """What is written beside a person: number, then the action and its score in per cent, or why there is none."""
    if state.action is not None:
        said = f"{state.action.replace('_', ' ')} {round(100 * state.score)}%"
    else:
        said = _WHY[state.reason] if state.reason is not None else _SAID.get(state.status, "")
    return f"{number}  {said}".rstrip()


def _colour(state: ActionState) -> Colour:
    return colour_of("unknown" if state.status in ("unknown", "not_assessable") else state.action)


def _bgr(colour: Colour) -> Colour:
    return colour[2], colour[1], colour[0]


def _draw_box(canvas: Image, box: FloatArray, colour: Colour, unit: float) -> None:
    """A thin frame with strong corners, over a dark rim that keeps it readable on white."""
    left, top, right, bottom = (round(float(value)) for value in box)
    arm = round(min(right - left, bottom - top) * 0.16)
    for ink, thin, bold in ((_RIM, 2.5 * unit, 4.5 * unit), (colour, unit, 2.5 * unit)):
        cv2.rectangle(canvas, (left, top), (right, bottom), ink, max(1, round(thin)), cv2.LINE_AA)
        for x, along in ((left, arm), (right, -arm)):
            for y, down in ((top, arm), (bottom, -arm)):
                cv2.line(canvas, (x, y), (x + along, y), ink, max(2, round(bold)), cv2.LINE_AA)
                cv2.line(canvas, (x, y), (x, y + down), ink, max(2, round(bold)), cv2.LINE_AA)


def _line(canvas: Image, start: FloatArray, end: FloatArray, colour: Colour, width: int) -> None:
    a, b = (int(start[0]), int(start[1])), (int(end[0]), int(end[1]))
    cv2.line(canvas, a, b, colour, width, cv2.LINE_AA, _SHIFT)


def _render_chip(text: str, colour: Colour, size_px: int) -> Image:
    font = ImageFont.load_default(size_px)
    pad = max(2, size_px // 3)
    size = (int(np.ceil(font.getlength(text))) + 2 * pad, size_px + pad)
    chip = PilImage.new("RGBA", size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(chip)
    draw.rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), radius=size_px // 4, fill=(*colour, 235))
    draw.text((pad, size[1] / 2), text, font=font, fill=ink_on(colour), anchor="lm")
    rendered: Image = np.asarray(chip)[..., [2, 1, 0, 3]]
    return rendered
