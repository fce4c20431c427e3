"""Migrations make what the code says, once, and an older server leaves a newer database alone."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import alembic.command
import pytest
import sqlalchemy as sa
from alembic.config import Config

import service
from service.database import Database, migrate
from service.errors import DatabaseNewer, StorageFull
from service.events.search import Filter, page
from service.idempotency import RepeatablePost, fingerprint
from service.jobs import store as job_store
from service.jobs.store import JobRow
from service.streams import store as stream_store
from tests.service.insights.household import Household

_COMPARE = """
import sys
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
import service.app
from service.database import Database, metadata, migrate
database = Database(sys.argv[1])
migrate(database)
with database.read() as connection:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    for difference in compare_metadata(context, metadata):
        print(difference)
"""


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'test.sqlite3'}"


def test_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    # A process of its own: other tests may have registered tables that the service does not use.
    found = subprocess.run([sys.executable, "-c", _COMPARE, _url(tmp_path)], capture_output=True, text=True, timeout=60)

    differences = [line for line in found.stdout.splitlines() if "remove_" not in line]
    assert (found.returncode, differences) == (0, []), found.stderr


def test_migrate_changes_nothing_the_second_time(tmp_path: Path) -> None:
    database = Database(_url(tmp_path))
    migrate(database)
    with database.write() as connection:
        connection.execute(sa.text("UPDATE counters SET value = 41"))

    migrate(database)

    with database.read() as connection:
        assert connection.execute(sa.text("SELECT value FROM counters")).scalar_one() == 41
    database.close()


def test_migrate_keeps_what_an_older_version_stored(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'older.sqlite3'}")
    _move(database, alembic.command.upgrade, "0001")
    with database.write() as connection:
        job_store.insert(connection, JobRow("job_1", "upload", "source.mp4", "clip.mp4", state="succeeded"))
    before = _tables(database)

    migrate(database)

    with database.read() as connection:
        kept = job_store.get(connection, "job_1")
    assert "streams" not in before
    assert {"streams", "events", "webhooks"} <= _tables(database)
    assert kept is not None
    assert (kept.source_name, kept.state) == ("clip.mp4", "succeeded")


def _move(database: Database, command: Callable[[Config, str], None], revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(service.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with database.write() as connection:
        config.attributes["connection"] = connection
        command(config, revision)


_KEYED_STREAM = """
INSERT INTO streams (stream_id, name, is_enabled, config, state, state_since, generation, crashes, created_at,
                     idempotency_key)
VALUES ('dock', 'Dock', 1, '{"tags": {}, "analysis": {"fps": 15.0}}', 'running', '2026-01-01', 3, 0, '2026-01-01', 'k'),
       ('gate', 'Gate', 1, '{"tags": {}}', 'running', '2026-01-01', 4, 0, '2026-01-01', NULL)
"""


def test_migrate_carries_the_keys_of_streams_over_and_back(tmp_path: Path) -> None:
    database = Database(_url(tmp_path))
    _move(database, alembic.command.upgrade, "0002")
    with database.write() as connection:
        connection.execute(sa.text(_KEYED_STREAM.replace(":", r"\:")))

    migrate(database)

    body = fingerprint("Dock", '{"analysis": {"fps": 15.0}, "tags": {}}')
    with database.read() as connection:
        assert RepeatablePost("streams", "k", body).find_made(connection) == "dock"
        assert [row.stream_id for row in stream_store.all_streams(connection)] == ["dock", "gate"]
    _move(database, alembic.command.downgrade, "0002")
    with database.read() as connection:
        keys = connection.execute(sa.text("SELECT idempotency_key FROM streams ORDER BY stream_id")).scalars().all()
    assert keys == ["k", None]
    database.close()


def test_migrate_finds_zones_and_tags_of_earlier_events(tmp_path: Path) -> None:
    database = Database(_url(tmp_path))
    migrate(database)
    house = Household(database)
    house.event("lie", "2026-05-01T10:00", 5, zones=("bed", "door"))
    house.event("lie", "2026-05-01T10:00", 5)
    _move(database, alembic.command.downgrade, "0007")

    migrate(database)

    with database.read() as connection:
        for zone in ("bed", "door"):
            assert [row.event.event_id for row in page(connection, Filter(zone=zone), None, 9)] == ["e1"]
    database.close()


def _tables(database: Database) -> set[str]:
    with database.read() as connection:
        return set(sa.inspect(connection).get_table_names())


def test_migrate_refuses_a_database_of_a_newer_version(tmp_path: Path) -> None:
    database = Database(_url(tmp_path))
    migrate(database)
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(DatabaseNewer, match=r"schema 9999.*run the newer version"):
        migrate(database)
    database.close()


def test_database_reads_while_another_writes(tmp_path: Path) -> None:
    database = Database(_url(tmp_path))
    migrate(database)

    with database.write() as writer:
        writer.execute(sa.text("UPDATE counters SET value = 7"))
        with database.read() as reader:
            seen = reader.execute(sa.text("SELECT value FROM counters")).scalar_one()

    assert seen == 0
    database.close()


def test_database_is_durable_and_in_wal_mode(tmp_path: Path) -> None:
    database = Database(_url(tmp_path))

    with database.read() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
        synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar_one()

    assert (mode, synchronous) == ("wal", 2)
    database.close()


def test_full_disk_under_the_database_is_said_and_undoes_the_transaction(tmp_path: Path) -> None:
    database = Database(_url(tmp_path))
    migrate(database)

    def fill() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("CREATE TABLE many (one BLOB)")
            connection.exec_driver_sql("PRAGMA max_page_count = 1")  # as many as there are
            connection.exec_driver_sql("INSERT INTO many VALUES (zeroblob(1000000))")

    with pytest.raises(StorageFull):
        fill()

    with database.read() as connection:
        assert not sa.inspect(connection).has_table("many")
    database.close()
