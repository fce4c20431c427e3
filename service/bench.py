"""What a worker works with: the networks, loaded once and warm, and a runner for each kind of task."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from service.settings import Settings
from service.sources import SourcePolicy
from service.workers.messages import JobTask, Task, Values
from service.workers.process import Channel, Ended

if TYPE_CHECKING:
    from pipelines.stream.build import Networks


class Runner(Protocol):
    """Does one kind of task."""

    def __call__(self, task: Task, channel: Channel) -> Ended:
        """Do it; errors of pipelines and models may be raised."""
        ...


class NetworkBench:
    """The bench of a real worker.

    runners: kind of task → who does it.
    """

    def __init__(self, networks: "Networks", device: str, runners: Mapping[str, Runner], max_persons: int) -> None:
        self._networks = networks
        self._device = device
        self._runners = runners
        self._max_persons = max_persons

    def warm(self) -> Values:
        """Run every batch size that will be used once: onnxruntime allocates on the first run of a shape."""
        from service.warm import warm

        warm(self._networks, self._max_persons)
        return {"networks": list(self._networks.names), "device": self._device}

    def run(self, task: Task, channel: Channel) -> Ended:
        """Do a task by its kind."""
        return self._runners[task.kind](task, channel)


def build_bench(settings: Settings) -> NetworkBench:
    """Load the networks, inside a worker's process; raises WeightsMissing and the like.

    Everything heavy is imported here: the web process imports this module, and holds no network.
    """
    from models.weights import WeightStore
    from pipelines.stream.build import NetworkChoice, load_networks
    from pipelines.stream.config import StreamConfig
    from service.jobs.run import JobRunner

    store = WeightStore(settings.cache, settings.weights, settings.offline)
    choice = NetworkChoice(device=settings.device, threads=settings.threads)
    networks = load_networks(choice, store)
    jobs = JobRunner(networks, choice, store, source_policy(settings), settings)

    def run_job(task: Task, channel: Channel) -> Ended:
        assert isinstance(task, JobTask)
        return jobs(task, channel)

    return NetworkBench(networks, settings.device, {"job": run_job}, StreamConfig().track.max_persons)


def source_policy(settings: Settings) -> SourcePolicy:
    """What clients may name as a source, by the settings."""
    return SourcePolicy(settings.source_schemes, settings.source_folders, settings.source_networks)
