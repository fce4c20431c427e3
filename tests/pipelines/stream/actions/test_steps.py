"""Continual networks: a step per sample and person, the answer of the windowed network, nothing kept of who left."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from models.arrays import AnyArray
from models.export.continual import ContinualNetwork, as_step
from models.export.import_command import main
from models.export.importer import ImportRequest, load_network
from models.nets.build import require_network
from models.runtime.action import softmax
from models.runtime.continual import ContinualModel
from models.runtime.contract import ActionContract
from models.skeleton.pyskl_features import normalise_2d
from pipelines.stream.actions.steps import StepStage
from pipelines.stream.build import build_actions, open_action
from pipelines.stream.config import PipelineConfig
from pipelines.types import Poses
from tests.fakes import contract_of, poses_at, poses_of, waving_keypoints
from tests.models.export.checkpoints import write_checkpoint

RATE_HZ = 15.0


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ST-GCN++ imported as a step; its folder is `step`."""
    folder = tmp_path_factory.mktemp("continual")
    write_checkpoint("stgcn++", folder / "their.pth", 3)
    (folder / "labels.txt").write_text("walk\nfall\nnone\n")
    options = (
        f"{folder}/their.pth --arch stgcn++ --layout coco17 --num-classes 3 --labels {folder}/labels.txt --continual"
    )
    more = f"--frames 24 --rate {RATE_HZ} --threshold 0 --unknown off -o {folder}/step"

    result = CliRunner().invoke(main, [*options.split(), *more.split()])

    assert result.exit_code == 0, result.output
    return folder


def reference_step(work: Path) -> ContinualNetwork:
    """The same weights in torch, whose answers are held against the windowed network's in tests of the export."""
    request = ImportRequest(work / "their.pth", "stgcn++", "coco17", 3, work / "step")
    return as_step(load_network(require_network("stgcn++"), request), 24)


def test_answer_of_steps_is_that_of_the_window_without_padding(work: Path) -> None:
    model = open_action(work / "step")
    step = reference_step(work)
    chain = build_actions(model, PipelineConfig(), "clip")
    seen = list(poses_at(RATE_HZ, 4.0))

    answers = [answer for poses in seen for answer in chain(poses).raw if answer.status != "warming_up"]

    frames = normalise_2d(np.stack([poses.keypoints[0] for poses in seen])[None], shape_hw=(480, 640))
    state, expected = step.initial_state(1), {}
    with torch.no_grad():
        for index, poses in enumerate(seen):
            logits, state = step(torch.as_tensor(frames[:, index : index + 1]), state)
            expected[round(poses.time_s * 5)] = softmax(logits.numpy())[0]
    assert len(answers) >= 10
    assert answers[0].time_s >= model.contract.window_s - 0.2
    for answer in answers:
        np.testing.assert_allclose(answer.probabilities, expected[round(answer.time_s * 5)], atol=1e-4)


def test_steps_are_the_same_at_any_rate_of_the_source(work: Path) -> None:
    model = open_action(work / "step")
    last = {}
    for rate_hz in (15.0, 30.0, 60.0):
        chain = build_actions(model, PipelineConfig(), "clip")
        answers = [answer for poses in poses_at(rate_hz, 4.0) for answer in chain(poses).raw]
        last[rate_hz] = answers[-1].probabilities

    np.testing.assert_allclose(last[30.0], last[15.0], atol=1e-4)
    np.testing.assert_allclose(last[60.0], last[15.0], atol=1e-4)


def test_whole_window_gets_the_answer_of_its_last_step(work: Path) -> None:
    model = open_action(work / "step")
    T = model.contract.num_samples
    keypoints = np.stack([waving_keypoints(tick / RATE_HZ) for tick in range(T)])[None]

    judged = model.judge(keypoints, np.ones((1, T), np.bool_), np.array([[640, 480]], np.float32))

    frames = normalise_2d(keypoints, shape_hw=(480, 640))
    step = reference_step(work)
    state = step.initial_state(1)
    with torch.no_grad():
        for index in range(T):
            logits, state = step(torch.as_tensor(frames[:, index : index + 1]), state)
    np.testing.assert_allclose(judged.probabilities, softmax(logits.numpy()), atol=1e-4)


class Counter:
    """A step that counts the samples of each track in its state, and answers alike to everybody."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        frames, state = feeds["frames"], feeds["state"]
        self.batches.append(len(frames))
        return {"logits": np.tile(np.array([[3.0, 0, 0]], np.float32), (len(frames), 1)), "next_state": state + 1}


def counting() -> tuple[Counter, StepStage]:
    inputs = [
        {"name": "frames", "shape": ["tracks", 1, 17, 3], "dtype": "float32"},
        {"name": "state", "shape": ["tracks", 4], "dtype": "float32"},
    ]
    values: dict[str, object] = {
        "features": "pyskl-2d", "is_continual": True, "inputs": inputs, "outputs": ["logits", "next_state"],
    }  # fmt: skip
    network = Counter()
    contract = ActionContract.model_validate(contract_of().model_dump() | values)
    return network, StepStage(ContinualModel(contract, network), max_gap_s=0.5)


def two(time_s: float) -> Poses:
    bodies = {1: waving_keypoints(time_s, (200.0, 240.0)), 2: waving_keypoints(time_s, (300.0, 240.0))}
    return poses_of(time_s, people=bodies)


def test_people_are_stepped_together() -> None:
    network, stage = counting()

    for tick in range(10):
        stage.see(two(tick / RATE_HZ), None)

    assert network.batches == [2] * 10
    assert stage.num_tracks == 2


def test_who_left_is_forgotten_and_who_was_long_out_of_sight_begins_anew() -> None:
    network, stage = counting()
    stage.see(two(0.0), None)
    stage.see(poses_of(0.1, people={2: waving_keypoints(0.1)}, ended=((1, "left"),)), None)
    assert stage.num_tracks == 1

    stage.see(poses_of(0.7, people={}), None)
    assert stage.num_tracks == 0

    stage.see(poses_of(0.8, people={2: waving_keypoints(0.8)}), None)
    assert network.batches[-1] == 1
    assert len(network.batches) == 3


def test_short_gap_is_interpolated_sample_by_sample() -> None:
    network, stage = counting()
    stage.see(poses_of(0.0), None)

    stage.see(poses_of(0.4), None)

    assert len(network.batches) == 1 + 6


def test_memory_does_not_grow_with_the_people_who_passed() -> None:
    _, stage = counting()
    most = 0
    for tick in range(300):
        track = tick // 5 + 1
        stage.see(poses_of(tick / RATE_HZ, people={track: waving_keypoints(tick / RATE_HZ)}), None)
        most = max(most, stage.num_tracks)

    assert most <= 3


def test_reset_forgets_everybody() -> None:
    _, stage = counting()
    stage.see(two(0.0), None)

    stage.reset()

    assert stage.num_tracks == 0
