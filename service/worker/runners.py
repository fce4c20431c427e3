"""What a worker works with: the networks, loaded once and warm, and a runner for each kind of task."""

import multiprocessing
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from models.runtime.device import Device, is_bound
from service.network_choice import default_choice, engine_device, own_names
from service.protocol.messages import JobTask, Sample, StreamTask, Task, Values
from service.settings import Settings
from service.sources import camera_policy, job_policy
from service.worker.channel import Channel, Ended

if TYPE_CHECKING:
    from models.runtime.action import ActionModel
    from models.runtime.batching import Gathering
    from models.runtime.spare import SpareThreads
    from pipelines.stream.build import Networks, PeopleNetworks
    from service.worker.gauges import BatchSizes
    from service.worker.landing import Landing
    from service.worker.loaded import LoadedNetworks

PeopleT = TypeVar("PeopleT", bound="PeopleNetworks")

_BATCH_S = 0.004
"""How long the first call of a batch waits for others: a sixteenth of a frame at 15 a second."""
_PRESENT_S = 1.0
_SPARE_MAX = 4
"""Threads for a call that has the cores to itself; the layers are too small for more."""
_STREAMS_MEASURED = 8
"""Streams that run at once while it is measured what the interpreter handles."""


class TaskRunners(Protocol):
    """What a worker works with; built inside its process."""

    def warm(self) -> Values:
        """Run every batch size once; returns facts such as the networks' names."""
        ...

    def run(self, task: Task, channel: Channel) -> Ended:
        """Do a task; errors of pipelines and models may be raised. Returns soon after `channel.stop_reason` is set."""
        ...

    def measure(self) -> Sequence[Sample]:
        """What is to be told of the whole worker, as metrics; asked for at every heartbeat."""
        ...

    def facts(self) -> Values:
        """What has changed in the facts that `warm` returned; asked for at every heartbeat."""
        ...


BuildRunners = Callable[[], TaskRunners]
"""Called in the worker; must be picklable: a function of a module, or a partial of one."""


class Runner(Protocol):
    """Does one kind of task."""

    def __call__(self, task: Task, channel: Channel) -> Ended:
        """Do it; errors of pipelines and models may be raised."""
        ...


class Gauge(Protocol):
    """Measures something about the whole worker."""

    def take(self) -> Sequence[Sample]:
        """What is new since the last call."""
        ...


class NetworkRunners:
    """The runners of a real worker.

    networks: themselves, with nothing between that gathers their calls.  runners: kind of task → who does it.
    num_cores: processor cores that are this worker's share.
    gauges: asked for metrics at every heartbeat. loaded: notes which networks are open. spare: threads for a call that
    is alone.
    """

    def __init__(
        self, networks: "Networks", device: str, runners: Mapping[str, Runner], max_persons: int, num_cores: float,
        gauges: Sequence[Gauge] = (), *, loaded: "LoadedNetworks", spare: "SpareThreads | None" = None,
    ) -> None:  # fmt: skip
        self._networks = networks
        self._device = device
        self._runners = runners
        self._max_persons = max_persons
        self._num_cores = num_cores
        self._loaded = loaded
        self._gauges = gauges
        self._spare = spare

    def warm(self) -> Values:
        """Run every batch size that will be used once: onnxruntime allocates on the first run of a shape."""
        budget = self._warm_on_device() if is_bound(self._device) else self._warm_on_cpu()
        with self._among_others():
            self._loaded.note(self._networks)
        # What was run to get warm says nothing of the work.
        self.measure()
        facts: Values = {"networks": list(self._networks.names), "device": self._device, "fps_budget": budget}
        return {**facts, **self._loaded.facts()}

    def _warm_on_cpu(self) -> float:
        from service.worker.warm import measure_budget, warm

        warm(self._networks, self._max_persons)
        with self._among_others():
            return measure_budget(self._networks, self._num_cores)

    @contextmanager
    def _among_others(self) -> Iterator[None]:
        """Every call on its own threads, as when many streams share the cores: that is what a budget is for."""
        with nullcontext() if self._spare is None else self._spare.borrow():
            yield

    def _warm_on_device(self) -> float:
        """Run every shape that was declared, and measure what each costs."""
        from pipelines.stream.config import PipelineConfig
        from service.worker.capacity import measure_capacity

        for session in self._networks.sessions:
            session.warm_declared()
        config = PipelineConfig()
        return measure_capacity(self._networks, config, _STREAMS_MEASURED).fps_budget(config)

    def run(self, task: Task, channel: Channel) -> Ended:
        """Do a task by its kind."""
        return self._runners[task.kind](task, channel)

    def measure(self) -> Sequence[Sample]:
        """Batch sizes, and the device's memory."""
        return [sample for gauge in self._gauges for sample in gauge.take()]

    def facts(self) -> Values:
        """Which networks are open."""
        return self._loaded.facts()


def build_runners(settings: Settings, num_cores: float | None = None) -> TaskRunners:
    """What a worker works with, inside its process, wherever the blobs lie; raises WeightsMissing and the like.

    num_cores: processor cores that are this worker's share; its part of all that there are when left out.
    """
    from service.blob_choice import open_store
    from service.blobs import BlobFolder
    from service.worker.landing import Uploads
    from service.worker.staging import StagedRunners

    if settings.blobs_url is None:
        return build_networks(settings, None, num_cores)
    store, process = open_store(settings), multiprocessing.current_process().name
    uploads = Uploads(settings.blobs / "spool", store)
    runners = build_networks(settings, uploads, num_cores)
    uploads.start()
    room = BlobFolder(settings.home, settings.disk_reserve_bytes).require_disk_space
    return StagedRunners(runners, store, settings.blobs / "scratch" / process, room)


