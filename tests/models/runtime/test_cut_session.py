"""A detector that is cut before its suppression finds the same people, any number of pictures at a time."""

import logging
from pathlib import Path

import numpy as np
import pytest

from models.arrays import AnyArray, Image
from models.runtime.build import build_detector
from models.runtime.cut_session import CutSession, open_cut
from models.runtime.detector import DetectedPeople
from models.runtime.device import REHEARSAL
from models.runtime.openmmlab import OpenMMLabDetector
from models.runtime.session import Session
from models.weights.registry import InputContract, ModelSpec, load_registry
from tests.models.conftest import iter_images
from tests.models.runtime.networks import write_constant, write_renamed, write_suppressing

_FILES = ["rtmdet_nano_person_sdk.onnx", "rtmdet_nano_person.onnx"]
_CLIPS = ["mmaction2_demo_skeleton.mp4", "upfall_a1_t1_c2.mp4"]
_CONTRACT = InputContract((64, 64), std=(64.0, 64.0, 64.0), mean=(128.0, 128.0, 128.0))
_SPEC = ModelSpec("net", "detect", "rtmdet", {}, input=_CONTRACT)


def _images(data_dir: Path) -> list[Image]:
    return [image for clip in _CLIPS for image in iter_images(data_dir / "video" / clip, every=20, count=3)]


def _spots(count: int) -> list[Image]:
    return list(np.random.default_rng(1).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8))


def _as_file(path: Path, spec: ModelSpec, long_side: int | None = None) -> OpenMMLabDetector:
    """The detector with the suppression of its own file."""
    return OpenMMLabDetector(spec, CutSession(Session(path), None), long_side)


def _require_same(found: list[DetectedPeople], expected: list[DetectedPeople]) -> None:
    assert [len(one) for one in found] == [len(one) for one in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.xyxy, other.xyxy, rtol=0, atol=0.01)
        np.testing.assert_allclose(one.score, other.score, rtol=0, atol=1e-5)


@pytest.mark.parametrize("side", [320, 640])
@pytest.mark.parametrize("file", _FILES)
def test_cut_rtmdet_finds_what_the_file_finds_when_pictures_share_a_batch(
    weights_dir: Path, data_dir: Path, file: str, side: int
) -> None:
    spec = load_registry().require("rtmdet-nano-person")
    cut = open_cut(weights_dir / file)
    images = _images(data_dir)

    together = OpenMMLabDetector(spec, cut, side)(images)

    own = _as_file(weights_dir / file, spec, side)
    assert cut.is_cut
    assert sum(len(one) for one in together) > len(images)
    _require_same(together, [own([image])[0] for image in images])


@pytest.mark.parametrize("file", _FILES)
def test_cutting_needs_no_name_of_the_file(weights_dir: Path, data_dir: Path, tmp_path: Path, file: str) -> None:
    spec = load_registry().require("rtmdet-nano-person")
    renamed = build_detector(spec, write_renamed(weights_dir / file, tmp_path / "renamed.onnx"), long_side=320)
    images = _images(data_dir)

    found = renamed(images)

    assert renamed.sessions[0].outputs[0].name != "dets"  # type: ignore[attr-defined]
    _require_same(found, build_detector(spec, weights_dir / file, long_side=320)(images))


@pytest.mark.parametrize("num_classes", [1, 3])
@pytest.mark.parametrize("max_sorted", [None, 40])
@pytest.mark.parametrize("max_kept", [None, 7])
def test_cut_detector_keeps_the_limits_of_its_file(
    tmp_path: Path, num_classes: int, max_sorted: int | None, max_kept: int | None
) -> None:
    path = write_suppressing(tmp_path / "net.onnx", num_classes, max_sorted, max_kept)
    cut = open_cut(path)
    images = _spots(6)

    together = OpenMMLabDetector(_SPEC, cut)(images)

    own = _as_file(path, _SPEC)
    assert cut.is_cut
    assert sum(len(one) for one in together) > len(images)
    _require_same(together, [own([image])[0] for image in images])


def test_cut_detector_finds_the_same_when_shapes_stand_still(tmp_path: Path) -> None:
    path = write_suppressing(tmp_path / "net.onnx", 1, None, None)
    images = _spots(5)

    held = OpenMMLabDetector(_SPEC, open_cut(path, REHEARSAL))

    _require_same(held(images), OpenMMLabDetector(_SPEC, open_cut(path))(images))
    assert {shape for shapes in held.sessions[0].fed_shapes for _, shape in shapes} == {(8, 3, 64, 64)}


def test_detector_keeps_its_own_suppression_and_says_so_when_it_cannot_be_cut(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answers: dict[str, AnyArray] = {
        "dets": np.array([[8, 8, 40, 60, 0.9]], np.float32),
        "labels": np.array([0], np.int64),
    }
    path = write_constant(tmp_path / "net.onnx", ("batch", 3, 64, 64), answers)
    spec = _SPEC

    with caplog.at_level(logging.WARNING):
        detector = build_detector(spec, path, REHEARSAL)
    found = detector(_spots(3))

    assert "net.onnx keeps its own suppression and takes one picture at a time: found 0 NonMax" in caplog.text
    assert [len(one) for one in found] == [1, 1, 1]
    assert detector.sessions[0].declared_shapes == ({"input": (1, 3, 64, 64)},)  # type: ignore[attr-defined]
