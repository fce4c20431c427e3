"""What networks of the reference are fed: its own steps, of the seconds in which somebody was seen."""

from collections.abc import Mapping

import numpy as np
import pytest

from models.arrays import AnyArray, FloatArray
from models.errors import ContractMismatch
from models.runtime.action import ActionModel, softmax
from models.runtime.contract import ActionContract
from models.runtime.preprocess import People, network_feeds
from models.skeleton.heatmaps import joint_heatmaps, limb_heatmaps, to_heatmap_pixels
from models.skeleton.layouts import COCO17, require_layout
from models.skeleton.pyskl_features import Feature, features, normalise_2d, normalise_3d, sample_for_test
from tests.fakes import FakeNetwork, contract_of

SIZE_WH = np.array([[640, 480]], np.float32)


def imported(**changes: object) -> ActionContract:
    """The contract of a published graph network: two people, uniform sampling of three seconds."""
    inputs = [{"name": "keypoint", "shape": ["batch", "persons", "frames", 17, 3], "dtype": "float32"}]
    values: dict[str, object] = {
        "features": "pyskl-2d", "sampling": "uniform", "num_persons": 2, "window_s": 3.0, "rate_hz": 30.0,
        "num_frames": 100, "inputs": inputs,
    }  # fmt: skip
    return ActionContract.model_validate(contract_of().model_dump() | values | changes)


def walkers(num_samples: int = 90, num_joints: int = 17) -> tuple[FloatArray, AnyArray]:
    """(1, 2, T, V, 3) two people who drift through a picture of 640 x 480, and that both are always seen."""
    generator = np.random.default_rng(0)
    keypoints = generator.uniform(50, 400, (1, 2, 1, num_joints, 3)) + generator.normal(
        0, 5, (1, 2, num_samples, num_joints, 3)
    ).cumsum(axis=2)
    keypoints[..., 2] = generator.uniform(0, 1, keypoints.shape[:-1])
    return keypoints.astype(np.float32), np.ones((1, 2, num_samples), np.bool_)


@pytest.mark.parametrize(
    ("stream", "name"), [("joint", "j"), ("bone", "b"), ("joint_motion", "jm"), ("bone_motion", "bm")]
)
@pytest.mark.parametrize("num_samples", [90, 130, 300])
def test_graph_network_is_fed_the_steps_of_the_reference(stream: str, name: Feature, num_samples: int) -> None:
    keypoints, valid = walkers(num_samples)

    feeds = network_feeds(imported(stream=stream), People(keypoints, valid, SIZE_WH))

    whole = features(normalise_2d(keypoints[0], shape_hw=(480, 640)), COCO17, [name])
    np.testing.assert_allclose(feeds["keypoint"][0], whole[:, sample_for_test(num_samples, 100)], atol=1e-6)


def test_clip_is_as_long_as_its_person_was_seen() -> None:
    keypoints, valid = walkers()
    valid[:, :, :40] = False

    late = network_feeds(imported(), People(keypoints, valid, SIZE_WH))
    short = network_feeds(imported(), People(keypoints[:, :, 40:], valid[:, :, 40:], SIZE_WH))

    np.testing.assert_array_equal(late["keypoint"], short["keypoint"])


def test_absent_person_is_zeros_also_without_scores() -> None:
    keypoints, valid = walkers()
    valid[:, 1] = False
    inputs = [{"name": "keypoint", "shape": ["batch", 2, "frames", 17, 2], "dtype": "float32"}]

    feeds = network_feeds(imported(inputs=inputs), People(keypoints, valid, SIZE_WH))

    assert feeds["keypoint"].shape == (1, 2, 100, 17, 2)
    assert (feeds["keypoint"][0, 0] != 0).mean() > 0.9
    assert (feeds["keypoint"][0, 1] == 0).all()


def test_joints_in_space_are_normalised_to_the_first_body() -> None:
    keypoints, valid = walkers(80, 25)
    inputs = [{"name": "keypoint", "shape": ["batch", 2, "frames", 25, 3], "dtype": "float32"}]
    contract = imported(features="pyskl-3d", layout="nturgbd25", stream="bone", inputs=inputs)

    feeds = network_feeds(contract, People(keypoints, valid))

    whole = features(normalise_3d(keypoints[0]), require_layout("nturgbd25"), ["b"])
    np.testing.assert_allclose(feeds["keypoint"][0], whole[:, sample_for_test(80, 100)], atol=1e-5)


@pytest.mark.parametrize("stream", ["joint", "limb"])
def test_heatmaps_are_drawn_of_the_sampled_frames(stream: str) -> None:
    keypoints, valid = walkers()
    inputs = [{"name": "heatmap", "shape": ["batch", 17, 48, 56, 56], "dtype": "float32"}]
    contract = imported(features="heatmap", stream=stream, num_frames=48, inputs=inputs)

    feeds = network_feeds(contract, People(keypoints, valid, SIZE_WH))

    clip = keypoints[0][:, sample_for_test(90, 48)]
    draw = limb_heatmaps if stream == "limb" else joint_heatmaps
    expected = draw(to_heatmap_pixels(clip[..., :2], (640, 480), (56, 56)), clip[..., 2], (56, 56))
    np.testing.assert_allclose(feeds["heatmap"][0], expected, atol=1e-6)


