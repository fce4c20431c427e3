"""`actogram analyze` with networks by name and by folder: RTMDet's real weights, and what the results say of them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from models.runtime.people_folder import write_people_folder
from models.weights.registry import load_registry
from service.commands.analyze import command
from service.network_choice import default_choice, engine_device, own_names
from service.settings import Settings, load_settings
from tests.people_folders import detector_folder, one_stage_folder, simcc_folder

RTMDET = "rtmdet-nano-person"
SHA256 = load_registry().require(RTMDET).require_file("model").sha256


@pytest.fixture
def runner(tmp_path: Path, weights_dir: Path) -> CliRunner:
    """Runs the command with the shared weights, an empty cache and no network."""
    environment = {
        "ACTOGRAM_HOME": str(tmp_path / "home"),
        "ACTOGRAM_WEIGHTS": str(weights_dir),
        "ACTOGRAM_OFFLINE": "1",
    }
    return CliRunner(env=environment)


@pytest.fixture
def clip(data_dir: Path) -> str:
    """A short one, in which somebody trips."""
    return str(data_dir / "video" / "ways0.mp4")


@pytest.fixture
def folder(tmp_path: Path, weights_dir: Path) -> Path:
    """RTMDet as a folder of one's own, below the home."""
    spec = replace(load_registry().require(RTMDET), name="rtmdet-own")
    models = tmp_path / "home" / "models"
    return write_people_folder(models / "rtmdet-own", spec, weights_dir / "rtmdet_nano_person_sdk.onnx", "a test")


def _networks(runner: CliRunner, clip: str, *options: str) -> dict[str, dict[str, str]]:
    result = runner.invoke(command, [clip, "--format", "json", *options])
    assert result.exit_code == 0, result.stderr
    found: dict[str, dict[str, str]] = json.loads(result.stdout)["networks"]
    return found


def test_detector_of_the_registry_and_a_folder_of_it_are_named_with_their_hash(
    runner: CliRunner, clip: str, folder: Path, tmp_path: Path
) -> None:
    pose = str(simcc_folder(tmp_path / "joints", "halpe26", 26))

    by_name = _networks(runner, clip, "--detector", RTMDET, "--pose", pose)
    by_own_name = _networks(runner, clip, "--detector", "rtmdet-own", "--pose", pose)
    by_path = _networks(runner, clip, "--detector", str(folder), "--pose", pose)

    computed = {"engine": "onnxruntime", "precision": "float32"}
    assert by_name["detector"] == {"name": RTMDET, "sha256": SHA256, **computed}
    assert by_own_name["detector"] == by_path["detector"] == {"name": "rtmdet-own", "sha256": SHA256, **computed}
    assert by_name["pose"]["name"] == "joints"
    assert by_name["action"]["name"] == "everyday-stgcnpp"


def test_setting_is_used_until_an_option_names_another(runner: CliRunner, clip: str, tmp_path: Path) -> None:
    both, boxes = one_stage_folder(tmp_path / "both"), detector_folder(tmp_path / "boxes")
    runner = CliRunner(env={**runner.env, "ACTOGRAM_POSE": str(both)})

    by_setting = _networks(runner, clip)
    by_option = _networks(runner, clip, "--detector", str(boxes))

    assert (by_setting["detector"]["name"], by_setting["pose"]["name"]) == ("both", "both")
    assert (by_option["detector"]["name"], by_option["pose"]["name"]) == ("boxes", "both")


def test_settings_name_ones_own_networks_as_the_api_does(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    elsewhere = detector_folder(tmp_path / "boxes")
    one_stage_folder(models / "first").rename(models / "mine")

    by_name = Settings(home=tmp_path, models=models, detector="mine", pose=RTMDET)
    by_path = Settings(home=tmp_path, models=models, detector=str(elsewhere))

    assert own_names(by_name) == ("mine", None)
    assert own_names(by_path) == (None, None)
    assert default_choice(by_name, 1).detector == str(models / "mine")
    assert default_choice(by_path, 1).detector == str(elsewhere)


@pytest.mark.parametrize(
    ("engine", "device", "expected"),
    [
        ("onnxruntime", "cpu", "cpu"),
        ("openvino", "cpu", "cpu,openvino,engines={home}/weights/engines"),
        ("openvino-bf16", "cpu:fixed", "cpu:fixed,openvino,bf16,engines={home}/weights/engines"),
        ("auto", "cpu", "cpu,auto,engines={home}/weights/engines"),
        ("auto", "cpu,openvino", "cpu,openvino,engines={home}/weights/engines"),
        ("auto", "cpu,openvino,engines=/mine", "cpu,openvino,engines=/mine"),
        ("openvino", "cuda:0", "cuda:0"),
    ],
)
def test_engine_of_the_settings_is_for_processors_that_name_none(
    tmp_path: Path, engine: str, device: str, expected: str
) -> None:
    settings = load_settings(home=tmp_path, engine_cpu=engine)

    assert engine_device(settings, device) == expected.format(home=tmp_path)


@pytest.mark.parametrize(
    ("options", "status", "text"),
    [
        pytest.param(["--detector", "nope"], 2, "model_unknown: found 'nope', expected a detector: ", id="name"),
        pytest.param(["--pose", RTMDET], 2, "model_unknown: rtmdet-nano-person is a detector", id="place"),
        pytest.param(["--profile", "nope"], 2, "model_unknown: found profile 'nope'", id="profile"),
        pytest.param(["--detector", "yolo11n"], 1, "weights_missing: yolo11n", id="not at hand"),
    ],
)
def test_choice_that_cannot_be_had_is_one_line(
    runner: CliRunner, clip: str, options: list[str], status: int, text: str
) -> None:
    result = runner.invoke(command, [clip, *options])

    assert result.exit_code == status
    assert f"actogram: {text}" in result.stderr
