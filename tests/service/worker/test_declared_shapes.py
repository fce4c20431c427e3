"""By the rules of a GPU, on the CPU: whatever a worker does, no network sees a shape that was not warm before."""

import json
import multiprocessing
import shutil
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest

from models.errors import ModelUnknown, WeightsMissing
from models.runtime.action import ActionModel
from models.runtime.build import build_detector, build_pose
from models.runtime.device import REHEARSAL
from models.weights.registry import load_registry
from models.weights.store import WeightStore
from pipelines.addresses.policy import AddressPolicy
from pipelines.results import Header, Summary, summary_object
from pipelines.stream.analyze import Run, analyze
from pipelines.stream.build import NetworkChoice, Networks, load_networks
from pipelines.stream.config import PipelineConfig
from pipelines.stream.sources import FileSource
from pipelines.types import Event, FrameResult
from service.protocol.messages import JobTask, StreamTask
from service.protocol.pause_clock import PauseClock
from service.protocol.stream_config import Analysis, Source, StreamConfig
from service.settings import Settings, load_settings
from service.sources import job_policy
from service.worker.action_models import ActionModels
from service.worker.channel import Channel, Ended, MessageQueue
from service.worker.gauges import BatchSizes
from service.worker.job import JobRunner
from service.worker.loaded import LoadedNetworks
from service.worker.runners import NetworkRunners, load_shared, shared_whole
from service.worker.stream import StreamRunner

pytestmark = pytest.mark.slow

_CLIPS = ["utint_punch_seq09_51.avi", "utint_point_seq10_57.avi"]
_CAMERAS = 4
_WATCHED_S = 5.0
_WAIT_S = 120.0

Shapes = dict[str, frozenset[object]]


@dataclass(frozen=True)
class Rehearsal:
    """A worker's networks on the CPU by the rules of a GPU, as they were when it said that it is ready."""

    settings: Settings
    networks: Networks
    models: ActionModels
    sizes: BatchSizes
    warmed: Shapes

    def shapes(self) -> Shapes:
        """What every session was fed so far."""
        return _fed(self.networks)


def _fed(networks: Networks) -> Shapes:
    return {session.path.name: frozenset(session.fed_shapes) for session in networks.sessions}