def test_keypoints_in_pixels_go_where_the_graph_draws_the_heatmaps() -> None:
    keypoints, valid = walkers()
    inputs = [{"name": "keypoint", "shape": ["batch", "persons", 48, 17, 3], "dtype": "float32"}]

    feeds = network_feeds(imported(features="heatmap", num_frames=48, inputs=inputs), People(keypoints, valid, SIZE_WH))

    np.testing.assert_array_equal(feeds["keypoint"][0], keypoints[0][:, sample_for_test(90, 48)])


def rgbpose() -> ActionContract:
    inputs = [
        {"name": "imgs", "shape": ["batch", 3, 8, 64, 64], "dtype": "float32"},
        {"name": "heatmap", "shape": ["batch", 17, 32, 16, 16], "dtype": "float32"},
    ]
    return imported(features="rgbpose", num_frames=32, inputs=inputs, outputs=["logits_rgb", "logits_pose"])


def test_pictures_show_the_crop_of_the_heatmaps() -> None:
    keypoints, valid = walkers()
    keypoints[..., :2] = np.clip(keypoints[..., :2], 200, 300)
    corners = np.array([[200, 200], [300, 300]], np.float32)
    keypoints[0, :, :, :2, :2] = corners
    picture = np.zeros((240, 320, 3), np.uint8)  # half of the source's 640 x 480
    picture[120:130, 120:130] = (0, 0, 255)  # red at 240..260 of the source: right of the middle of 187..312

    feeds = network_feeds(rgbpose(), People(keypoints, valid, SIZE_WH, [[picture] * 90]))

    red, green, blue = feeds["imgs"][0, :, 0]
    assert feeds["imgs"].shape == (1, 3, 8, 64, 64)
    assert feeds["heatmap"].shape == (1, 17, 32, 16, 16)
    rows, columns = np.nonzero(red > 2)
    left = (240 - 187.5) / 125 * 64
    assert abs(columns.min() - left) <= 1.5
    assert abs(rows.min() - left) <= 1.5
    assert (green < 0).all()
    assert (blue < 0).all()


@pytest.mark.parametrize(
    ("contract", "people", "message"),
    [
        (imported(), People(*walkers()), "needs the size of the picture"),
        (rgbpose(), People(*walkers(), SIZE_WH), "looks at pictures, .* none were kept"),
        (rgbpose(), People(*walkers(), SIZE_WH, [[]]), "looks at pictures, .* none were kept"),
    ],
    ids=["size", "pictures", "empty"],
)
def test_what_is_missing_is_named(contract: ActionContract, people: People, message: str) -> None:
    with pytest.raises(ContractMismatch, match=message):
        network_feeds(contract, people)


class TwoHeads:
    """A network that answers with two different heads."""

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        return {
            "logits_rgb": np.array([[4.0, 0, 0]], np.float32),
            "logits_pose": np.array([[0, 2.0, 0]], np.float32),
        }


def test_two_heads_count_as_the_mean_of_their_probabilities() -> None:
    keypoints, valid = walkers()
    picture = np.zeros((48, 64, 3), np.uint8)

    judged = ActionModel(rgbpose(), TwoHeads()).judge(keypoints, valid, SIZE_WH, [[picture] * 90])

    heads = [softmax(np.array([row], np.float32)) for row in ([4.0, 0, 0], [0, 2.0, 0])]
    np.testing.assert_allclose(judged.probabilities, (heads[0] + heads[1]) / 2, rtol=1e-5)


def test_one_person_leaves_the_other_slot_empty() -> None:
    keypoints, valid = walkers()
    network = FakeNetwork([1.0, 0.0, 0.0])

    ActionModel(imported(), network).judge(keypoints[:, 0], valid[:, 0], SIZE_WH)

    assert network.fed == [(1, 2, 100, 17, 3)]


def test_heatmaps_beside_pictures_are_wider() -> None:
    keypoints, valid = walkers()
    picture = np.zeros((48, 64, 3), np.uint8)

    feeds = network_feeds(rgbpose(), People(keypoints, valid, SIZE_WH, [[picture] * 90]))

    clip = keypoints[0][:, sample_for_test(90, 32)]
    pixels = to_heatmap_pixels(clip[..., :2], (640, 480), (16, 16))
    np.testing.assert_allclose(
        feeds["heatmap"][0], joint_heatmaps(pixels, clip[..., 2], (16, 16), sigma_px=0.7), atol=1e-6
    )
