"""What is said of weights, models, the processor and codecs, by kind of fault."""

from pathlib import Path

import pytest

from models.runtime.engines import openvino
from service.doctor.findings import Finding
from service.doctor.installation import (
    check_codecs,
    check_models,
    check_processor,
    check_providers,
    check_version,
    check_weights,
    judge_codecs,
)
from service.settings import load_settings

_ALL = {"h264", "hevc", "mjpeg", "mpeg4", "vp8", "vp9", "av1"}


def test_version_names_python_and_system() -> None:
    (found,) = check_version()

    assert found.state == "ok"
    assert "Python 3." in found.found


def _weights(home: Path, **settings: object) -> dict[str, Finding]:
    return {one.name: one for one in check_weights(load_settings(home=home, **settings))}


def test_weights_that_cannot_be_had_are_bad(tmp_path: Path) -> None:
    found = _weights(tmp_path, weights=tmp_path, offline=True)

    assert {name: one.state for name, one in found.items()} == {
        "weights: detect": "bad",
        "weights: pose": "bad",
        "weights: action": "ok",
    }
    assert "ACTOGRAM_OFFLINE" in found["weights: pose"].found
    assert list(tmp_path.iterdir()) == []


def test_weights_that_the_first_start_fetches_are_told(tmp_path: Path) -> None:
    found = _weights(tmp_path, weights=tmp_path)

    assert found["weights: pose"].state == "warn"
    assert "models pull" in found["weights: pose"].advice


def test_weights_that_are_cut_off_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "rtmdet_nano_person_sdk.onnx").write_bytes(b"half a network")

    assert _weights(tmp_path / "home", weights=tmp_path, offline=True)["weights: detect"].state == "bad"


def test_weights_at_hand_are_well(weights_dir: Path, tmp_path: Path) -> None:
    found = _weights(tmp_path, weights=weights_dir, offline=True)["weights: detect"]

    assert (found.state, found.found) == ("ok", "rtmdet-nano-person is at hand")


def test_folder_of_weights_that_is_not_there_is_bad(tmp_path: Path) -> None:
    found = _weights(tmp_path, weights=tmp_path / "nowhere")

    assert found["weights"].state == "bad"
    assert "nowhere is no folder" in found["weights"].found


def test_own_model_that_is_broken_is_named(tmp_path: Path) -> None:
    for name in ("gestures", "poses"):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "model.json").write_text("{")

    found = list(check_models(load_settings(home=tmp_path)))

    assert [(one.state, one.found.partition(":")[0]) for one in found] == [("bad", "gestures"), ("bad", "poses")]


def test_no_own_models_are_no_fault(tmp_path: Path) -> None:
    (found,) = check_models(load_settings(home=tmp_path))

    assert (found.state, found.found) == ("ok", "none")


def test_providers_are_named(tmp_path: Path) -> None:
    (found,) = check_providers(load_settings(home=tmp_path, device="cpu"))

    assert found.state == "ok"
    assert "CPUExecutionProvider; device cpu" in found.found


def test_gpu_that_is_asked_for_and_cannot_be_used_is_bad(tmp_path: Path) -> None:
    found = list(check_providers(load_settings(home=tmp_path, device="cuda:63")))

    assert found[1].name.startswith("gpu: ")


@pytest.mark.parametrize(
    ("line", "state", "words"),
    [
        pytest.param("flags\t\t: fpu sse2 avx avx2 avx512f avx512_vnni", "ok", "AVX2, AVX-512, VNNI", id="server"),
        pytest.param("flags\t\t: fpu sse2 avx2 avx_vnni", "ok", "AVX2, VNNI", id="desktop"),
        pytest.param("Features\t: fp asimd asimddp", "ok", "NEON, dot product", id="arm"),
        pytest.param("flags\t\t: fpu sse2", "warn", "no vector units known", id="old"),
        pytest.param("model name\t: secret", "ok", "no vector units known", id="nothing is said"),
    ],
)
def test_processor_is_judged_by_its_vector_units(tmp_path: Path, line: str, state: str, words: str) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{line}\n")

    (found,) = check_processor(load_settings(home=tmp_path), tmp_path / "cpuinfo")

    assert found.state == state
    assert words in found.found


def test_more_workers_than_cores_are_told(tmp_path: Path) -> None:
    (found,) = check_processor(load_settings(home=tmp_path, workers=64), tmp_path / "no cpuinfo")

    assert found.state == "warn"
    assert "64 workers" in found.found


@pytest.mark.parametrize(
    ("decoders", "encoders", "state", "words"),
    [
        (_ALL, {"libx264"}, "ok", "av1, h264"),
        (_ALL - {"hevc"}, {"libx264"}, "bad", "cannot decode hevc"),
        (_ALL - {"av1"}, {"libx264"}, "warn", "cannot decode av1"),
        (_ALL, set(), "warn", "cannot encode annotated videos"),
    ],
)
def test_codecs_are_judged_by_what_cameras_send(decoders: set[str], encoders: set[str], state: str, words: str) -> None:
    found = judge_codecs(decoders, encoders, "FFmpeg 8")

    assert found.state == state
    assert words in found.found


def test_codecs_of_this_installation_are_enough() -> None:
    (found,) = check_codecs()

    assert found.state == "ok"


def test_openvino_is_told_where_the_settings_want_it(tmp_path: Path) -> None:
    found = [
        one for one in check_providers(load_settings(home=tmp_path, engine_cpu="openvino")) if one.name == "openvino"
    ]

    assert [one.state for one in found] == ["ok" if openvino.is_installed() else "bad"]
    assert "ACTOGRAM_ENGINE_CPU=openvino" in found[0].found


def test_openvino_is_no_matter_by_default(tmp_path: Path) -> None:
    names = [one.name for one in check_providers(load_settings(home=tmp_path))]

    assert "openvino" not in names


@pytest.mark.skipif(not openvino.is_installed(), reason="the extra openvino is not installed")
def test_bfloat16_that_the_processor_does_not_know_is_bad(tmp_path: Path) -> None:
    if "BF16" in openvino.load()().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor computes bfloat16")

    found = [one for one in check_providers(load_settings(home=tmp_path, engine_cpu="openvino-bf16"))]

    assert [(one.name, one.state) for one in found if one.name == "openvino"] == [("openvino", "bad")]
