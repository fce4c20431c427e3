"""What is left of the boxes of all anchors, rule by rule."""

import numpy as np
import pytest

from models.runtime.detector import SCORE_FLOOR, nms
from models.runtime.suppression import Suppression, suppress

_RULE = Suppression(max_iou=0.5, min_score=0.2, max_per_class=10)
_XYXY = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 30, 10], [40, 0, 50, 10]], np.float32)
_ONE_CLASS = np.array([[0.5], [0.6], [0.9], [0.3]], np.float32)
_TWO_CLASSES = np.array([[0.5, 0.0], [0.0, 0.6], [0.9, 0.0], [0.3, 0.0]], np.float32)


@pytest.mark.parametrize(
    ("rule", "scores", "left"),
    [
        pytest.param(_RULE, _ONE_CLASS, [2, 1, 3], id="of two that overlap, the better"),
        pytest.param(_RULE, _TWO_CLASSES, [2, 1, 0, 3], id="two classes do not suppress each other"),
        pytest.param(Suppression(0.95, 0.2, 10), _ONE_CLASS, [2, 1, 0, 3], id="overlap that is allowed"),
        pytest.param(Suppression(0.5, 0.3, 10), _ONE_CLASS, [2, 1], id="a score must exceed the least"),
        pytest.param(Suppression(0.5, -1.0, 10), _ONE_CLASS * 0.3, [2, 1], id="under the floor"),
        pytest.param(Suppression(0.5, 0.2, 1), _TWO_CLASSES, [2, 1], id="most of a class"),
        pytest.param(Suppression(0.5, 0.2, 10, max_kept=2), _TWO_CLASSES, [2, 1], id="most of all"),
        pytest.param(Suppression(0.5, 0.2, 10, max_sorted=2), _ONE_CLASS, [2, 1], id="most that are looked at"),
        pytest.param(Suppression(0.5, 0.2, 10, gate=0.7), _TWO_CLASSES, [2, 0, 3], id="a class under its gate"),
        pytest.param(_RULE, _ONE_CLASS * 0, [], id="nothing"),
    ],
)
def test_suppression_leaves_the_right_boxes(rule: Suppression, scores: np.ndarray, left: list[int]) -> None:
    found = suppress(_XYXY, scores, rule)

    np.testing.assert_array_equal(found.xyxy, _XYXY[left])
    assert len(found.score) == len(found.label) == len(left)


def test_suppression_gives_empty_arrays_when_there_are_no_anchors() -> None:
    found = suppress(np.zeros((0, 4), np.float32), np.zeros((0, 1), np.float32), _RULE)

    assert found.xyxy.shape == (0, 4)


def test_floor_does_not_change_what_is_above_it() -> None:
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 50, (300, 2)).astype(np.float32)
    xyxy = np.concatenate([corner, corner + rng.uniform(5, 30, (300, 2)).astype(np.float32)], axis=1)
    score = rng.uniform(0, 1, 300).astype(np.float32)

    found = suppress(xyxy, score[:, None], Suppression(0.5, -1.0, 1000))

    expected = nms(xyxy, score, 0.5)
    np.testing.assert_array_equal(found.xyxy, xyxy[expected[score[expected] >= SCORE_FLOOR]])
