"""Every network that can be imported is served: each one's checkpoint becomes labels on a clip and on a camera."""

import json
import multiprocessing
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from models.export.import_command import main
from models.nets.build import NETWORKS
from models.runtime.contract import load_contract
from models.runtime.device import REHEARSAL
from models.runtime.windows import sample_window
from pipelines.addresses.policy import AddressPolicy
from pipelines.results import Summary
from pipelines.stream.analyze import Run, analyze
from pipelines.stream.build import open_action
from pipelines.stream.config import PipelineConfig
from service.protocol.facts import StreamFact
from service.protocol.messages import BestEffort, Fact, StreamTask
from service.protocol.pause_clock import PauseClock
from service.protocol.push_socket import reachable
from service.protocol.stream_config import Analysis, Source, StreamConfig
from service.worker.action_models import ActionModels
from service.worker.channel import Channel, MessageQueue
from service.worker.stream import StreamRunner
from tests.models.export.checkpoints import write_checkpoint
from tests.stream_fakes import FakeSource, networks_of

# Exporting a network takes up to a minute of a quiet core.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

LABELS = ("wave", "kick", "fall", "none of these")
EXTENT: Mapping[str, list[str]] = {"keypoint": ["--frames", "16"], "heatmap": ["--frames", "8", "--size", "32"],
                                   "rgbpose": ["--frames", "8", "--size", "64"]}  # fmt: skip
PAIR = ((60.0, 40.0, 140.0, 220.0), (170.0, 40.0, 250.0, 220.0))
PICTURE = cv2.imencode(".jpg", np.full((240, 320, 3), 90, np.uint8))[1].tobytes()


@pytest.fixture(scope="module", params=list(NETWORKS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkpoint of the network, imported by the command; any probability is enough for a label."""
    name, work = str(request.param), tmp_path_factory.mktemp("imported")
    write_checkpoint(name, work / "their.pth", len(LABELS))
    (work / "labels.txt").write_text("\n".join(LABELS))
    options = ["--arch", name, "--layout", "coco17", "--num-classes", str(len(LABELS)), "--labels", work / "labels.txt"]
    options += ["--window", "2", "--rate", "15", "--threshold", "0", "--unknown", "off"]
    options += EXTENT[NETWORKS[name].input]

    result = CliRunner().invoke(main, [str(part) for part in [work / "their.pth", *options, "-o", work / "mine"]])

    assert result.exit_code == 0, result.output
    return work / "mine"


def test_imported_network_labels_the_people_of_a_clip(folder: Path) -> None:
    networks = replace(networks_of((), *PAIR), action=open_action(folder))
    source = FakeSource(num_frames=60)

    summary: Summary = analyze(source, networks, PipelineConfig(), [], Run("clip.mp4"))

    assert summary.header.model == "mine"
    assert len(summary.tracks) == 2
    for track in summary.tracks:
        assert track.actions
        assert {action.action for action in track.actions} <= set(LABELS)
        assert all(np.isfinite(action.score) for action in track.actions)


def test_imported_network_says_the_same_when_shapes_stand_still(folder: Path) -> None:
    plain, bound = open_action(folder), open_action(folder, REHEARSAL)
    one, rng = sample_window(plain.contract), np.random.default_rng(0)
    keypoints = np.repeat(one.keypoints, 3, axis=0) + rng.uniform(0, 50, (3, *one.keypoints.shape[1:]))
    valid = np.repeat(one.valid, 3, axis=0)
    valid[1, :, :7] = False
    assert one.size_wh is not None
    windows = (keypoints.astype(np.float32), valid, np.repeat(one.size_wh, 3, axis=0), list(one.pictures) * 3)

    found = bound.judge(*windows)

    (session,) = bound.sessions
    np.testing.assert_allclose(found.probabilities, plain.judge(*windows).probabilities, rtol=0, atol=1e-4)
    assert session.fed_shapes <= {tuple(sorted(shapes.items())) for shapes in session.declared_shapes}


def test_imported_network_labels_the_people_of_a_camera(folder: Path, tmp_path: Path) -> None:
    stream = Camera(tmp_path, folder)

    stream.push_until(lambda: bool(stream.ledger.of("action.started")))

    stream.stop()
    started = stream.ledger.of("action.started")[0]
    assert getattr(started, "model", None) == "mine"


def test_contract_of_an_imported_network_says_what_is_a_default(folder: Path) -> None:
    contract = load_contract(folder / "model.json")

    assert contract.num_persons == 2
    assert {"num_persons", "stream", "temperature"} <= set(contract.defaults)
    assert not {"window_s", "rate_hz", "unknown", "labels"} & set(contract.defaults)
    assert json.loads((folder / "model.json").read_text())["source"]["file"] == "their.pth"


class Ledger(Channel):
    """A task's channel that writes down every fact."""

    def __init__(self, task: StreamTask) -> None:
        ours, _ = multiprocessing.Pipe()
        super().__init__(task, MessageQueue(ours), deque(maxlen=1000), PauseClock(1.0))
        self.facts: list[Fact] = []

    def deliver(self, make: Callable[[int], Fact]) -> None:
        self.facts.append(make(len(self.facts) + 1))

    def offer(self, message: BestEffort) -> None:
        pass

    def of(self, name: str) -> list[StreamFact]:
        return [fact.content for fact in self.facts if fact.content.name == name]


class Camera:
    """A stream that asks for the model by its name, in a thread, and the hand that pushes its pictures."""

    def __init__(self, work: Path, folder: Path) -> None:
        config = StreamConfig(source=Source(uri="push:"), analysis=Analysis(model=folder.name))
        places = {"folder": str(work / "stream"), "evidence_folder": str(work / "evidence"), "first_track_id": 7}
        task = StreamTask("yard", 1, "push:", config.model_dump(mode="json") | places)
        self.ledger = Ledger(task)
        self._socket = work / "stream" / "push.sock"
        models = ActionModels(networks_of(), lambda name: open_action(folder.parent / name))
        runner = StreamRunner(models, AddressPolicy(schemes=frozenset({"push"})))
        self._thread = threading.Thread(target=runner, args=(task, self.ledger))
        self._thread.start()

    def push_until(self, is_met: Callable[[], bool]) -> None:
        until = time.monotonic() + 60
        while not self._socket.exists():
            assert time.monotonic() < until, "the worker does not listen"
            time.sleep(0.01)
        with reachable(self._socket) as name, socket.socket(socket.AF_UNIX) as client:
            client.connect(name)
            while not is_met():
                assert time.monotonic() < until, [fact.content.name for fact in self.ledger.facts]
                client.sendall(struct.pack(">I", len(PICTURE)) + PICTURE)
                time.sleep(1 / 15)

    def stop(self) -> None:
        self.ledger.stop_reason = "cancelled"
        self._thread.join(30)
