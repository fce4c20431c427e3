"""Bones and motion of values that may be x, y, z or x, y and a score."""

import numpy as np
import pytest

from models.skeleton.layouts import Layout, require_layout
from models.skeleton.reference.features import bones, features, has_score, merge, motion, with_score


def joints(layout: Layout) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(1).normal(size=(1, 3, len(layout), 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "is_3d", "expected"),
    [
        ("coco17", None, True), ("openpose25", None, True), ("blazepose33", None, True), ("hand21", None, True),
        ("nturgbd25", None, False), ("kinect20", None, False),
        ("coco17", True, False), ("blazepose33", True, False), ("nturgbd25", False, True),
    ],
)  # fmt: skip
def test_third_value_is_a_score_by_the_layout_unless_it_is_said(name: str, is_3d: bool | None, expected: bool) -> None:
    layout = require_layout(name)

    assert has_score(joints(layout), layout, is_3d) is expected
    assert has_score(joints(layout)[..., :2], layout, is_3d) is False


@pytest.mark.parametrize("name", ["coco17", "nturgbd25", "blazepose33"])
def test_bones_and_motion_follow_what_the_third_value_is(name: str) -> None:
    layout = require_layout(name)
    values = joints(layout)
    starts = values[..., list(layout.bone_parents), :]

    flat, deep = bones(values, layout, is_3d=False), bones(values, layout, is_3d=True)
    step, climb = motion(values, layout, is_3d=False), motion(values, layout, is_3d=True)

    np.testing.assert_array_equal(deep, values - starts)
    np.testing.assert_array_equal(flat[..., :2], deep[..., :2])
    np.testing.assert_array_equal(flat[..., 2], (values[..., 2] + starts[..., 2]) / 2)
    np.testing.assert_array_equal(climb[:, :-1], np.diff(values, axis=1))
    np.testing.assert_array_equal(step[:, :-1, :, 2], (values[:, :-1, :, 2] + values[:, 1:, :, 2]) / 2)
    np.testing.assert_array_equal(step[:, -1], 0)


def test_features_pass_on_what_the_third_value_is() -> None:
    layout = require_layout("blazepose33")
    values = joints(layout)

    found = features(values, layout, ["b", "bm"], is_3d=True)

    bone = bones(values, layout, is_3d=True)
    np.testing.assert_array_equal(found, merge([bone, motion(bone, layout, is_3d=True)]))


def test_features_can_be_joined_along_another_axis() -> None:
    layout = require_layout("coco17")
    values = joints(layout)

    found = features(values, layout, ["j", "b"], axis=0)

    np.testing.assert_array_equal(found, np.concatenate([values, bones(values, layout)]))


def test_with_score_adds_scores_where_there_are_some() -> None:
    xy, score = np.ones((1, 2, 3, 2), np.float32), np.full((1, 2, 3), 0.5, np.float32)

    np.testing.assert_array_equal(with_score(xy, score)[0, 0, 0], [1, 1, 0.5])
    assert with_score(xy, None) is xy
