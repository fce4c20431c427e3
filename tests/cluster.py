"""The services of tests on PostgreSQL and an S3 store instead of files, where ACTOGRAM_TEST_CLUSTER is 1."""

import atexit
import functools
import os
import secrets
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.blob_choice import open_store
from service.settings import Settings
from service.supervision.engine import Engine
from service.worker.runners import TaskRunners
from service.worker.staging import StagedRunners
from tests.fakes import ThreadEngine
from tests.postgres import postgres
from tests.s3 import Bucket, bucket

IS_CLUSTER = os.environ.get("ACTOGRAM_TEST_CLUSTER") == "1"

on_files = pytest.mark.skipif(IS_CLUSTER, reason="is about files of the home, which a cluster has elsewhere")
"""Marks tests of the default store alone."""


@functools.cache
def _servers() -> tuple[str, Bucket]:
    """The database server and the bucket of this run."""
    stack = ExitStack()
    found = stack.enter_context(postgres()), stack.enter_context(bucket())
    os.environ.update(found[1].environment)
    atexit.register(stack.close)
    return found


def shared_state() -> dict[str, object]:
    """Settings of a service with a database and a place in the bucket of its own; none where files are tested."""
    if not IS_CLUSTER:
        return {}
    url, found = _servers()
    name = f"test_{secrets.token_hex(6)}"
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    database = sa.make_url(url).set(database=name).render_as_string(hide_password=False)
    return {"database_url": database, "blobs_url": f"{found.url}/{name}", "secret_key": "a key of these tests"}


def staged(engine: Engine, settings: Settings) -> Engine:
    """An engine whose made-up workers fetch and send blobs as real ones do."""
    if settings.blobs_url is None or not isinstance(engine, ThreadEngine):
        return engine
    build, scratch = engine.build, settings.blobs / "scratch"

    def build_staged() -> TaskRunners:
        folder = Path(scratch, secrets.token_hex(4))
        return StagedRunners(build(), open_store(settings), folder, lambda _: None)

    return ThreadEngine(build_staged)
