"""Action models of one's own: the folders beside the shipped model, by name in the API and in the commands."""

import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from models.runtime.contract import ActionContract
from models.weights.registry import ZOO_PATH
from service.commands.actions import command as actions_command
from service.commands.fuse import command as fuse_command
from service.commands.models import command as models_command
from tests.fakes import contract_of
from tests.people_folders import one_stage_folder
from tests.service.conftest import Running, Serve

SHIPPED = ZOO_PATH / "everyday-stgcnpp"


def put(folder: Path, **changes: object) -> None:
    """A model folder without weights: enough for whoever only reads what a model says of itself."""
    folder.mkdir(parents=True)
    contract = ActionContract.model_validate(contract_of().model_dump() | {"name": folder.name} | changes)
    (folder / "model.json").write_text(contract.model_dump_json())


@pytest.fixture
def house(serve: Serve, tmp_path: Path) -> Running:
    """A service whose folder of models gets its first ones while it runs."""
    running = serve()
    put(running.home / "models" / "mine", window_s=3.0, rate_hz=10.0, defaults=["window_s"])
    put(running.home / "models" / "hands", layout="hand21", features="pyskl-2d")
    (running.home / "models" / "broken").mkdir()
    (running.home / "models" / "broken" / "model.json").write_text("{}")
    put(running.home / "models" / os.fsdecode(b"bad\xff"), name="bad")
    return running


def test_models_of_ones_own_are_listed_beside_the_others(house: Running) -> None:
    listed = {item["model_id"] for item in house.http.get("/v1/models").json()["items"]}
    described = house.http.get("/v1/models/mine").json()
    actions = house.http.get("/v1/actions?model=mine").json()["items"]

    assert {"mine", "hands", "everyday-stgcnpp"} <= listed
    assert "broken" not in listed
    assert not any("bad" in name for name in listed)
    assert described["contract"]["window_s"] == 3.0
    assert "3 s (default)" in described["card"]
    assert [item["action"] for item in actions] == ["walk", "fall"]


def test_job_and_camera_take_a_model_of_ones_own(house: Running) -> None:
    job = house.post("script ok", model="mine")
    stream = house.http.post(
        "/v1/streams", json={"name": "yard", "source": {"uri": "push:"}, "analysis": {"model": "mine", "window_s": 3.0}}
    )

    assert job.status_code == 202, job.text
    assert stream.status_code == 201, stream.text
    assert stream.json()["analysis"]["model"] == "mine"


@pytest.mark.parametrize(
    ("analysis", "code", "detail"),
    [
        ({"model": "hands"}, "layout_not_served", "skeleton of a hand"),
        ({"model": "yours"}, "model_unknown", "everyday-stgcnpp, everyday-tcn, hands, mine"),
        ({"model": "broken"}, "model_unknown", "'broken'"),
        ({"model": "../models/mine"}, "model_unknown", "ACTOGRAM_MODELS"),
        ({"model": "mine", "window_s": 2.0}, "invalid_request", "expected 3, the window of mine"),
    ],
    ids=["hands", "unknown", "broken", "path", "window"],
)
def test_model_that_cannot_judge_people_is_refused_at_once(
    house: Running, analysis: dict[str, object], code: str, detail: str
) -> None:
    made = house.http.post("/v1/streams", json={"name": "yard", "source": {"uri": "push:"}, "analysis": analysis})

    assert made.status_code == 422, made.text
    assert made.json()["code"] == code
    assert detail in made.json()["detail"]


def test_job_with_a_model_of_hands_is_refused_at_once(house: Running) -> None:
    made = house.post("script ok", model="hands")

    assert (made.status_code, made.json()["code"]) == (422, "layout_not_served")


@pytest.fixture
def runner(tmp_path: Path) -> CliRunner:
    put(tmp_path / "home" / "models" / "mine", defaults=["window_s"])
    return CliRunner(env={"ACTOGRAM_HOME": str(tmp_path / "home"), "ACTOGRAM_OFFLINE": "1"})


