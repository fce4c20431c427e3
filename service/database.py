"""The one store: SQLite in WAL mode by default, PostgreSQL by URL; the schema comes from migrations."""

import datetime as dt
import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.pool import ConnectionPoolEntry

from service.errors import DatabaseBusy, DatabaseDamaged, DatabaseNewer, DatabaseUnavailable, ServiceError, StorageFull
from service.private_files import make_private_file
from service.sealed import attach
from service.secret_box import SecretBox

if TYPE_CHECKING:
    import psycopg

logger = logging.getLogger(__name__)

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Every slice adds its tables here; `migrations` holds the same, and a test compares the two."""

_BUSY_TIMEOUT_S = 15.0
_REQUEST_PATIENCE_S = 3.0
_CHECKPOINT_TRIES = 20
_MIGRATION_S = 120
_MIGRATION_LOCK = 0x4143_544D
_CHECKPOINT_WAIT_S = 0.1
PATIENCE_S: ContextVar[float] = ContextVar("patience_s", default=_BUSY_TIMEOUT_S)
"""How long this thread or request waits for its turn; somebody who waits for an answer is told soon."""


def be_brief() -> None:
    """From here on, wait only as long as somebody who wants an answer."""
    PATIENCE_S.set(_REQUEST_PATIENCE_S)


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
    """Transactions: many readers, one writer at a time.

    box: seals secrets on their way in; none leaves them as they are, as commands do that touch none.
    """

    def __init__(self, url: str, box: SecretBox | None = None) -> None:
        self._engine = _open_engine(url)
        attach(self._engine, box)
        self._readers = self._engine.execution_options(actogram_reader=True)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that only reads; it never waits for a writer in SQLite.

        Raises StorageFull, DatabaseBusy, DatabaseUnavailable.
        """
        with _telling(), self._readers.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that writes: committed at the end, undone by an error.

        Raises StorageFull, DatabaseBusy, DatabaseUnavailable.
        """
        with _telling(), self._engine.begin() as connection:
            yield connection

    @property
    def is_shared(self) -> bool:
        """Whether other servers may use it at the same time."""
        return self._engine.dialect.name == "postgresql"

    @contextmanager
    def listener(self) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
        """A connection of the driver's own, outside the pool, that commits at once; PostgreSQL only.

        Raises StorageFull, DatabaseBusy, DatabaseUnavailable.
        """
        with _telling():
            pooled = self._engine.raw_connection()
        connection: psycopg.Connection[tuple[object, ...]] = pooled.driver_connection  # type: ignore[assignment]
        pooled.detach()
        try:
            connection.autocommit = True
            yield connection
        finally:
            connection.close()

    @property
    def shown_url(self) -> str:
        """The URL without its password."""
        return self._engine.url.render_as_string(hide_password=True)

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for any other database, and for one in memory."""
        return sqlite_file(self._engine.url)

    def compact(self) -> None:
        """Rewrite the file, so that nothing of what was overwritten is left in it; SQLite only."""
        if self._engine.dialect.name != "sqlite":
            return
        # Not through a transaction of ours: VACUUM takes none.
        connection = self._engine.raw_connection()
        try:
            connection.cursor().execute("VACUUM")
            _empty_journal(connection.cursor())
        except sqlite3.OperationalError as error:
            logger.warning("the database was not compacted: %s", error)
        finally:
            connection.close()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _empty_journal(cursor: DBAPICursor) -> None:
    """Move what the write-ahead journal holds into the file, and cut it; readers of old pages may hold that up."""
    for _ in range(_CHECKPOINT_TRIES):
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        answer = cursor.fetchone()
        if answer is not None and not answer[0]:
            return
        time.sleep(_CHECKPOINT_WAIT_S)
    logger.warning("the database's journal could not be emptied: somebody reads for long")


@contextmanager
def _telling() -> Iterator[None]:
    """Turns what the driver says into errors of our own."""
    try:
        yield
    except sa.exc.TimeoutError as error:
        raise DatabaseBusy("every connection to the database is in use") from error
    # The driver's own: what the pragmas of a new connection meet.
    except (sa.exc.OperationalError, sa.exc.DatabaseError, sqlite3.DatabaseError) as error:
        told = _told(error)
        if told is None:
            raise
        raise told from error


