"""The janitor runs every sweep, and idempotency keys go when nobody will repeat their POST."""

import datetime as dt
import logging
import queue
from pathlib import Path

import pytest

from service import idempotency
from service.database import Database, migrate
from service.idempotency import RepeatablePost
from service.retention import Janitor, Sweep


def _fail() -> int:
    raise OSError("the disk is away")


def test_sweep_that_fails_does_not_hold_up_the_others(caplog: pytest.LogCaptureFixture) -> None:
    janitor = Janitor((Sweep("jobs", lambda: 2), Sweep("clips", _fail), Sweep("events", lambda: 3)))

    with caplog.at_level(logging.INFO):
        gone = janitor.sweep()

    assert gone == {"jobs": 2, "events": 3}
    assert "no old clips removed" in caplog.text
    assert "2 jobs, 3 events" in caplog.text


def test_janitor_sweeps_at_once_when_it_starts() -> None:
    swept: queue.Queue[int] = queue.Queue()

    def sweep() -> int:
        swept.put(1)
        return 0

    janitor = Janitor((Sweep("jobs", sweep),), period_s=3600)
    janitor.start()

    assert swept.get(timeout=10) == 1
    janitor.stop()


def test_old_keys_are_forgotten_within_their_scope(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'keys.sqlite3'}")
    migrate(database)
    job, stream = RepeatablePost("jobs", "k", "body"), RepeatablePost("streams", "k", "body")
    with database.write() as connection:
        job.remember(connection, "job_1")
        stream.remember(connection, "dock")

        young = idempotency.forget(connection, "jobs")
        old = idempotency.forget(connection, "jobs", dt.timedelta(seconds=-1))

        assert (young, old) == (0, 1)
        assert (job.find_made(connection), stream.find_made(connection)) == (None, "dock")
    database.close()
