import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from models.errors import CheckpointMismatch, DeviceUnavailable
from models.runtime.action import ActionModel
from models.runtime.contract import load_contract, verify_weights
from models.runtime.session import Session
from models.skeleton.features import everyday13
from pipelines.errors import ConfigInvalid, DatasetInvalid, RunExists
from pipelines.training import runs
from pipelines.training.__main__ import main
from pipelines.training.checkpoint import load_checkpoint
from pipelines.training.config import PRESETS, OptimConfig, TrainConfig, load_config
from pipelines.training.corpus import UNKNOWN
from pipelines.training.evaluate import dense_probability
from pipelines.training.labels import load_labels
from pipelines.training.loop import Progress, Trainer, learning_rate
from pipelines.training.networks import build_network
from pipelines.training.release import judge
from tests.pipelines.training.bodies import body, clip, corpus, write_own_clips, write_sets

TABLE = load_labels()
SMALL = {
    "data.sets": '["utkinect", "jhmdb14"]', "data.validation_share": "0.3", "network.base_channels": "8",
    "optim.batch_size": "16", "optim.steps": "30", "optim.warmup_steps": "5", "optim.lr": "0.01",
    "validate_steps": "15",
}  # fmt: skip


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "skeleton"
    write_sets(folder)
    return folder


def _config(**overrides: str) -> TrainConfig:
    return load_config("everyday-tcn", SMALL | overrides)


def _trainer(sets: Path, config: TrainConfig) -> Trainer:
    parts = runs.load_parts(config, TABLE, [sets], lambda _: None)
    return Trainer(config, TABLE, parts.learn, parts.validation)


@pytest.mark.parametrize("preset", sorted(path.stem for path in PRESETS.glob("*.toml")))
def test_every_preset_is_valid_and_builds_its_network(preset: str) -> None:
    config = load_config(preset)

    logits = build_network(config.network, 7).eval()(torch.zeros(2, config.window.num_frames, 13, 5))

    assert logits.shape == (2, 7)
    assert config.name == preset or preset == "everyday"


def test_configuration_takes_the_older_spelling_of_a_network() -> None:
    assert load_config("everyday", {"network.name": "stgcnpp"}).network.name == "stgcn++"


@pytest.mark.parametrize(
    ("preset", "overrides", "message"),
    [
        ("everyday", {"optim.lr": "-1"}, r"optim\.lr: .*\(got -1\)"),
        ("everyday", {"optim.speed": "1"}, r"optim\.speed: Extra inputs"),
        ("everyday", {"name": "x/y"}, "name: String should match"),
        ("nothing", {}, "available: everyday"),
        ("everyday", {"optim.steps": "50"}, r"optim: warmup_steps is 200, but steps is 50"),
        ("everyday", {"network.num_stages": "4"}, r"network: inflate_stages names stage 5, but num_stages is 4"),
        ("everyday", {"network.down_stages": "[0]"}, r"network: down_stages names stage 0, but num_stages is 6"),
        ("everyday", {"network.down_stages": "[3, 3]"}, r"network: down_stages names a stage twice: \[3, 3\]"),
        (
            "everyday",
            {"data.fall_share": "0.5", "data.weak_share": "0.5"},
            r"data: fall_share 0\.5 and weak_share 0\.5 leave no room",
        ),
    ],
    ids=[
        "out of range",
        "unknown key",
        "bad name",
        "unknown preset",
        "warm-up",
        "inflated stage",
        "halving stage",
        "stage twice",
        "shares",
    ],
)
def test_configuration_says_what_is_wrong(preset: str, overrides: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message):
        load_config(preset, overrides)


def test_learning_rate_warms_up_and_ends_at_zero() -> None:
    config = OptimConfig(lr=1.0, steps=100, warmup_steps=10)

    rates = [learning_rate(step, config) for step in (0, 9, 10, 55, 99)]

    assert rates[0] == pytest.approx(0.1)
    assert rates[1] == rates[2] == pytest.approx(1.0)
    assert rates[3] == pytest.approx(0.5)
    assert rates[4] < 0.01


