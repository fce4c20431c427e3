"""What cameras need: each figure from a measured cost, and none where a cost is unknown."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.errors import ConfigInvalid
from pipelines.planning.capacity import FREE_SHARE, Figure, Wish, plan, rows_hz
from pipelines.planning.costs import MeasurementInvalid, load_costs
from pipelines.stream.config import PipelineConfig
from service.cli import main

STAGES = [
    {"network": name, "kind": "stage", "batch": batch, "call_ms": call_ms}
    for name, batch, call_ms in (
        ("detect", 1, 4.0), ("detect", 8, 16.0), ("pose", 8, 8.0), ("pose", 64, 640.0), ("action", 8, 8.0),
    )
]  # fmt: skip
CAMERAS = [
    {"cameras": count, "labels_per_s": 15.0 * count, "people": 1.0, "cores": 0.15 * count,
     "memory_bytes": (400 + 10 * count) * 2**20, "gpu_bytes": (1000 + 20 * count) * 2**20}
    for count in (1, 8)
]  # fmt: skip


def _report(folder: Path, **parts: object) -> Path:
    path = folder / "gpu.json"
    path.write_text(json.dumps({"device": "cuda:0", "buckets": STAGES, "cameras": CAMERAS} | parts))
    return path


def _figure(figures: tuple[Figure, ...], name: str) -> Figure:
    return next(figure for figure in figures if figure.name == name)


def test_gpus_follow_from_the_cheapest_rows_that_are_quick_enough(tmp_path: Path) -> None:
    wish = Wish(1000, 15, 2)

    found = _figure(plan(wish, load_costs(_report(tmp_path))), "GPUs")

    rates = rows_hz(wish, PipelineConfig())
    each_s = rates["detect"] * 0.002 + rates["pose"] * 0.001 + rates["action"] * 0.001
    assert found.value == pytest.approx(1000 * each_s / (1 - FREE_SHARE), abs=1)
    assert "pose 8.00 ms at batch 8" in found.source


def test_cores_and_memory_grow_with_the_cameras(tmp_path: Path) -> None:
    found = plan(Wish(80, 15, 2), load_costs(_report(tmp_path)))

    gpus = _figure(found, "GPUs").value
    assert gpus is not None
    assert _figure(found, "cores").value == pytest.approx(80 * 0.15 / (1 - FREE_SHARE), abs=0.1)
    expected = (gpus * 400 + 80 * 10) / 1024
    assert _figure(found, "memory of the workers").value == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(
    ("parts", "name", "asks"),
    [
        pytest.param({"device": "cpu"}, "GPUs", "on the GPU in question", id="measured on a CPU"),
        pytest.param({"buckets": STAGES[:2]}, "GPUs", "no cost of pose, action", id="stages missing"),
        pytest.param({"cameras": []}, "cores", "no cameras", id="no cameras"),
        pytest.param({"cameras": CAMERAS[:1]}, "memory of the workers", "two or more", id="one number of cameras"),
        pytest.param({}, "network in", "--camera-mbit", id="bit rate not said"),
        pytest.param({}, "database in use", "--store-per-second", id="database not measured"),
    ],
)
def test_unknown_cost_is_asked_for_and_never_guessed(
    tmp_path: Path, parts: dict[str, object], name: str, asks: str
) -> None:
    found = _figure(plan(Wish(10, 15, 2), load_costs(_report(tmp_path, **parts))), name)

    assert found.value is None
    assert asks in found.source


@pytest.mark.parametrize(
    "wish",
    [
        pytest.param((0, 15, 1), id="no cameras"),
        pytest.param((-1, 15, 1), id="fewer than none"),
        pytest.param((10**12, 15, 1), id="more than there are"),
        pytest.param((1, 0, 1), id="no pictures"),
        pytest.param((1, float("nan"), 1), id="not a number"),
        pytest.param((1, float("inf"), 1), id="infinite"),
        pytest.param((1, 15, 1e300), id="huge crowd"),
        pytest.param((1, 15, -1), id="fewer than nobody"),
        pytest.param((1, 15, 1, float("nan")), id="bit rate that is no number"),
        pytest.param((1, 15, 1, 4, -1), id="events below none"),
    ],
)
def test_odd_wish_is_refused_with_what_was_found(wish: tuple[int, float, float]) -> None:
    with pytest.raises(ConfigInvalid, match=r"found .*, expected"):
        Wish(*wish)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("[]", id="a list"),
        pytest.param('{"buckets": []}', id="no device"),
        pytest.param('{"device": "cuda:0", "cameras": [{"cameras": 0}]}', id="no cameras in a row"),
        pytest.param('{"device": "cuda:0", "cameras": [{"cameras": 1, "labels_per_s": NaN}]}', id="not a number"),
        pytest.param(
            '{"device": "cuda:0", "buckets": [{"network": "pose", "kind": "stage", "batch": 1, "call_ms": 1e300}]}',
            id="no time that anything takes",
        ),
        pytest.param("[" * 100_000, id="too deep"),
    ],
)
def test_file_that_is_no_report_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text)

    with pytest.raises(MeasurementInvalid, match=r"odd\.json"):
        load_costs(path)


def test_command_writes_one_json_object(tmp_path: Path) -> None:
    told = CliRunner().invoke(
        main, ["plan", "--cameras", "10000", "--people", "3", "--gpu", str(_report(tmp_path)), "--camera-mbit", "4",
               "--json"]
    )  # fmt: skip

    needs = {one["name"]: one for one in json.loads(told.output)["needs"]}
    assert told.exit_code == 0
    assert needs["network in"]["value"] == 40.0
    assert needs["labels"]["value"] == 150_000
    assert needs["clips"]["value"] is None


@pytest.mark.parametrize("arguments", [[], ["--gpu", "a", "--cpu", "b"]])
def test_command_asks_for_what_was_measured(arguments: list[str]) -> None:
    told = CliRunner().invoke(main, ["plan", "--cameras", "10", "--people", "3", *arguments])

    assert told.exit_code == 2
    assert "nothing is guessed" in told.output