def build_networks(settings: Settings, landing: "Landing | None", num_cores: float | None = None) -> NetworkRunners:
    """Load the networks; raises WeightsMissing and the like.

    landing: where evidence goes; None: it stays where tasks say. num_cores: as `build_runners` takes it.
    Everything heavy is imported here: the web process imports this module, and holds no network.
    """
    from models.runtime.spare import SpareThreads
    from models.weights.registry import load_registry
    from models.weights.store import WeightStore
    from pipelines.stream.build import load_networks
    from pipelines.stream.config import PipelineConfig
    from service.worker.action_models import ActionModels, NamedModels
    from service.worker.gauges import BatchSizes, DeviceMemory
    from service.worker.job import JobRunner
    from service.worker.loaded import LoadedNetworks, opened
    from service.worker.people_pool import NamedPeople, PeoplePool, renamed
    from service.worker.stream import StreamRunner

    store = WeightStore(settings.cache, settings.weights, settings.offline)
    name = worker_device(engine_device(settings, settings.device), multiprocessing.current_process().name)
    device = str(Device.parse(name).keeping(settings.cache / "engines"))
    num_cores = num_cores or len(os.sched_getaffinity(0)) / max(1, settings.workers)
    spare = SpareThreads(min(int(num_cores), _SPARE_MAX)) if num_cores >= 2 else None
    choice = replace(default_choice(settings, settings.threads), device=device, spare=spare)
    sizes, max_persons = BatchSizes(), PipelineConfig().track.max_persons
    default = renamed(load_networks(choice, store), own_names(settings))
    networks = shared_whole(default, device, sizes)
    told = str(replace(Device.parse(device), engines=""))  # a folder of this machine is nobody else's business
    registry, folder, loaded = load_registry(), settings.models_folder, LoadedNetworks(told)
    prepare = partial(opened, loaded=loaded, wrap=lambda found: shared(found, device, sizes))
    named = NamedPeople(choice, registry, store, folder, networks, partial(prepare, max_persons=max_persons))
    people = PeoplePool(networks, named, settings.networks_per_worker)
    load = partial(load_shared, NamedModels(choice, registry, store, folder), device, sizes)
    models = ActionModels(networks, load, people=people)
    loaded.watch(people)
    jobs = JobRunner(models, job_policy(settings), settings)

    def run_job(task: Task, channel: Channel) -> Ended:
        assert isinstance(task, JobTask)
        return jobs(task, channel)

    streams = StreamRunner(models, camera_policy(settings), landing, blurs=settings.blur_faces)

    def run_stream(task: Task, channel: Channel) -> Ended:
        assert isinstance(task, StreamTask)
        return streams(task, channel)

    runners = {"job": run_job, "stream": run_stream}
    gauges = (sizes, DeviceMemory(device))
    return NetworkRunners(default, told, runners, max_persons, num_cores, gauges, loaded=loaded, spare=spare)


def worker_device(device: str, process: str) -> str:
    """Where a worker's networks run: `cuda` gives each worker its own device, in the order of their names.

    process: name of the worker's process, such as `actogram-w3`; one without a number takes the first device.
    Raises DeviceUnavailable.
    """
    number = re.search(r"(\d+)$", process)
    return str(Device.parse(device).numbered(int(number[1]) if number else 0))


def shared(networks: PeopleT, device: str, sizes: "BatchSizes") -> PeopleT:
    """The networks as the streams and jobs of a worker share them, their batches counted; what is shared stays so.

    On a GPU every call goes through one batcher per network. On a CPU two small batches on two cores take as long as
    one big one, and every stream would wait for the slowest, so there each stream calls the networks itself.
    """
    from models.runtime.batched import BatchedDetector, BatchedPose
    from service.worker.gauges import counted

    found = counted(networks, sizes)
    if not is_bound(device):
        return found
    detector, pose = found.detector, found.pose
    is_shared = isinstance(detector, BatchedDetector), isinstance(pose, BatchedPose)
    return replace(
        found,
        detector=detector if is_shared[0] else BatchedDetector(detector, _gathering(detector)),
        pose=pose if is_shared[1] else BatchedPose(pose, _gathering(pose)),
    )


def shared_whole(networks: "Networks", device: str, sizes: "BatchSizes") -> "Networks":
    """As `shared`, and the action model too."""
    return replace(shared(networks, device, sizes), action=shared_action(networks.action, device, sizes))


def shared_action(model: "ActionModel", device: str, sizes: "BatchSizes") -> "ActionModel":
    """An action model as the streams and jobs of a worker share it; on a GPU through one batcher per network."""
    if not is_bound(device):
        return model
    from models.runtime.batched import BatchedNetwork
    from service.worker.gauges import CountedNetwork

    return model.over(lambda network: BatchedNetwork(CountedNetwork(network, sizes), _gathering(network)))


def load_shared(load: "Callable[[str], ActionModel]", device: str, sizes: "BatchSizes", name: str) -> "ActionModel":
    """An action model by name, warm; raises what `load` raises."""
    model = load(name)
    for session in model.sessions:
        session.warm_declared()
    return shared_action(model, device, sizes)


def _gathering(part: object) -> "Gathering":
    """How the calls of a network are gathered: in batches as large as it was declared for."""
    from models.runtime.batching import Gathering
    from models.runtime.session import sessions_of

    most = [session.batches[-1] for session in sessions_of(part) if session.batches]
    return Gathering(min(most, default=1), _BATCH_S, _PRESENT_S)
