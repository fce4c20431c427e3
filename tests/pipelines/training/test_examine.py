"""The examination: what is seen in videos, events against it, folds of sources, and the command on a small model."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from models.runtime.contract import load_contract
from models.weights.registry import ZOO_PATH
from pipelines.errors import ConfigInvalid
from pipelines.training.__main__ import main
from pipelines.training.datasets import SkeletonSet, save_set
from pipelines.training.examine_events import ClipResult, examine_clip, summary
from pipelines.training.examine_truth import load_truth
from pipelines.training.labels import load_labels
from pipelines.training.left_out import folds
from tests.pipelines.training.bodies import body, picture, write_sets
from tests.pipelines.training.test_video_eval import _annotation, _fallen, _model

TABLE = load_labels()
SETTINGS = {
    "network.base_channels": "8", "optim.batch_size": "16", "optim.steps": "6", "optim.warmup_steps": "2",
    "validate_steps": "3", "data.validation_share": "0.3",
}  # fmt: skip
TOML = """
[clips.fall_]
expected = ["stand", "fall"]
falls = [[3.6, 4.0]]
[clips.fall_b]
any_of = ["walk", "run"]
[clips.stand]
expected = ["stand"]
[bystanders]
_c2 = ["sitting"]
"""


@pytest.fixture
def truth_file(tmp_path: Path) -> Path:
    path = tmp_path / "truth.toml"
    path.write_text(TOML, "utf-8")
    return path


def test_truth_of_a_clip_is_that_of_the_longest_name_that_fits(truth_file: Path) -> None:
    truth = load_truth([truth_file], TABLE)

    fall, either = truth.of("fall_a_c2"), truth.of("fall_b")

    assert fall is not None
    assert either is not None
    assert [(item.actions, item.ground_s) for item in fall.expected] == [(("fall",), 4.0), (("stand",), None)]
    assert fall.allowed == {"stand", "fall", "lie", "sitting"}
    assert [item.actions for item in either.expected] == [("walk", "run")]
    assert truth.of("other") is None


def test_truth_of_a_manifest_says_who_acts_and_what_others_may_do(tmp_path: Path) -> None:
    rows = [
        {"file": "k.avi", "label": "kick", "seconds": 4.0, "actor": "left", "accept": ["kick"]},
        {"file": "f.avi", "label": "fight", "seconds": 2.0, "accept": ["punch", "kick"]},
        {"file": "h.avi", "label": "handshake", "seconds": 2.0, "accept": ["none"]},
    ]
    (tmp_path / "manifest.json").write_text(json.dumps(rows), "utf-8")

    truth = load_truth([tmp_path / "manifest.json"], TABLE)

    kick, fight, handshake = (truth.of(name) for name in "kfh")
    assert kick is not None
    assert fight is not None
    assert handshake is not None
    assert [(item.actions, item.side) for item in kick.expected] == [(("kick",), "left")]
    assert kick.allowed == {"kick", "stand", "walk"}
    assert [item.actions for item in fight.expected] == [("punch", "kick")]
    assert handshake.expected == ()


def test_a_file_that_says_nothing_of_clips_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[other]\n", "utf-8")

    with pytest.raises(ConfigInvalid, match="says of no clip"):
        load_truth([tmp_path / "a.toml"], TABLE)


def test_a_fall_is_found_once_timed_from_the_ground_and_nothing_is_invented(truth_file: Path) -> None:
    truth = load_truth([truth_file], TABLE).of("fall_a")
    assert truth is not None

    result = examine_clip("fall_a", [_fallen(onset_s=3.0)], truth, _model())
    found = summary([result])

    assert [(action, is_found) for action, is_found, _ in result.found] == [("fall", True), ("stand", True)]
    assert result.found[0][2] == pytest.approx(0.3, abs=0.7)
    assert found["falls_invented"] == 0
    assert result.false == {}


def test_an_event_that_nobody_shows_is_false_and_an_alarm_by_its_severity(truth_file: Path) -> None:
    truth = load_truth([truth_file], TABLE).of("stand")
    assert truth is not None

    result = examine_clip("stand", [_fallen(onset_s=3.0)], truth, _model())
    found = summary([result])

    assert result.false["fall"] == 1
    assert result.false_severity["alarm"] == 1
    assert found["false_alarms_per_hour"] == pytest.approx(3600 / result.track_s, rel=0.01)


def test_windows_of_a_clip_that_shows_one_thing_tell_how_sure_they_may_be(truth_file: Path) -> None:
    truth = load_truth([truth_file], TABLE).of("stand")
    assert truth is not None

    result = examine_clip("stand", [_annotation(picture(body(120)))], truth, _model())

    assert len(result.sure) > 5
    assert all(is_right for _, is_right in result.sure)


def test_summary_counts_each_thing_that_is_seen() -> None:
    results = [
        ClipResult("a", 30.0, 1, found=[("kick", True, 1.0)], right={"kick": 1}, said={"kick": ["kick"]}),
        ClipResult("b", 30.0, 0, found=[("kick", False, None)], false={"throw": 2}, false_severity={"info": 2},
                   said={"kick": ["throw"]}),
    ]  # fmt: skip

    found = summary(results)

    actions = found["actions"]
    assert isinstance(actions, dict)
    assert actions["kick"]["recall"] == 0.5
    assert actions["kick"]["precision"] == 1.0
    assert actions["throw"] == {
        "seen": 0, "found": 0, "right_events": 0, "false_events": 2, "precision": 0.0, "recall": None, "confirm_s": None
    }  # fmt: skip
    assert (found["false_events_per_hour"], found["false_alarms_per_hour"]) == (120.0, 0.0)
    assert found["flips_per_minute"] == 1.0
    assert found["said"] == {"kick": {"kick": 1, "throw": 1}}


@pytest.mark.parametrize("together", [1, 2, 5])
def test_folds_leave_every_source_out_once_and_keep_the_same_people_together(together: int) -> None:
    sets = ["nwucla", "utdmhad", "jhmdb14", "gtu", "utdmhad_openpose2d", "precog"]

    found = folds(TABLE, sets, together)

    assert sorted(name for fold in found for name in fold.sets) == sorted(sets)
    (fold,) = [fold for fold in found if "utdmhad" in fold.sets]
    assert "utdmhad_openpose2d" in fold.sets
    assert max(len({TABLE.require(name).origin for name in fold.sets}) for fold in found) <= together


def test_examine_makes_runs_and_a_table_of_every_part_and_goes_on_where_it_was(tmp_path: Path) -> None:
    data, runs = tmp_path / "sets", tmp_path / "runs"
    write_sets(data)
    model = tmp_path / "model"
    train = [item for key, value in SETTINGS.items() for item in ("--set", f"{key}={value}")]
    own = ["--data", str(data)]
    runner = CliRunner()
    sets = ["--set", 'data.sets=["utkinect", "jhmdb14"]']
    trained = runner.invoke(main, ["train", "everyday-tcn", *own, "--out", str(tmp_path / "run"), *train, *sets])
    exported = runner.invoke(main, ["export", str(tmp_path / "run"), *own, "--out", str(model)])
    tracks = tmp_path / "hall.npz"
    track = replace(_annotation(picture(body(60)), "stand#1"), extra={"video": "stand", "time_s": np.arange(60) / 20})
    save_set(SkeletonSet("hall", (), {}, (track,), tuple(range(17)), 20.0), tracks)
    (tmp_path / "truth.toml").write_text(TOML, "utf-8")
    call = [
        "examine", str(model), *own, "--out", str(tmp_path / "exam"), "--runs", str(runs), "--train", "everyday-tcn",
        "--seeds", "0,1", "--tracks", str(tracks), "--truth", str(tmp_path / "truth.toml"), *train,
    ]  # fmt: skip

    first = runner.invoke(main, call)
    made = {path: path.stat().st_mtime_ns for path in runs.rglob("checkpoint.pt")}
    again = runner.invoke(main, call)

    assert [step.exit_code for step in (trained, exported, first, again)] == [0, 0, 0, 0], (
        exported.output + first.output
    )
    assert sorted(str(path.relative_to(runs).parent) for path in made) == [
        f"without-{name}/seed-{seed}" for name in ("jhmdb14", "utkinect") for seed in (0, 1)
    ]
    assert {path: path.stat().st_mtime_ns for path in runs.rglob("checkpoint.pt")} == made, "nothing is trained twice"
    found = json.loads((tmp_path / "exam" / "examination.json").read_text())
    assert found["left_out"]["labels"]["walk"]["sets"]["utkinect"]["share"]["seeds"] == 2
    assert found["people"]["sets"]["utkinect"]["apart"] == "people"
    assert found["events"]["sets"]["hall"]["clips"] == 1
    assert found["calibration"]["status"] == "measured"
    assert found["open_set"]["status"] == "not run", "these sets hold nothing that is like no label"
    text = (tmp_path / "exam" / "examination.md").read_text()
    assert "## Sources left out whole" in text
    assert "Not run: there is nothing that it knows" in text


def test_an_exported_model_is_packed_anew_with_the_same_weights(tmp_path: Path) -> None:
    data = tmp_path / "sets"
    write_sets(data)
    settings = SETTINGS | {"data.sets": '["utkinect", "jhmdb14"]'}
    train = [item for key, value in settings.items() for item in ("--set", f"{key}={value}")]
    runner, own = CliRunner(), ["--data", str(data)]
    runner.invoke(main, ["train", "everyday-tcn", *own, "--out", str(tmp_path / "run"), *train])
    runner.invoke(main, ["export", str(tmp_path / "run"), *own, "--out", str(tmp_path / "model")])

    done = runner.invoke(main, ["export", str(tmp_path / "model"), *own, "--out", str(tmp_path / "packed")])

    assert done.exit_code == 0, done.output
    old, new = (load_contract(tmp_path / name / "model.json") for name in ("model", "packed"))
    assert (new.sha256, new.temperature, new.actions) == (old.sha256, old.temperature, old.actions)
    assert new.unknown == old.unknown
    said = json.loads((tmp_path / "packed" / "model.json").read_text())["protocol"]["unknown"]
    assert said.startswith("max_probability: only 0 held-out windows are like no label")
    card = (tmp_path / "packed" / "card.md").read_text()
    assert card.count("too few to choose a rule by") == 1


def test_a_served_model_that_does_not_say_how_it_was_trained_is_examined_on_videos_alone(
    tmp_path: Path, truth_file: Path
) -> None:
    model, tracks = tmp_path / "model", tmp_path / "hall.npz"
    shutil.copytree(ZOO_PATH / "everyday-stgcnpp", model)
    raw = json.loads((model / "model.json").read_text())
    del raw["protocol"]["config"]
    (model / "model.json").write_text(json.dumps(raw))
    track = replace(_annotation(picture(body(60)), "stand#1"), extra={"video": "stand", "time_s": np.arange(60) / 20})
    save_set(SkeletonSet("hall", (), {}, (track,), tuple(range(17)), 20.0), tracks)

    done = CliRunner().invoke(
        main,
        ["examine", str(model), "--out", str(tmp_path / "e"), "--tracks", str(tracks), "--truth", str(truth_file)],
    )

    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "e" / "examination.json").read_text())
    assert "does not say how it was trained" in found["people"]["why"]
    assert found["events"]["sets"]["hall"]["clips"] == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [(["--train", "everyday-tcn"], "--runs"), (["--runs", "r", "--seeds", "one"], "expected whole numbers")],
)
def test_examine_refuses_what_it_cannot_do(tmp_path: Path, more: list[str], message: str) -> None:
    done = CliRunner().invoke(main, ["examine", "--out", str(tmp_path), *more])

    assert done.exit_code == 2
    assert message in done.output
    assert np.all([path.name != "examination.json" for path in tmp_path.iterdir()])
