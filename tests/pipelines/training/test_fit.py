"""The loop of recipes: the same after a kill, the same in two processes, and never over another run."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from models.errors import CheckpointMismatch, DeviceUnavailable, ModelUnknown
from models.runtime.contract import load_contract
from pipelines.errors import ConfigInvalid, DatasetInvalid, RunExists
from pipelines.training.fit.batches import BatchPlan, Share
from pipelines.training.fit.devices import Place, require_device
from pipelines.training.fit.exported_weights import exported_weights
from pipelines.training.fit.folder import held, read_history
from pipelines.training.fit.loop import Look, RecipeTrainer
from pipelines.training.fit.objective import build_network
from pipelines.training.fit.optimise import learning_rate
from pipelines.training.fit.run import load_run, train
from pipelines.training.fit.sequences import load_part, load_parts, scarce
from pipelines.training.fit.state import begin_from, load_state
from pipelines.training.fit.views import build_maker
from pipelines.training.recipe import Recipe, load_recipe
from pipelines.training.recipe_sections import OptimSection
from tests.pipelines.training.recipes import tiny_recipe, write_deep_set, write_flat_set

CPU = Place(torch.device("cpu"), Share())
CHILD = """
import sys
from pathlib import Path
from pipelines.training.fit.run import train
from pipelines.training.recipe import load_recipe
recipe, sets, out = sys.argv[1:]
train(load_recipe(recipe), [Path(sets)], Path(out), lambda look, steps: None)
"""


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    write_flat_set(folder)
    write_deep_set(folder)
    return folder


def quiet(_: Look, __: int) -> None:
    """Nobody looks at the bar."""


def trainer_of(recipe: Recipe, sets: Path) -> RecipeTrainer:
    return RecipeTrainer(recipe, load_parts(recipe, [sets]), build_maker(recipe), CPU)


def write_toml(recipe: Recipe, path: Path) -> Path:
    """A recipe as a file, for another process."""
    lines = [f'name = "{recipe.name}"', f"seed = {recipe.seed}"]
    for section, values in recipe.model_dump(mode="json", exclude={"name", "seed"}).items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items() if not isinstance(value, dict)]
        for key, value in values.items():
            if isinstance(value, dict):
                lines += [f"[{section}.{key}]", *(f"{name} = {json.dumps(item)}" for name, item in value.items())]
    path.write_text("\n".join(lines))
    return path


def test_killed_run_goes_on_to_the_very_weights_of_an_unbroken_one(sets: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(
        "tcn", optim={"steps": 600, "ema": 0.9, "lr": 0.01, "batch_size": 4}, augment={"noise": 0.05, "mixup": 0.3},
        run={"look_every": 20, "workers": 2},
    )  # fmt: skip
    file = write_toml(recipe, tmp_path / "recipe.toml")
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(file), str(sets), str(tmp_path / "killed")], stdout=subprocess.DEVNULL
    ) as child:
        wait_for(tmp_path / "killed" / "checkpoint.pt")
        child.send_signal(signal.SIGKILL)
    stopped = load_state(tmp_path / "killed" / "checkpoint.pt").step

    train(recipe, [sets], tmp_path / "killed", quiet, resume=True)
    train(recipe, [sets], tmp_path / "whole", quiet)

    assert 0 < stopped < 600
    whole, taken_up = (load_state(tmp_path / name / "checkpoint.pt") for name in ("whole", "killed"))
    for part in ("network", "average"):
        for name, tensor in getattr(whole, part).items():
            assert torch.equal(getattr(taken_up, part)[name], tensor), name
    assert [row["step"] for row in read_history(tmp_path / "killed")] == list(range(20, 601, 20))


def wait_for(path: Path, limit_s: float = 120) -> None:
    end = time.monotonic() + limit_s
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.02)


def test_batches_made_ahead_change_nothing(sets: Path) -> None:
    weights = []
    for workers in (0, 3):
        trainer = trainer_of(tiny_recipe("tcn", augment={"noise": 0.1}, run={"workers": workers}), sets)
        trainer.run(lambda _: None)
        weights.append(trainer.network.state_dict()["head.weight"])

    assert torch.equal(*weights)


def test_two_processes_learn_together_and_leave_one_run(sets: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe("stf-stgcn++", loss={"name": "stf"}, optim={"steps": 2, "batch_size": 4})
    file = write_toml(recipe, tmp_path / "recipe.toml")
    (tmp_path / "child.py").write_text(CHILD)
    call = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        str(tmp_path / "child.py"), str(file), str(sets),
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}

    first = subprocess.run([*call, str(tmp_path / "run")], env=environment, capture_output=True, text=True, check=False)
    second = subprocess.run(
        [*call, str(tmp_path / "run")], env=environment, capture_output=True, text=True, check=False
    )

    assert first.returncode == 0, first.stderr[-2000:]
    assert load_run(tmp_path / "run").step == 2
    assert second.returncode != 0
    assert "holds a run already" in second.stderr


def test_run_is_not_overwritten_and_a_locked_folder_is_left_alone(sets: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe("tcn")
    train(recipe, [sets], tmp_path, quiet)

    with pytest.raises(RunExists, match="--resume goes on with it"):
        train(recipe, [sets], tmp_path, quiet)
    with held(tmp_path), pytest.raises(RunExists, match="another run is writing"):
        train(recipe, [sets], tmp_path, quiet, resume=True)


def test_resume_with_another_recipe_names_the_key(sets: Path, tmp_path: Path) -> None:
    train(tiny_recipe("tcn"), [sets], tmp_path, quiet)

    with pytest.raises(ConfigInvalid, match=r"optim\.lr was 0\.01, now it is 0\.5"):
        train(tiny_recipe("tcn", optim={"lr": 0.5}), [sets], tmp_path, quiet, resume=True)
    with pytest.raises(ConfigInvalid, match="holds no run to resume"):
        train(tiny_recipe("tcn"), [sets], tmp_path / "nothing", quiet, resume=True)


def test_run_that_never_began_leaves_its_folder_free(sets: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetInvalid, match=r"neither absent\.npz"):
        train(tiny_recipe("tcn", data={"sets": ["absent"]}), [sets], tmp_path, quiet)

    train(tiny_recipe("tcn"), [sets], tmp_path, quiet)

    assert load_run(tmp_path).step == 2


@pytest.mark.parametrize("name", ["cuda:9", "tpu", "nonsense"])
def test_missing_device_is_an_error_with_a_code(name: str) -> None:
    with pytest.raises(DeviceUnavailable):
        require_device(name)


def test_run_stops_when_the_validation_part_gets_no_better(sets: Path) -> None:
    recipe = tiny_recipe("tcn", optim={"steps": 400, "lr": 1e-6}, run={"look_every": 1, "patience": 3})
    trainer = trainer_of(recipe, sets)

    trainer.run(lambda _: None)

    assert trainer.step < 400
    assert trainer.best.looks_since == 3


def test_bfloat16_trains_the_bare_network(sets: Path) -> None:
    losses: list[float] = []

    trainer_of(tiny_recipe("stgcn++", run={"precision": "bf16"}), sets).run(lambda look: losses.append(look.loss))

    assert np.isfinite(losses).all()


def test_frozen_backbone_learns_its_classifier_alone(sets: Path, tmp_path: Path) -> None:
    train(tiny_recipe("stgcn++"), [sets], tmp_path / "before", quiet)
    recipe = tiny_recipe("stgcn++", network={"init": str(tmp_path / "before"), "freeze": "backbone"})
    begun = load_run(tmp_path / "before").average
    trainer = trainer_of(recipe, sets)

    trainer.run(lambda _: None)

    after = trainer.network.state_dict()
    changed = {name for name, tensor in after.items() if not torch.equal(tensor, begun[name])}
    assert changed == {"fc_cls.weight", "fc_cls.bias"}


def test_run_begins_from_a_reference_checkpoint_of_other_classes(sets: Path, tmp_path: Path) -> None:
    source = trainer_of(tiny_recipe("stgcn++"), sets).network
    state = {f"backbone.{name}": tensor + 1 for name, tensor in source.state_dict().items() if "fc_cls" not in name}
    state |= {"cls_head.fc_cls.weight": torch.zeros(7, 24), "cls_head.fc_cls.bias": torch.zeros(7)}
    torch.save({"state_dict": state, "meta": {}}, tmp_path / "theirs.pth")

    begun = trainer_of(tiny_recipe("stgcn++", network={"init": str(tmp_path / "theirs.pth")}), sets).network

    assert torch.equal(begun.state_dict()["gcn.0.gcn.A"], state["backbone.gcn.0.gcn.A"])
    assert begun.state_dict()["fc_cls.weight"].shape == (2, 24)


def test_checkpoint_of_another_network_is_refused_by_its_first_tensor(sets: Path, tmp_path: Path) -> None:
    train(tiny_recipe("tcn"), [sets], tmp_path, quiet)

    with pytest.raises(CheckpointMismatch, match="found missing, expected"):
        trainer_of(tiny_recipe("stgcn++", network={"init": str(tmp_path)}), sets)


def test_rare_class_is_drawn_as_often_where_the_power_is_zero() -> None:
    recipe = tiny_recipe("tcn", data={"class_power": 0.0}, optim={"steps": 100, "batch_size": 10})
    label = np.array([0] * 95 + [1] * 5)

    rows = np.concatenate([BatchPlan(recipe, label).rows(step) for step in range(100)])

    assert 0.4 < label[rows].mean() < 0.6


def test_pass_sees_every_sequence_once() -> None:
    recipe = tiny_recipe("tcn", optim={"steps": 0, "passes": 2, "batch_size": 4})
    plan = BatchPlan(recipe, np.zeros(12, np.int64))

    rows = [np.concatenate([plan.rows(step) for step in range(first, first + 3)]) for first in (0, 3)]

    assert plan.steps == 6
    assert all(sorted(part.tolist()) == list(range(12)) for part in rows)
    assert rows[0].tolist() != rows[1].tolist()


def test_rate_warms_up_and_falls_by_passes() -> None:
    config = OptimSection(lr=1.0, passes=10, warmup=1, schedule="step", milestones=(5,))

    rates = [learning_rate(step, 100, 10, config) for step in (0, 9, 10, 49, 50)]

    assert rates == pytest.approx([0.1, 1.0, 1.0, 1.0, 0.1])


def test_scarce_labels_keep_a_share_of_each_class_and_grow(sets: Path) -> None:
    whole = load_part(tiny_recipe("tcn"), [sets], "train")

    few, more = (scarce(whole, share) for share in (0.1, 0.5))

    assert np.bincount(few.label).tolist() == [1, 1]
    assert {item.name for item in few.items} < {item.name for item in more.items}


def test_validation_part_shares_no_person_with_the_training_part(sets: Path) -> None:
    parts = load_parts(tiny_recipe("tcn"), [sets])

    assert parts.validation is not None
    people = [{item.group for item in part.items} for part in (parts.train, parts.validation)]
    assert all(people)
    assert not people[0] & people[1]


@pytest.mark.parametrize(("num_people", "num_held"), [(2, 1), (3, 1), (4, 1), (5, 1), (8, 2), (12, 3)])
def test_validation_part_holds_whole_people_near_its_share_and_never_none(
    num_people: int, num_held: int, tmp_path: Path
) -> None:
    write_flat_set(tmp_path, num=3 * num_people)
    recipe = tiny_recipe("tcn", data={"validation_share": 0.25})

    parts = load_parts(recipe, [tmp_path])

    assert parts.validation is not None
    assert len({item.group for item in parts.validation.items}) == num_held
    assert len({item.group for item in parts.train.items}) == num_people - num_held


def test_validation_part_of_a_single_person_is_refused(tmp_path: Path) -> None:
    write_flat_set(tmp_path, num=3)

    with pytest.raises(DatasetInvalid, match="all 2 sequences are of one subject"):
        load_parts(tiny_recipe("tcn"), [tmp_path])


@pytest.mark.parametrize(
    ("network", "kind", "changed", "message"),
    [
        ("tcn", "flat", {"data": {"train": "nothing"}}, "no split 'nothing'; its splits are train, test"),
        ("tcn", "flat", {"input": {"features": "pyskl-3d", "layout": "kinect20", "num_persons": 1}}, "joints are 2D"),
        ("tcn", "deep", {"input": {"features": "pyskl-2d", "layout": "penn13"}}, "20 joints without names"),
    ],
)
def test_set_that_does_not_fit_the_recipe_is_refused(
    network: str, kind: str, changed: dict[str, dict[str, object]], message: str, sets: Path
) -> None:
    with pytest.raises(DatasetInvalid, match=message):
        load_parts(tiny_recipe(network, kind, **changed), [sets])


def test_curves_that_no_package_can_write_are_refused_by_name(sets: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("tensorboard") is not None:
        pytest.skip("tensorboard is installed")

    with pytest.raises(ConfigInvalid, match=r"run\.tensorboard needs the package tensorboard"):
        train(tiny_recipe("tcn", run={"tensorboard": True}), [sets], tmp_path, quiet)


def test_pretrained_network_is_begun_from_and_its_classifier_begins_anew(sets: Path, tmp_path: Path) -> None:
    losses: list[float] = []
    recipe = tiny_recipe(
        "stgcn++", loss={"name": "masked_joints"}, optim={"steps": 60, "lr": 0.05}, run={"look_every": 10}
    )  # fmt: skip
    train(recipe, [sets], tmp_path, lambda look, _: losses.append(look.loss))

    after = tiny_recipe("stgcn++", network={"init": str(tmp_path)}).model_copy(update={"seed": 1})
    begun = trainer_of(after, sets).network

    assert losses[-1] < 0.8 * losses[0]
    stored = load_state(tmp_path / "best.pt").average
    assert torch.equal(begun.state_dict()["gcn.0.gcn.A"], stored["network.gcn.0.gcn.A"])
    assert not torch.equal(begun.state_dict()["fc_cls.weight"], stored["network.fc_cls.weight"])


def test_network_without_joints_in_its_map_cannot_be_pretrained(sets: Path) -> None:
    with pytest.raises(ModelUnknown, match="pretraining takes graph networks"):
        trainer_of(tiny_recipe("tcn", loss={"name": "masked_joints"}), sets)


def test_shipped_model_is_begun_from_and_answers_as_its_file(sets: Path) -> None:
    folder = Path(__file__).parents[3] / "models" / "zoo" / "everyday-stgcnpp"
    recipe = load_recipe("everyday-stgcnpp", {"data.sets": '["flat"]', "network.init": f'"{folder}"'})
    network = build_network(recipe, len(load_contract(folder / "model.json").labels))
    begin_from(network, exported_weights(folder, network), "zoo")
    x = torch.randn(3, 30, 13, 5, generator=torch.Generator().manual_seed(0))
    model = onnx.load(folder / "model.onnx")
    first = next(node.output[0] for node in model.graph.node if node.op_type == "Gemm")
    model.graph.output.append(onnx.helper.make_tensor_value_info(first, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    with torch.no_grad():
        logits = network.eval()(x[:, None])

    expected = session.run([first], {session.get_inputs()[0].name: x.numpy()})[0]
    np.testing.assert_allclose(logits.numpy(), expected, atol=1e-3)
    assert trainer_of(recipe, sets).network.state_dict()["fc_cls.weight"].shape[0] == 2
