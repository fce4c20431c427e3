import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.arrays import AnyArray
from models.skeleton import pyskl_features as reference
from models.skeleton.layouts import require_layout

LAYOUTS = {"coco": "coco17", "nturgb+d": "nturgbd25", "openpose": "openpose18", "handmp": "hand21"}


def test_features_equal_the_reference_in_every_case(golden_dir: Path) -> None:
    golden = np.load(golden_dir / "pipe_genskefeat.npz")

    for name, case in json.loads(str(golden["index"])).items():
        options = case["ops"][0]
        keypoints = golden[f"{name}/in/keypoint"]
        if f"{name}/in/keypoint_score" in golden:
            keypoints = np.concatenate([keypoints, golden[f"{name}/in/keypoint_score"][..., None]], axis=-1)

        found = reference.features(keypoints, require_layout(LAYOUTS[options["dataset"]]), options["feats"])

        expected = golden[f"{name}/out/keypoint"]
        assert found.dtype == expected.dtype, name
        np.testing.assert_array_equal(found, expected, err_msg=name)


def test_normalise_2d_equals_the_reference_in_every_case(golden_dir: Path) -> None:
    golden = np.load(golden_dir / "pipe_prenormalize2d.npz")

    for name, case in json.loads(str(golden["index"])).items():
        options, keypoints = case["ops"][0], golden[f"{name}/in/keypoint"]
        if f"{name}/in/keypoint_score" in golden:
            keypoints = np.concatenate([keypoints, golden[f"{name}/in/keypoint_score"][..., None]], axis=-1)
        shape = tuple(case["in_scalars"].get("img_shape", (1080, 1920)))

        found = reference.normalise_2d(
            keypoints, shape, options.get("threshold", 0.01), options.get("mode", "fix") == "auto"
        )

        np.testing.assert_allclose(found, golden[f"{name}/out/keypoint"], atol=1e-6, err_msg=name)


def test_sampling_equals_the_reference_in_every_case(golden_dir: Path) -> None:
    golden = np.load(golden_dir / "pipe_uniformsample.npz")
    index = json.loads(str(golden["index"]))

    for name, case in index.items():
        for key, clip_frames in _clips(case["ops"][0]["clip_len"]):
            found = _sample(case, clip_frames)

            if f"{name}/in/keypoint" in golden:
                found_frames: AnyArray = golden[f"{name}/in/keypoint"][:, found]
                np.testing.assert_array_equal(found_frames, golden[f"{name}/out/keypoint"], err_msg=name)
            else:
                start = case["in_scalars"].get("start_index", 0)
                np.testing.assert_array_equal(found + start, golden[f"{name}/out/{key}"], err_msg=name)

    assert len(index) > 100


def test_normalise_3d_puts_the_body_upright_and_drops_empty_frames() -> None:
    generator = np.random.default_rng(0)
    keypoints = generator.normal(size=(2, 6, 25, 3)) + 3
    keypoints[0, 2] = 0
    keypoints[1, 3:] = 0
    keypoints[0, 0, 5] = 0

    found = reference.normalise_3d(keypoints)

    assert found.shape == (2, 5, 25, 3)
    shoulders = found[0, 0, 8] - found[0, 0, 4]
    np.testing.assert_allclose(shoulders / np.linalg.norm(shoulders), [1, 0, 0], atol=1e-12)
    np.testing.assert_array_equal(found[0, 0, [1, 5]], np.zeros((2, 3)))
    np.testing.assert_array_equal(found[1, 2:], np.zeros((3, 25, 3)))
    lengths = np.linalg.norm(np.diff(keypoints[0, 0, 6:], axis=0), axis=-1)
    np.testing.assert_allclose(np.linalg.norm(np.diff(found[0, 0, 6:], axis=0), axis=-1), lengths)


def test_normalise_3d_puts_first_who_is_seen_more() -> None:
    keypoints = np.random.default_rng(1).normal(size=(2, 4, 25, 3))
    keypoints[0, 1:] = 0

    found = reference.normalise_3d(keypoints)

    assert found.shape[1] == 4
    np.testing.assert_array_equal(found[0, 0, 1], np.zeros(3))
    np.testing.assert_array_equal(found[1, 1:], np.zeros((3, 25, 3)))


def test_normalise_3d_leaves_nothing_as_it_is() -> None:
    nothing = np.zeros((2, 4, 25, 3), np.float32)

    assert reference.normalise_3d(nothing) is nothing


@pytest.mark.parametrize("people", [0, 1, 2, 3])
def test_format_people_pads_and_cuts_to_the_slots(people: int) -> None:
    keypoints = np.arange(people * 6 * 2 * 3, dtype=np.float32).reshape(people, 6, 2, 3) + 1

    found = reference.format_people(keypoints, num_persons=2, num_clips=3)

    assert found.shape == (3, 2, 2, 2, 3)
    kept = min(people, 2)
    np.testing.assert_array_equal(found[:, kept:], 0)
    np.testing.assert_array_equal(found[1, :kept], keypoints[:kept, 2:4])


def _clips(clip_len: int | dict[str, int]) -> list[tuple[str, int]]:
    if isinstance(clip_len, int):
        return [("frame_inds", clip_len)]
    return [(f"{modality}_inds", frames) for modality, frames in clip_len.items()]


def _sample(case: dict[str, Any], clip_frames: int) -> AnyArray:
    options, frames = case["ops"][0], case["in_scalars"]["total_frames"]
    kept = options.get("p_interval", 1)
    kept = (kept, kept) if isinstance(kept, int) else tuple(kept)
    num_clips = options.get("num_clips", 1)
    if options["type"] == "UniformSampleDecode":
        return reference.sample_for_training(frames, clip_frames, np.random.RandomState(255), num_clips, kept)
    if case["in_scalars"]["test_mode"]:
        return reference.sample_for_test(frames, clip_frames, num_clips, kept, options.get("seed", 255))
    generator = np.random.RandomState(case["np_seed"])
    return reference.sample_for_training(frames, clip_frames, generator, num_clips, kept)
