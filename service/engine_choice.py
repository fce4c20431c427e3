"""Builds the engine that the settings ask for: workers of this machine, or of a Ray cluster."""

import os
import re
import secrets
from functools import partial

from service.errors import HomeUnusable
from service.settings import Settings
from service.supervision.engine import Engine
from service.supervision.local import LocalEngine
from service.worker.main import main as run_worker
from service.worker.main import run_within
from service.worker.node import MARK, build_on_node
from service.worker.runners import build_runners

_NEVER_SENT = ("secret_key", "database_url", "mqtt_url", "events_file", "public_url")
"""What no worker needs: arguments of an actor lie in the memory of the cluster's head."""


def build_engine(settings: Settings, log_level: int) -> Engine:
    """The engine in force, not started; raises PackageMissing, HomeUnusable."""
    if settings.engine == "local":
        return LocalEngine(partial(run_worker, partial(build_runners, settings), log_level))
    from service.supervision.ray_cluster import RayPlan, require_ray
    from service.supervision.ray_engine import RayEngine

    require_ray()
    cores = _share(settings)
    build = partial(build_on_node, sent_settings(settings), cores, _leave_mark(settings))
    plan = RayPlan(
        settings.ray_address, settings.workers + 1, settings.ray_worker_cpus, settings.device.startswith("cuda")
    )
    return RayEngine(partial(run_within, build, log_level), plan)


def sent_settings(settings: Settings) -> Settings:
    """The settings as another machine gets them: paths that hold everywhere, no secret that a worker does not need."""
    paths = {name: path.absolute() for name in ("home", "weights", "models") if (path := getattr(settings, name))}
    # Ray shows a worker the device that is its own, as the first.
    device = re.sub(r"^cuda:\d+", "cuda", settings.device)
    return settings.model_copy(update={**dict.fromkeys(_NEVER_SENT), **paths, "device": device})


def _share(settings: Settings) -> float:
    """Cores that a worker may count on: what it reserves, and alone on this machine its part of all."""
    if settings.ray_address is not None:
        return settings.ray_worker_cpus
    return max(settings.ray_worker_cpus, len(os.sched_getaffinity(0)) / max(1, settings.workers))


def _leave_mark(settings: Settings) -> str:
    mark = secrets.token_hex(16)
    try:
        settings.blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
        (settings.blobs / MARK).write_text(mark, "utf-8")
    except OSError as error:
        raise HomeUnusable(f"{settings.blobs}: {MARK} cannot be written there: {error.strerror}") from error
    return mark
