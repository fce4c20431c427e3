"""BlazePose's conversion: the ONNX says what LiteRT says, on real pictures; another file is refused."""

import struct
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from models.arrays import FloatArray, Image
from models.errors import ContractMismatch
from models.runtime.build import build_detector
from models.runtime.pose import crop_region, region_from_box
from models.runtime.session import Session
from models.weights.convert_blazepose import convert_blazepose
from models.weights.store import WeightStore
from models.weights.tflite import load_tflite
from tests.models.conftest import blaze_specs, iter_images

_CLIPS = ("upfall_a1_t1_c2.mp4", "mmaction2_demo_skeleton.mp4", "urfd_fall-01_rgb.mp4")


def _pictures(data_dir: Path) -> list[Image]:
    return [image for clip in _CLIPS for image in iter_images(data_dir / "video" / clip, every=20, count=2)]


def _litert(source: Path, batch: FloatArray, outputs: int) -> list[NDArray[np.float32]]:
    """LiteRT's answers, one picture at a time."""
    interpreter_module = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = interpreter_module.Interpreter(str(source), num_threads=1)
    interpreter.allocate_tensors()
    answers: list[list[NDArray[np.float32]]] = [[] for _ in range(outputs)]
    for picture in batch:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture.transpose(1, 2, 0)[None])
        interpreter.invoke()
        for answer, detail in zip(answers, interpreter.get_output_details(), strict=False):
            answer.append(interpreter.get_tensor(detail["index"])[0])
    return [np.stack(answer) for answer in answers]


def _person_crops(store: WeightStore, data_dir: Path) -> list[Image]:
    """One person per picture, as the pose stage would cut them out, turned a little."""
    _, spec = blaze_specs()
    pictures = _pictures(data_dir)
    found = build_detector(spec, store.require(spec))(pictures)
    regions = [region_from_box(people.xyxy[:1], angle=0.3)[0] for people in found]
    return [crop_region(picture, region, (256, 256)) for picture, region in zip(pictures, regions, strict=True)]


def test_landmarks_equal_litert_on_real_people(blaze_store: WeightStore, data_dir: Path) -> None:
    spec, _ = blaze_specs()
    crops = _person_crops(blaze_store, data_dir)
    batch = cv2.dnn.blobFromImages(crops, scalefactor=1 / 255, swapRB=True).astype(np.float32)

    found = Session(blaze_store.require(spec)).run({"image": batch})
    landmarks, presence = _litert(blaze_store.require(spec, "source"), batch, 2)

    assert (presence > 0.9).sum() >= 4
    np.testing.assert_allclose(found["landmarks"], landmarks, atol=2e-3)  # crop pixels and logits
    np.testing.assert_allclose(found["presence"], presence, atol=1e-4)


def test_detector_equals_litert_on_real_pictures(blaze_store: WeightStore, data_dir: Path) -> None:
    _, spec = blaze_specs()
    scaled = [cv2.resize(image, (224, 224)) for image in _pictures(data_dir)]
    batch = cv2.dnn.blobFromImages(scaled, 1 / 127.5, mean=(127.5, 127.5, 127.5), swapRB=True).astype(np.float32)

    found = Session(blaze_store.require(spec)).run({"image": batch})
    boxes, scores = _litert(blaze_store.require(spec, "source"), batch, 2)

    np.testing.assert_allclose(found["boxes"], boxes, atol=5e-3)
    np.testing.assert_allclose(found["scores"], scores, atol=5e-3)


def test_landmark_onnx_holds_only_what_its_outputs_need(blaze_store: WeightStore) -> None:
    model = onnx.load(str(blaze_store.require(blaze_specs()[0])))

    assert [output.name for output in model.graph.output] == ["landmarks", "presence"]
    assert {node.op_type for node in model.graph.node} >= {"Conv", "Clip", "MaxPool", "Sigmoid"}
    used = {name for node in model.graph.node for name in node.input}
    assert {constant.name for constant in model.graph.initializer} <= used


def test_conversion_is_the_same_every_time(blaze_store: WeightStore) -> None:
    source = blaze_store.require(blaze_specs()[1], "source")

    assert convert_blazepose(source, "blazepose-detector") == convert_blazepose(source, "blazepose-detector")


def test_converted_file_is_made_again_when_it_was_damaged(blaze_store: WeightStore) -> None:
    spec = blaze_specs()[1]
    made = blaze_store.require(spec)
    whole = made.read_bytes()
    made.write_bytes(whole[:1000])

    assert blaze_store.require(spec).read_bytes() == whole


def test_conversion_needs_no_network_when_the_source_is_cached(blaze_store: WeightStore) -> None:
    spec = blaze_specs()[1]
    blaze_store.require(spec).unlink()
    offline = WeightStore(blaze_store.cache, offline=True, fetchers={})

    assert offline.state(spec) == "available"
    assert offline.require(spec).is_file()
    assert offline.state(spec) == "cached"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "found file identifier", id="empty"),
        pytest.param(b"PK\x03\x04 a zip", "found file identifier", id="another kind of file"),
        pytest.param(
            struct.pack("<I", 8) + b"TFL3" + b"\x00" * 4, "found 0 subgraphs, expected 1", id="without a graph"
        ),
    ],
)
def test_load_tflite_refuses_what_is_not_one(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(data)

    with pytest.raises(ContractMismatch, match=reason):
        load_tflite(path)


def test_load_tflite_refuses_a_file_that_is_cut_off(blaze_store: WeightStore, tmp_path: Path) -> None:
    whole = blaze_store.require(blaze_specs()[1], "source").read_bytes()
    path = _write(tmp_path / "net.tflite", whole[: len(whole) // 2])

    with pytest.raises(ContractMismatch, match=r"net\.tflite: not a readable TensorFlow Lite file"):
        load_tflite(path)


def test_session_of_the_landmark_network_has_no_boxes(blaze_store: WeightStore) -> None:
    session = Session(blaze_store.require(blaze_specs()[0]))

    with pytest.raises(ContractMismatch, match=r"found outputs \['landmarks', 'presence'\], expected \['boxes'\]"):
        session.require_output("boxes")


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
