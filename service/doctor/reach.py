"""What the server talks to: its database, and the broker where one is named."""

import importlib.util
import socket
import sqlite3
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import sqlalchemy as sa

from pipelines.errors import SourceError
from service.doctor.findings import Finding, one_line
from service.settings import Settings

if TYPE_CHECKING:
    from service.sinks.mqtt import BrokerAddress

_WAIT_S = 3.0
_RESTORE = (
    "stop every server of this home, then restore a back-up (docs/deploy.md); `sqlite3 FILE .recover` saves the rest"
)


def check_database(settings: Settings) -> Iterator[Finding]:
    """Whether it is whole, can be reached, and is of this version. Nothing is written."""
    try:
        url = sa.make_url(settings.database)
    except (sa.exc.ArgumentError, ValueError):
        advice = "expected postgresql+psycopg://user:password@host/name; escape @, :, / and # in the password"
        yield Finding("database", "bad", "ACTOGRAM_DATABASE_URL is no address", advice)
        return
    kind = url.get_backend_name()
    if kind == "sqlite":
        yield _sqlite(Path(url.database or ""))
    elif kind == "postgresql":
        yield _postgresql(url)
    else:
        advice = "expected sqlite:///file or postgresql+psycopg://user:password@host/name"
        yield Finding("database", "bad", f"{one_line(kind, 40)} is no database that Actogram knows", advice)


def _sqlite(file: Path) -> Finding:
    if not file.is_file():
        return Finding("database", "ok", f"{file} is made at the first start")
    try:
        connection = sqlite3.connect(f"file:{quote(str(file.resolve()))}?mode=ro", uri=True, timeout=_WAIT_S)
        try:
            told = [str(row[0]) for row in connection.execute("PRAGMA quick_check(1)")]
            revision = _revision(connection)
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            return Finding("database", "warn", f"{file} is held by another program", "see who holds it: `fuser FILE`")
        return Finding("database", "bad", one_line(f"{file}: {error}"), "see that this user may read and write it")
    except sqlite3.DatabaseError as error:
        return Finding("database", "bad", one_line(f"{file} is damaged: {error}"), _RESTORE)
    if told != ["ok"]:
        return Finding("database", "bad", one_line(f"{file} is damaged: {'; '.join(told)}"), _RESTORE)
    return _judged(f"{file} is whole, {file.stat().st_size / 2**20:.0f} MiB", revision)


def _revision(connection: sqlite3.Connection) -> str | None:
    has_table = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if has_table else None
    return None if row is None else str(row[0])


def _postgresql(url: sa.URL) -> Finding:
    shown = f"PostgreSQL at {url.host or 'this machine'}{f':{url.port}' if url.port else ''}"
    if importlib.util.find_spec(url.get_driver_name()) is None:
        advice = "install 'actogram[postgres]' and write postgresql+psycopg://"
        return Finding("database", "bad", f"{shown}: the driver {url.get_driver_name()} is not installed", advice)
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool, connect_args={"connect_timeout": int(_WAIT_S)})
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"SET statement_timeout = {int(1000 * _WAIT_S)}")
            has_table = sa.inspect(connection).has_table("alembic_version")
            revision = (
                connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() if has_table else None
            )
    except sa.exc.SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__)
        advice = "see that it runs, that its port is open to this machine, and name and password"
        return Finding("database", "bad", one_line(f"{shown} does not answer as it should: {reason}"), advice)
    finally:
        engine.dispose()
    return _judged(f"{shown} answers", None if revision is None else str(revision))


def _judged(shown: str, revision: str | None) -> Finding:
    """What is said of a database at that step of its schema."""
    from alembic.script import ScriptDirectory

    import service

    script = ScriptDirectory(Path(str(service.__file__)).parent / "migrations")
    if revision is None:
        return Finding("database", "ok", f"{shown}; empty, the first start fills it")
    if revision not in {known.revision for known in script.walk_revisions()}:
        advice = "run the newer version, or restore a back-up made with this one"
        return Finding("database", "bad", f"{shown}, but a newer version of Actogram wrote it ({revision})", advice)
    later = revision != script.get_current_head()
    return Finding("database", "ok", f"{shown}{'; the next start brings it to this version' if later else ''}")


def check_broker(settings: Settings) -> Iterator[Finding]:
    """Whether the broker takes a connection with the name and password that are set."""
    if settings.mqtt_url is None:
        yield Finding("broker", "ok", "none is set")
        return
    from service.sinks.mqtt import BrokerAddress
    from service.sources import broker_policy

    try:
        address = BrokerAddress.parse(settings.mqtt_url)
    except ValueError as error:
        yield Finding(
            "broker", "bad", one_line(f"ACTOGRAM_MQTT_URL: {error}"), "expected mqtt://user:password@host:port"
        )
        return
    shown = f"{address.host}:{address.port}"
    try:
        broker_policy().require_addresses(address.host, address.port)
        if address.is_tls:
            _shake_hands(address)
        refused = _connect(address, settings.mqtt_version)
    except SourceError as error:
        yield Finding("broker", "bad", one_line(f"{shown}: {error}"), "name a host that this machine can find")
        return
    except ssl.SSLError as error:
        advice = "see that the certificate is for this name and from an authority that this machine knows"
        yield Finding("broker", "bad", one_line(f"{shown}: TLS: {error.reason or error}"), advice)
        return
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        yield Finding("broker", "bad", one_line(f"{shown}: {reason}"), "see that it runs and that its port is open")
        return
    if refused is None:
        yield Finding("broker", "ok", f"{shown} takes our connection")
    else:
        yield Finding(
            "broker", "bad", one_line(f"{shown}: {refused}"), "see name and password, and ACTOGRAM_MQTT_VERSION"
        )


def _shake_hands(address: "BrokerAddress") -> None:
    """Raises SSLError where TLS fails; paho would leave its socket open."""
    context = ssl.create_default_context()
    with (
        socket.create_connection((address.host, address.port), timeout=_WAIT_S) as plain,
        context.wrap_socket(plain, server_hostname=address.host),
    ):
        return


def _connect(address: "BrokerAddress", version: int) -> str | None:
    """Connect and leave again; why the broker refuses, None where it does not. Raises OSError."""
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion
    from paho.mqtt.reasoncodes import ReasonCode

    answers: list[str | None] = []
    is_answered = threading.Event()

    def on_connect(_: paho.Client, __: object, ___: object, reason: ReasonCode, ____: object = None) -> None:
        answers.append(f"refused: {reason}" if reason.is_failure else None)
        is_answered.set()

    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5 if version == 5 else paho.MQTTv311)
    client.connect_timeout = _WAIT_S
    if address.username is not None:
        client.username_pw_set(address.username, address.password)
    if address.is_tls:
        client.tls_set()
    client.on_connect = on_connect
    client.connect(address.host, address.port)
    client.loop_start()
    try:
        if not is_answered.wait(_WAIT_S):
            return "a connection, but no answer: not an MQTT broker, or another version of MQTT"
        return answers[0]
    finally:
        client.disconnect()
        client.loop_stop()