@pytest.mark.parametrize("is_path", [True, False], ids=["folder", "name"])
def test_card_of_a_folder_says_what_is_a_default(runner: CliRunner, tmp_path: Path, is_path: bool) -> None:
    name = str(tmp_path / "home" / "models" / "mine") if is_path else "mine"

    result = runner.invoke(models_command, ["card", name])

    assert result.exit_code == 0, result.output
    assert "window:       2 s (default)" in result.stdout


def test_commands_know_models_of_ones_own_by_name(runner: CliRunner) -> None:
    listed = runner.invoke(models_command, ["list"])
    actions = runner.invoke(actions_command, ["--model", "mine", "--json"])

    assert any(
        line.startswith("mine ") and line.endswith("your own") for line in map(str.rstrip, listed.stdout.splitlines())
    )
    assert list(json.loads(actions.stdout)["actions"]) == ["walk", "fall"]


def test_fuse_makes_a_folder_that_has_a_card(runner: CliRunner, tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "home" / "models" / "again")
    out = tmp_path / "home" / "models" / "both"

    fused = runner.invoke(fuse_command, [str(SHIPPED), "again", "--weights", "2,1", "--unknown", "0.5", "-o", str(out)])

    assert fused.exit_code == 0, fused.output
    card = runner.invoke(models_command, ["card", "both"])
    assert "member:       1-everyday-stgcnpp, weight 2" in card.stdout
    assert "unknown:      probability below 0.5" in card.stdout


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["mine", "mine", "--weights", "2,x"], "is not a list of numbers"),
        (["mine", "nobody"], "weights_missing: "),
        (["mine", "mine"], "weights_missing: "),
    ],
    ids=["weights", "unknown", "no weights"],
)
def test_fuse_says_what_is_wrong(runner: CliRunner, tmp_path: Path, arguments: list[str], text: str) -> None:
    result = runner.invoke(fuse_command, [*arguments, "-o", str(tmp_path / "out")])

    assert result.exit_code != 0
    assert text in result.stderr
    assert not (tmp_path / "out").exists()


def test_detectors_and_pose_estimators_of_ones_own_are_listed_with_their_terms(house: Running) -> None:
    one_stage_folder(house.home / "models" / "both")
    (house.home / "models" / "far").mkdir()
    (house.home / "models" / "far" / "model.json").write_text('{"format": "actogram-people-9"}')

    listed = {item["model_id"]: item for item in house.http.get("/v1/models").json()["items"]}
    described = house.http.get("/v1/models/both").json()

    assert "far" not in listed
    assert {name: listed["both"][name] for name in ("task", "licence", "terms", "layout", "is_loaded", "speed")} == {
        "task": "detect_pose",
        "licence": "AGPL-3.0",
        "terms": "It reaches what is built on it.",
        "layout": "coco17",
        "is_loaded": False,
        "speed": None,
    }
    assert len(described["files"][0]["sha256"]) == 64
    assert "AGPL-3.0" in listed["yolo11n"]["terms"]


def test_job_and_camera_take_a_detector_of_ones_own(house: Running) -> None:
    one_stage_folder(house.home / "models" / "both")
    camera = {"name": "yard", "source": {"uri": "push:"}, "analysis": {"detector": "both"}}

    job = house.post("script ok", detector="both", pose="blazepose-full")
    stream = house.http.post("/v1/streams", json=camera)

    assert job.status_code == 202, job.text
    assert (job.json()["detector"], job.json()["pose"]) == ("both", "blazepose-full")
    assert stream.status_code == 201, stream.text
    assert stream.json()["analysis"]["detector"] == "both"


@pytest.mark.parametrize(
    ("place", "name"),
    [("detector", "nobody"), ("detector", "../mine"), ("pose", "/etc"), ("pose", "mine"), ("detector", "mine")],
)
def test_name_that_is_no_such_network_is_refused_with_what_there_is(house: Running, place: str, name: str) -> None:
    job = house.post("script ok", **{place: name})
    camera = {"name": "yard", "source": {"uri": "push:"}, "analysis": {place: name}}
    stream = house.http.post("/v1/streams", json=camera)

    for answer in (job, stream):
        assert (answer.status_code, answer.json()["code"]) == (422, "model_unknown")
        assert "blazepose" in answer.json()["detail"]
