"""Every engine that runs workers in processes of their own, with scripted runners."""

import logging
from collections.abc import Iterator
from functools import partial

import pytest

from service.supervision.engine import Engine
from service.supervision.local import LocalEngine
from service.supervision.ray_cluster import RayPlan
from service.supervision.ray_engine import RayEngine
from service.worker.main import main, run_within
from tests.fakes import build_scripted_runners
from tests.ray_clusters import importable


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.slow)])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Not started; a Ray cluster is one of this machine's own, as `serve --engine ray` starts it."""
    if request.param == "local":
        yield LocalEngine(partial(main, build_scripted_runners, logging.WARNING))
        return
    importable()
    found = RayEngine(partial(run_within, build_scripted_runners, logging.WARNING), RayPlan(None, 2, 1.0, False))
    found.start()
    yield found
    found.stop()
