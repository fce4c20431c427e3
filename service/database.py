"""The one store: SQLite in WAL mode by default, PostgreSQL by URL; the schema comes from migrations."""

import datetime as dt
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from service.errors import DatabaseNewer, StorageFull

logger = logging.getLogger(__name__)

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Every slice adds its tables here; `migrations` holds the same, and a test compares the two."""

_BUSY_TIMEOUT_S = 15


class UtcTime(sa.TypeDecorator[dt.datetime]):
    """A time that is always in UTC and always says so, also from SQLite, which keeps no zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: sa.Dialect) -> dt.datetime | None:  # noqa: ARG002
        """Refuse a time without zone, turn the others to UTC."""
        if value is None:
            return None
        assert value.tzinfo is not None, "times carry their zone"
        return value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: sa.Dialect) -> dt.datetime | None:  # noqa: ARG002
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


def now() -> dt.datetime:
    """The time, in UTC."""
    return dt.datetime.now(dt.UTC)


class Database:
    """Transactions: many readers, one writer at a time."""

    def __init__(self, url: str) -> None:
        self._engine = _open_engine(url)
        self._readers = self._engine.execution_options(actogram_reader=True)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that only reads; it never waits for a writer in SQLite."""
        with self._readers.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that writes: committed at the end, undone by an error. Raises StorageFull."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.OperationalError as error:
            if not _is_full(error):
                raise
            raise StorageFull("the database's disk is full; nothing was stored") from error

    @property
    def shown_url(self) -> str:
        """The URL without its password."""
        return self._engine.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _is_full(error: sa.exc.OperationalError) -> bool:
    """Whether the database has no room: SQLite's own code, PostgreSQL's class of errors."""
    code = getattr(error.orig, "sqlite_errorcode", None) or getattr(error.orig, "sqlstate", None)
    return code in (sqlite3.SQLITE_FULL, "53100")


def _open_engine(url: str) -> sa.Engine:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed, pool_pre_ping=True, pool_timeout=_BUSY_TIMEOUT_S)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(parsed, connect_args={"timeout": _BUSY_TIMEOUT_S})
    sa.event.listen(engine, "connect", _set_pragmas)
    sa.event.listen(engine, "begin", _begin)
    return engine


def migrate(database: Database) -> None:
    """Bring the schema up to this version; raises DatabaseNewer when the database is ahead of it."""
    # Imported here: workers know the tables too, and never migrate.
    import alembic.command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    with database.write() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
        known = {revision.revision for revision in script.walk_revisions()}
        if found is not None and found not in known:
            raise DatabaseNewer(
                f"database {database.shown_url} is at schema {found}, this version knows "
                f"up to {script.get_current_head()}: run the newer version, or restore a back-up made with this one"
            )
        if found == script.get_current_head():
            return
        logger.info("database schema: %s -> %s", found, script.get_current_head())
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "head")


def _set_pragmas(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # The driver must not begin on its own: _begin does.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    # A writer that began as a reader would meet "database is locked" at once when it turns; one that begins as a
    # writer waits its turn.
    is_reader = connection.get_execution_options().get("actogram_reader", False)
    connection.exec_driver_sql("BEGIN" if is_reader else "BEGIN IMMEDIATE")