@pytest.fixture(scope="module")
def rehearsal(weights_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    home = tmp_path_factory.mktemp("home")
    settings = load_settings(home=home, weights=weights_dir, disk_reserve_bytes=0, device=REHEARSAL)
    store, sizes = _store(weights_dir), BatchSizes()
    try:
        networks = load_networks(NetworkChoice(device=REHEARSAL), store)
    except WeightsMissing as error:
        pytest.skip(f"the networks cannot be had: {error}")
    runners = NetworkRunners(networks, REHEARSAL, {}, 10, 1.0, loaded=LoadedNetworks(REHEARSAL))
    facts = runners.warm()
    assert float(str(facts["fps_budget"])) > 0
    models = ActionModels(shared_whole(networks, REHEARSAL, sizes), partial(load_shared, _none, REHEARSAL, sizes))
    return Rehearsal(settings, networks, models, sizes, _fed(networks))


def _none(name: str) -> ActionModel:
    raise ModelUnknown(f"{name}: there is no other model")


def _store(weights_dir: Path) -> WeightStore:
    # What was fetched once serves every run.
    return WeightStore(load_settings(home=Path.home() / ".actogram").cache, weights_dir)


class _Channel(Channel):
    """A task's channel that keeps nothing."""

    def __init__(self, task: JobTask | StreamTask) -> None:
        ours, _ = multiprocessing.Pipe()
        super().__init__(task, MessageQueue(ours), deque(maxlen=100), PauseClock(1.0))

    def deliver(self, make: object) -> None:
        """Everything arrives."""

    def offer(self, message: object) -> None:
        """Nobody listens."""


def test_worker_has_warmed_every_declared_shape_when_it_is_ready(rehearsal: Rehearsal) -> None:
    for session in rehearsal.networks.sessions:
        declared = {tuple(sorted(shapes.items())) for shapes in session.declared_shapes}

        assert declared
        assert rehearsal.warmed[session.path.name] == declared


def test_a_detector_has_one_size_of_input(rehearsal: Rehearsal) -> None:
    (detector, *_) = rehearsal.networks.sessions

    sizes = {shape[1:] for shapes in detector.declared_shapes for shape in shapes.values()}

    assert sizes == {(3, 640, 640)}
    assert rehearsal.networks.glance is None
    assert rehearsal.networks.crop_detector is None


@pytest.mark.parametrize("clip", _CLIPS)
def test_no_network_sees_a_new_shape_in_a_clip(
    rehearsal: Rehearsal, data_dir: Path, tmp_path: Path, weights_dir: Path, clip: str
) -> None:
    held = _analyzed(_clip(data_dir, clip), rehearsal.networks)

    assert rehearsal.shapes() == rehearsal.warmed
    plain = _analyzed(_clip(data_dir, clip), _unpadded(weights_dir, tmp_path))
    assert held.tracks == plain.tracks
    assert sum(len(one.poses.track_id) for one in held.frames) > len(held.frames) / 2
    for one, other in zip(held.frames, plain.frames, strict=True):
        scale = max(one.frame.size_wh)
        np.testing.assert_allclose(one.poses.keypoints / scale, other.poses.keypoints / scale, rtol=0, atol=1e-4)


def test_no_network_sees_a_new_shape_in_a_job_beside_four_cameras(
    rehearsal: Rehearsal, data_dir: Path, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with Cameras(rehearsal, data_dir, tmp_path) as ended:
            running = pool.submit(_job, rehearsal, _clip(data_dir, _CLIPS[1]), tmp_path / "job")
            time.sleep(_WATCHED_S)
        job = running.result(_WAIT_S)

    assert rehearsal.shapes() == rehearsal.warmed
    assert (job.outcome, job.code) == ("succeeded", "")
    assert [one.outcome for one in ended] == ["cancelled"] * _CAMERAS
    told = {sample.labels["stage"]: max(sample.values) for sample in rehearsal.sizes.take()}
    assert set(told) == {"detect", "pose", "action"}
    assert told["pose"] > 1
    alone = _analyzed(_clip(data_dir, _CLIPS[1]), rehearsal.networks)
    assert json.loads((tmp_path / "job" / "results.json").read_text())["tracks"] == alone.tracks


class Cameras:
    """Four files that are watched like cameras, until the block ends; their ends."""

    def __init__(self, rehearsal: Rehearsal, data_dir: Path, folder: Path) -> None:
        policy = AddressPolicy(schemes=frozenset({"file"}), folders=(data_dir,))
        runner = StreamRunner(rehearsal.models, policy)
        self._ended: list[Ended] = []
        self._channels = [_Channel(_camera(folder, number, data_dir)) for number in range(_CAMERAS)]
        self._threads = [threading.Thread(target=partial(self._watch, runner, channel)) for channel in self._channels]

    def _watch(self, runner: StreamRunner, channel: "_Channel") -> None:
        assert isinstance(channel.task, StreamTask)
        self._ended.append(runner(channel.task, channel))

    def __enter__(self) -> list[Ended]:
        for thread in self._threads:
            thread.start()
        return self._ended

    def __exit__(self, *_: object) -> None:
        for channel in self._channels:
            channel.stop_reason = "cancelled"
        for thread in self._threads:
            thread.join(_WAIT_S)


def _camera(folder: Path, number: int, data_dir: Path) -> StreamTask:
    uri = _clip(data_dir, _CLIPS[number % len(_CLIPS)]).resolve().as_uri()
    config = StreamConfig(source=Source(uri=uri, loop=True), analysis=Analysis(fps=5)).model_dump(mode="json")
    places = {"folder": str(folder / f"camera{number}"), "evidence_folder": str(folder / "evidence")}
    return StreamTask(f"camera{number}", 1, uri, config | places | {"first_track_id": 1})


def _job(rehearsal: Rehearsal, clip: Path, folder: Path) -> Ended:
    folder.mkdir()
    task = JobTask("job_1", 1, str(shutil.copy(clip, folder / "source.avi")), str(folder), {"name": clip.name})
    return JobRunner(rehearsal.models, job_policy(rehearsal.settings), rehearsal.settings)(task, _Channel(task))


def _unpadded(weights_dir: Path, folder: Path) -> Networks:
    """The same networks on the CPU, with nothing padded; the detector's file fixes the size that a GPU would have."""
    store, registry = _store(weights_dir), load_registry()
    detect, pose = registry.require("rtmdet-nano-person"), registry.require("blazepose-full")
    model = onnx.load(store.require(detect))
    for axis in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = 640
    onnx.save(model, str(folder / "fixed.onnx"))
    plain = load_networks(NetworkChoice(), store)
    return Networks(
        detector=build_detector(detect, folder / "fixed.onnx"),
        pose=build_pose(pose, store.require(pose)),
        action=plain.action,
    )


def _clip(data_dir: Path, name: str) -> Path:
    found = sorted(data_dir.glob(f"video*/{name}"))
    if not found:
        pytest.skip(f"no clip {name}")
    return found[0]


class Results:
    """A sink that keeps what it is given."""

    wants_pictures = False

    def __init__(self) -> None:
        self.frames: list[FrameResult] = []
        self.summary: Summary | None = None

    def open(self, header: Header) -> None:
        """Nothing to do."""

    def write(self, result: FrameResult) -> None:
        """Keep it."""
        self.frames.append(result)

    def close(self, events: tuple[Event, ...], summary: Summary) -> None:
        """Keep the summary."""
        self.summary = summary

    def abort(self) -> None:
        """Nothing to do."""

    @property
    def tracks(self) -> object:
        """Who did what and when, as result files say it."""
        assert self.summary is not None
        return json.loads(json.dumps(summary_object(self.summary)["tracks"]))


def _analyzed(clip: Path, networks: Networks) -> Results:
    results = Results()
    analyze(FileSource(clip, rate_hz=30.0), networks, PipelineConfig(), [results], Run(clip.name, "job_1"))
    return results
