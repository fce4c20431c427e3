"""The engine that places workers on the nodes of a Ray cluster: one actor each, which Ray places and restarts."""

import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from types import ModuleType

from service.supervision.ray_actor import WorkerActor
from service.supervision.ray_cluster import RayCluster, RayPlan
from service.supervision.ray_worker import RayWorker, RemoteActor, end_actor
from service.supervision.types import JOBS_WORKER

_JOBS_GPU = 0.1
"""Part of a GPU that the worker for jobs takes, so that it fits beside one for streams."""


class RayEngine:
    """Workers as actors of a cluster.

    run_worker: what a worker does with its end of the pipe; returns when it has ended; picklable, and importable on
                every node.
    """

    def __init__(self, run_worker: Callable[[Connection], None], plan: RayPlan) -> None:
        self._run_worker = run_worker
        self._plan = plan
        self._cluster = RayCluster(plan)
        self._lock = threading.Lock()
        self._actors: dict[str, RemoteActor] = {}

    def start(self) -> None:
        """Start or join the cluster; raises PackageMissing, EngineUnavailable."""
        self._cluster.start()

    def launch(self, name: str) -> "RayWorker":
        """Begin a worker on its actor, wherever Ray has placed that."""
        ray = self._cluster.ray
        with self._lock:
            actor = self._actors.get(name) or self._create(ray, name)
            self._actors[name] = actor
        return RayWorker(ray, actor, lambda: self._forget(name, actor), self._needs(name))

    def stop(self) -> None:
        """End the actors and leave the cluster."""
        with self._lock:
            actors, self._actors = list(self._actors.values()), {}
        for actor in actors:
            end_actor(self._cluster.ray, actor, is_final=True)
        self._cluster.stop()

    def _create(self, ray: ModuleType, name: str) -> RemoteActor:
        # Few enough threads for what is called at once: begin, send, receive.
        actor: RemoteActor = (
            ray.remote(WorkerActor)
            .options(
                max_restarts=-1, max_concurrency=3, scheduling_strategy="SPREAD", **self._resources(name),
            )
            .remote(self._run_worker, _this_node, name)
        )  # fmt: skip
        return actor

    def _forget(self, name: str, actor: RemoteActor) -> None:
        """Ray does not start this actor any more: the next launch makes another."""
        end_actor(self._cluster.ray, actor, is_final=True)
        with self._lock:
            if self._actors.get(name) is actor:
                del self._actors[name]

    def _resources(self, name: str) -> Mapping[str, float]:
        gpus = (_JOBS_GPU if name == JOBS_WORKER else 1 - _JOBS_GPU) if self._plan.has_gpus else 0
        return {"num_cpus": self._plan.cpus, "num_gpus": gpus}

    def _needs(self, name: str) -> str:
        found = self._resources(name)
        return f"{found['num_cpus']:g} CPU" + (f" and {found['num_gpus']:g} GPU" if found["num_gpus"] else "")


def _this_node() -> str:
    """The node on which this is called."""
    import ray

    return str(ray.get_runtime_context().get_node_id())