def _told(error: Exception) -> ServiceError | None:
    """Our word for what the driver says; None for a fault of ours, such as a row that breaks a rule of its table."""
    code = _code(error)
    # SQLite's codes carry the kind in their low byte; PostgreSQL says its own in text.
    kind = code & 0xFF if isinstance(code, int) else code
    if kind == sqlite3.SQLITE_FULL or code in (sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_WRITE, "53100"):
        return StorageFull("the database's disk is full; nothing was stored")
    if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, "55P03", "57014", "25P03", "40P01"):
        return DatabaseBusy("the database is held by somebody else; nothing was stored")
    is_operational = isinstance(error, (sa.exc.OperationalError, sqlite3.OperationalError))
    if not is_operational and kind not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return None
    logger.error("database: %s", getattr(error, "orig", error))
    return DatabaseUnavailable("the database does not answer as it should; see the server's log")


def _code(error: Exception) -> int | str | None:
    cause = getattr(error, "orig", error)
    code: int | str | None = getattr(cause, "sqlite_errorcode", None) or getattr(cause, "sqlstate", None)
    return code


def sqlite_file(url: sa.URL) -> Path | None:
    """The file of a SQLite URL; None for any other."""
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return Path(str(url.database)) if is_file else None


def _open_engine(url: str) -> sa.Engine:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(
            parsed, pool_pre_ping=True, pool_timeout=_REQUEST_PATIENCE_S, pool_size=5, max_overflow=15,
            connect_args=_patience(parsed),
        )  # fmt: skip
    file = sqlite_file(parsed)
    if file is not None:
        try:
            make_private_file(file)
        except OSError as error:
            raise DatabaseUnavailable(f"{file} cannot be written: {error.strerror}") from error
    # Writers that wait their turn must not take the connections from those who only read.
    pool = {} if file is None else {"pool_size": 20, "max_overflow": 60, "pool_timeout": _REQUEST_PATIENCE_S}
    engine = sa.create_engine(parsed, connect_args={"timeout": _BUSY_TIMEOUT_S}, **pool)
    sa.event.listen(engine, "connect", _set_pragmas)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _patience(url: sa.URL) -> dict[str, str | int]:
    """How long PostgreSQL may keep us waiting; what the URL says itself is left alone.

    A server that stands still within a transaction loses it: others may wait for its locks.
    """
    limits = {"statement_timeout": 60, "idle_in_transaction_session_timeout": 5, "lock_timeout": int(_BUSY_TIMEOUT_S)}
    wanted: dict[str, str | int] = {
        "connect_timeout": 5, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3,
        "tcp_user_timeout": 10_000, "options": " ".join(f"-c {name}={one}s" for name, one in limits.items()),
    }  # fmt: skip
    return {name: value for name, value in wanted.items() if name not in url.query}


def check(database: Database) -> None:
    """Raise DatabaseDamaged, with a way out, for a SQLite file that is not whole."""
    file = database.file
    if file is None:
        return
    try:
        with database.read() as connection:
            found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA quick_check(3)")]
    except DatabaseUnavailable as error:
        found = [str(getattr(error.__cause__, "orig", error.__cause__))]
    if found != ["ok"]:
        raise DatabaseDamaged(f"{file} cannot be read ({'; '.join(found)[:200]}). {_way_out(file)}")


def _way_out(file: Path) -> str:
    copies = [*file.parent.glob(f"{file.name}*.bak"), *file.parent.glob("backups/*")]
    newest = max((path for path in copies if path.is_file()), key=lambda path: path.stat().st_mtime, default=None)
    restore = f"restore a back-up of {file.parent} (docs/deploy.md)" if newest is None else f"put {newest} in its place"
    return (
        f"Stop every server of this home, then {restore}; `sqlite3 {file} .recover` saves what can be read. "
        f"To begin anew, move {file.name} away together with its -wal and -shm files: "
        "videos and clips stay, jobs, cameras and keys do not"
    )


def migrate(database: Database) -> None:
    """Bring the schema up to this version; raises DatabaseNewer, DatabaseDamaged."""
    # Imported here: workers know the tables too, and never migrate.
    import alembic.command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    check(database)
    with database.write() as connection:
        if database.is_shared:
            # Of several servers that start at once one makes the changes, and the others wait for it.
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_MIGRATION_S}s'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
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
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    # A writer that began as a reader would meet "database is locked" at once when it turns; one that begins as a
    # writer waits its turn.
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(1000 * PATIENCE_S.get())}")
    is_reader = connection.get_execution_options().get("actogram_reader", False)
    connection.exec_driver_sql("BEGIN" if is_reader else "BEGIN IMMEDIATE")
