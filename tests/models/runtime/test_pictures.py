"""Letterbox, normalisation and suppression: what every detector shares."""

import numpy as np
import pytest

from models.runtime.detector import iou, iter_batches, letterbox, letterbox_into, nms, normalise_tables, planes


@pytest.mark.parametrize(
    ("size_wh", "canvas_hw", "scale"),
    [
        pytest.param((1920, 1080), (192, 320), 1 / 6, id="16:9 pads to a multiple of 32, not to a square"),
        pytest.param((320, 320), (320, 320), 1.0, id="nothing to do"),
        pytest.param((100, 200), (320, 160), 1.6, id="small pictures are enlarged"),
        pytest.param((1000, 1), (32, 320), 0.32, id="one pixel high"),
    ],
)
def test_letterbox_fills_right_and_bottom(size_wh: tuple[int, int], canvas_hw: tuple[int, int], scale: float) -> None:
    image = np.full((size_wh[1], size_wh[0], 3), 7, np.uint8)

    box = letterbox(image, 320)

    assert box.canvas.shape[:2] == canvas_hw
    assert box.scale == pytest.approx(scale)
    assert tuple(box.canvas[0, 0]) == (7, 7, 7)
    inner = round(size_wh[0] * scale), max(round(size_wh[1] * scale), 1)
    assert (box.canvas[inner[1] :] == 114).all()
    assert (box.canvas[:, inner[0] :] == 114).all()


def test_letterbox_returns_boxes_to_the_source_and_cuts_them() -> None:
    box = letterbox_into(np.zeros((100, 200, 3), np.uint8), (50, 50), fill=0)

    xyxy = box.to_source(np.array([[10, 10, 20, 20], [-5, -5, 80, 80]], np.float32))

    np.testing.assert_allclose(xyxy, [[40, 40, 80, 80], [0, 0, 200, 100]])


@pytest.mark.parametrize(("colour", "first"), [("bgr", 10), ("rgb", 30)])
def test_planes_normalises_each_channel_in_the_order_of_the_network(colour: str, first: int) -> None:
    image = np.zeros((2, 2, 3), np.uint8) + np.array([10, 20, 30], np.uint8)
    tables = normalise_tables([1, 2, 3], [10, 10, 10])

    found = planes(image, tables, "rgb" if colour == "rgb" else "bgr")

    assert found.dtype == np.float32
    assert found[:, 0, 0] == pytest.approx([(first - 1) / 10, 1.8, (40 - first - 3) / 10])


def test_nms_keeps_the_best_of_overlapping_boxes() -> None:
    xyxy = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 0, 60, 10]], np.float32)

    kept = nms(xyxy, np.array([0.5, 0.9, 0.7], np.float32), 0.5)

    assert kept.tolist() == [1, 2]


def test_nms_keeps_nothing_of_nothing() -> None:
    assert len(nms(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 0.5)) == 0


def test_iou_is_0_when_a_box_has_no_area() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [3, 3, 3, 3]], np.float32)

    overlap = iou(boxes, boxes)

    assert overlap.reshape(-1) == pytest.approx([1, 1 / 3, 0, 1 / 3, 1, 0, 0, 0, 0])


def test_iter_batches_groups_equal_shapes_up_to_the_limit() -> None:
    canvases = [np.zeros((size, 32, 3), np.uint8) for size in (32, 64, 32, 32)]

    assert list(iter_batches(canvases, 2)) == [[0, 2], [3], [1]]
