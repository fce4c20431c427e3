import numpy as np
import pytest

from models.errors import LayoutNotServed
from models.skeleton.derive import derive
from models.skeleton.layouts import COCO17, require_layout


def test_neck_is_the_middle_of_the_shoulders_with_the_lesser_score() -> None:
    body = np.random.default_rng(0).uniform(0, 100, (2, 17, 3)).astype(np.float32)
    body[..., 2] = 0.9
    left, right = COCO17.shoulders
    body[0, left, 2] = 0.4
    target = require_layout("openpose18")

    found = derive(COCO17, target)(body)

    neck = target.joints.index("neck")
    assert found.shape == (2, 18, 3)
    np.testing.assert_allclose(found[:, neck, :2], (body[:, left, :2] + body[:, right, :2]) / 2, rtol=1e-6)
    np.testing.assert_allclose(found[:, neck, 2], [0.4, 0.9])


@pytest.mark.parametrize("name", ["coco17", "body13", "openpose18", "penn13"])
def test_joints_of_the_same_name_are_copied(name: str) -> None:
    body = np.random.default_rng(0).uniform(0, 1, (17, 3)).astype(np.float32)
    target = require_layout(name)

    found = derive(COCO17, target)(body)

    for joint in set(target.joints) & set(COCO17.joints):
        np.testing.assert_array_equal(found[target.joints.index(joint)], body[COCO17.joints.index(joint)])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("hand21", "skeleton of a hand"),
        ("nturgbd25", "joints in space"),
        ("kinect20", "joints in space"),
        ("openpose25", "left_big_toe, left_small_toe, left_heel"),
        ("jhmdb15", "needs belly"),
        ("blazepose33", "left_eye_inner"),
    ],
)
def test_layout_that_bodies_in_pictures_do_not_give_is_refused(name: str, reason: str) -> None:
    with pytest.raises(LayoutNotServed, match=reason) as raised:
        derive(COCO17, require_layout(name))

    assert raised.value.code == "layout_not_served"