def test_training_learns_to_tell_waving_from_walking(sets: Path) -> None:
    trainer = _trainer(sets, _config(**{"optim.steps": "80", "optim.ema": "0.5"}))
    before = trainer.validate().per_class[TABLE.index("wave")]
    losses: list[float] = []

    trainer.run(lambda progress: losses.append(progress.loss))

    assert losses[-1] < 0.7 * losses[0]
    assert trainer.validate().per_class[TABLE.index("wave")] > max(0.7, before)


def test_same_seed_gives_the_same_weights_and_another_one_does_not(sets: Path) -> None:
    trainers = [_trainer(sets, _config(seed=seed, **{"optim.steps": "5"})) for seed in ("1", "1", "2")]

    for trainer in trainers:
        trainer.run(lambda _: None)

    first, second, other = (trainer.network.state_dict()["network.head.weight"] for trainer in trainers)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_resumed_run_ends_with_the_weights_of_an_unbroken_one(sets: Path, tmp_path: Path) -> None:
    whole = _trainer(sets, _config())
    whole.run(lambda _: None)

    class Stopped(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.step >= 15:
            raise Stopped

    broken = _trainer(sets, _config(**{"optim.steps": "30"}))
    with pytest.raises(Stopped):
        broken.run(stop, tmp_path / "checkpoint.pt")
    taken_up = _trainer(sets, _config())
    taken_up.resume(tmp_path / "checkpoint.pt")
    started = taken_up.step
    taken_up.run(lambda _: None)

    assert started == 15
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(taken_up.network.state_dict()[name], tensor), name


def test_checkpoint_of_another_shape_or_kind_is_refused(sets: Path, tmp_path: Path) -> None:
    _trainer(sets, _config(**{"optim.steps": "1", "optim.warmup_steps": "0"})).run(
        lambda _: None, tmp_path / "small.pt"
    )
    (tmp_path / "text.pt").write_text("hello")

    with pytest.raises(ConfigInvalid, match=r"another recipe: network\.base_channels was 8, now it is 16"):
        _trainer(
            sets, _config(**{"network.base_channels": "16", "optim.steps": "1", "optim.warmup_steps": "0"})
        ).resume(tmp_path / "small.pt")
    with pytest.raises(CheckpointMismatch, match="not a checkpoint"):
        load_checkpoint(tmp_path / "text.pt")


def test_run_is_neither_overwritten_nor_resumed_with_other_settings(sets: Path, tmp_path: Path) -> None:
    short = {"optim.steps": "2", "optim.warmup_steps": "0", "validate_steps": "1"}
    parts = runs.load_parts(_config(**short), TABLE, [sets], lambda _: None)
    runs.run(_config(**short), TABLE, parts, tmp_path, lambda _: None)

    with pytest.raises(RunExists, match="holds a run already"):
        runs.run(_config(**short), TABLE, parts, tmp_path, lambda _: None)
    with pytest.raises(ConfigInvalid, match=r"optim\.lr was 0\.01, now it is 0\.5"):
        runs.run(_config(**short | {"optim.lr": "0.5"}), TABLE, parts, tmp_path, lambda _: None, resume=True)

    notes = load_checkpoint(tmp_path / "checkpoint.pt").notes
    assert [look["step"] for look in notes["looks"]] == [1, 2]
    assert notes["temperature"] > 0


def test_missing_gpu_is_an_error_with_a_code(sets: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="cuda:7: this machine has"):
        _trainer(sets, _config(device="cuda:7"))


def test_leaving_every_set_out_is_an_error_that_says_so(sets: Path) -> None:
    with pytest.raises(DatasetInvalid, match="no sequences left"):
        runs.load_parts(_config(**{"data.leave_out": '["utkinect", "jhmdb14"]'}), TABLE, [sets], lambda _: None)


@pytest.mark.parametrize(
    ("named", "card"),
    [
        ('["utkinect", "jhmdb14"]', "Learnt without clips, video2: sets that `actogram prepare` makes."),
        ('["utkinect", "jhmdb14", "clips"]', "| clips: hall | ours, for anything |"),
    ],
    ids=["public sets", "own videos too"],
)
def test_commands_train_measure_and_export_a_model_that_the_runtime_serves(
    sets: Path, tmp_path: Path, named: str, card: str
) -> None:
    runner, out = CliRunner(), tmp_path / "run"
    (tmp_path / "mine").mkdir()
    write_own_clips(tmp_path / "mine" / "clips.npz", "hall", "ours, for anything")
    data = ["--data", str(sets), "--data", str(tmp_path / "mine")]
    settings = SMALL | {"data.sets": named}
    options = [item for key, value in settings.items() for item in ("--set", f"{key}={value}")]
    (tmp_path / "measured.json").write_text(json.dumps({"limits": ["a test"], "clips": ["none"]}))

    trained = runner.invoke(main, ["train", "--preset", "everyday-tcn", *data, "--out", str(out), *options])
    measured = runner.invoke(main, ["evaluate", str(out), *data, "--sets", "jhmdb14", "--part", "all"])
    exported = runner.invoke(
        main,
        ["export", str(out), *data, "--out", str(tmp_path / "model"), "--measured", str(tmp_path / "measured.json")],
    )

    assert [step.exit_code for step in (trained, measured, exported)] == [0, 0, 0], trained.output + exported.output
    assert "| jhmdb14 |" in (out / "report.md").read_text()
    contract = load_contract(tmp_path / "model" / "model.json")
    verify_weights(contract, tmp_path / "model" / "model.onnx")
    assert "## Known limits" in (tmp_path / "model" / "card.md").read_text()
    assert card in (tmp_path / "model" / "card.md").read_text()
    _check_served(out, tmp_path / "model", ActionModel(contract, Session(tmp_path / "model" / "model.onnx")))


def _check_served(run: Path, folder: Path, model: ActionModel) -> None:
    """The served probabilities are the trained network's, for several batch sizes and for none."""
    network, _ = runs.load_network(run)
    generator = np.random.default_rng(0)
    keypoints = generator.normal(100, 20, (5, 30, 17, 3)).astype(np.float32)
    valid = np.ones((5, 30), np.bool_)

    with torch.no_grad():
        logits = network(torch.from_numpy(everyday13(keypoints, valid))) / model.contract.temperature

    np.testing.assert_allclose(model(keypoints, valid), torch.softmax(logits, dim=1).numpy(), atol=1e-4)
    np.testing.assert_allclose(model(keypoints[:1], valid[:1]), model(keypoints, valid)[:1], atol=1e-5)
    assert model(keypoints[:0], valid[:0]).shape == (0, len(model.labels))
    assert [path.name for path in sorted(folder.iterdir())] == ["card.md", "model.json", "model.onnx"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (
            ["train", "--preset", "nothing", "--data", ".", "--out", "x"],
            2,
            "actogram: config_invalid: preset 'nothing'",
        ),
        (["train", "--data", "/nowhere", "--out", "x"], 2, "actogram: dataset_invalid: /nowhere"),
        (["train", "--data", ".", "--out", "x", "--set", "optim"], 2, "expected KEY=VALUE"),
        (["evaluate", ".", "--data", "."], 1, "actogram: checkpoint_mismatch"),
    ],
    ids=["preset", "data", "override", "checkpoint"],
)
def test_a_failing_command_is_one_line_and_a_status(arguments: list[str], status: int, message: str) -> None:
    result = CliRunner().invoke(main, arguments)

    assert result.exit_code == status
    assert message in result.output


def test_dense_windows_run_along_every_clip_that_shows_no_fall() -> None:
    fall, stand = TABLE.index("fall"), TABLE.index("stand")
    pieces = corpus(
        clip(fall, body(100)), clip(stand, body(100)), clip(UNKNOWN, body(60), not_fall=True), clip(stand, body(1))
    )
    config = _config()

    logits, rows = dense_probability(build_network(config.network, len(TABLE.labels)), pieces, config.window, fall)

    assert logits.shape == (len(rows), len(TABLE.labels))
    assert np.bincount(rows, minlength=4).tolist() == [0, 12, 7, 1]


def test_an_action_is_solid_only_when_two_whole_sets_say_so() -> None:
    good, poor = {"share": 0.9, "windows": 40}, {"share": 0.4, "windows": 40}
    left_out: dict[str, dict[str, object]] = {
        "a": {"classes": {"walk": good, "wave": good, "kick": good, "jump": good}},
        "b": {"classes": {"walk": good, "wave": poor, "jump": {"share": 1.0, "windows": 3}}},
    }

    quality = judge(left_out, TABLE)

    assert {name for name, value in quality.items() if value == "solid"} == {"walk"}
