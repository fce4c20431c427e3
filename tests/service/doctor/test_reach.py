"""What is said of the database and of the broker, by kind of fault."""

import importlib.util
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.database import Database, migrate
from service.doctor.findings import Finding
from service.doctor.reach import check_broker, check_database
from service.settings import load_settings


def _database(home: Path, url: str | None = None) -> Finding:
    (found,) = check_database(load_settings(home=home, database_url=url))
    return found


def _broker(url: str | None) -> Finding:
    (found,) = check_broker(load_settings(mqtt_url=url))
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a database of this version."""
    database = Database(f"sqlite:///{tmp_path}/actogram.sqlite3")
    migrate(database)
    database.close()
    return tmp_path


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where somebody listens and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@pytest.fixture
def closed() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_database_that_is_not_there_yet_is_no_fault_and_is_not_made(tmp_path: Path) -> None:
    found = _database(tmp_path)

    assert (found.state, found.advice) == ("ok", "")
    assert list(tmp_path.iterdir()) == []


def test_whole_database_of_this_version_is_well(home: Path) -> None:
    found = _database(home)

    assert found.state == "ok"
    assert "is whole" in found.found


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_damaged_database_is_bad_with_a_way_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "actogram.sqlite3").write_bytes(content)

    found = _database(tmp_path)

    assert found.state == "bad"
    assert "restore a back-up" in found.advice


def test_page_that_was_overwritten_is_found(home: Path) -> None:
    file = home / "actogram.sqlite3"
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(b"\xaa" * (file.stat().st_size - 4096))

    assert _database(home).state == "bad"


def test_database_of_a_newer_version_is_bad(home: Path) -> None:
    with sqlite3.connect(home / "actogram.sqlite3") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from-the-future'")
    connection.close()

    found = _database(home)

    assert found.state == "bad"
    assert "newer version of Actogram wrote it (from-the-future)" in found.found


def test_database_that_a_server_uses_is_well(home: Path) -> None:
    database = Database(f"sqlite:///{home}/actogram.sqlite3")
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")

        assert _database(home).state == "ok"
    database.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("no address: hunter2", "ACTOGRAM_DATABASE_URL is no address"),
        ("mysql://me:hunter2@db/actogram", "mysql is no database that Actogram knows"),
        ("postgresql+nodriver://me:hunter2@db:5433/x", "PostgreSQL at db:5433: the driver nodriver is not installed"),
    ],
)
def test_database_url_that_cannot_work_is_bad_and_its_password_not_shown(tmp_path: Path, url: str, words: str) -> None:
    found = _database(tmp_path, url)

    assert (found.state, found.found) == ("bad", words)
    assert "hunter2" not in found.advice


@pytest.mark.skipif(importlib.util.find_spec("psycopg") is None, reason="the extra `postgres` is not installed")
def test_postgresql_that_does_not_answer_is_bad_within_seconds(tmp_path: Path, silent: int) -> None:
    began_s = time.monotonic()

    found = _database(tmp_path, f"postgresql+psycopg://me:hunter2@127.0.0.1:{silent}/actogram")

    assert found.state == "bad"
    assert time.monotonic() - began_s < 8


def test_no_broker_is_no_fault() -> None:
    assert _broker(None).state == "ok"


@pytest.mark.parametrize("url", ["http://me:hunter2@broker", "mqtt://", "mqtt://me:hunt/er2@broker:x"])
def test_broker_url_that_is_none_is_bad_and_not_repeated(url: str) -> None:
    found = _broker(url)

    assert found.state == "bad"
    assert "er2" not in found.found


def test_broker_that_is_not_there_is_bad(closed: int) -> None:
    found = _broker(f"mqtt://127.0.0.1:{closed}")

    assert (found.state, found.found) == ("bad", f"127.0.0.1:{closed}: Connection refused")


def test_broker_whose_host_is_not_known_is_bad() -> None:
    found = _broker("mqtt://broker.invalid")

    assert found.state == "bad"
    assert found.found.startswith("broker.invalid:1883: ")


def test_broker_that_never_answers_is_bad_within_seconds(silent: int) -> None:
    began_s = time.monotonic()

    found = _broker(f"mqtt://127.0.0.1:{silent}")

    assert found.state == "bad"
    assert "no answer" in found.found
    assert time.monotonic() - began_s < 8


def test_broker_without_tls_is_told_where_tls_is_asked_for(running: int) -> None:
    found = _broker(f"mqtts://127.0.0.1:{running}")

    assert found.state == "bad"


def test_broker_that_takes_us_is_well(running: int) -> None:
    found = _broker(f"mqtt://me:hunter2@127.0.0.1:{running}")

    assert (found.state, found.found) == ("ok", f"127.0.0.1:{running} takes our connection")


@pytest.fixture
def running(tmp_path: Path, closed: int) -> Iterator[int]:
    """A mosquitto that takes `me` with the password `hunter2` and nobody else."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    maker = shutil.which("mosquitto_passwd")
    if program is None or maker is None:
        pytest.skip("mosquitto is not installed")
    users, config = tmp_path / "users", tmp_path / "mosquitto.conf"
    subprocess.run([maker, "-b", "-c", users, "me", "hunter2"], check=True, capture_output=True)
    config.write_text(f"listener {closed} 127.0.0.1\nallow_anonymous false\npassword_file {users}\nuser root\n")
    with subprocess.Popen([program, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until_s = time.monotonic() + 10
        while time.monotonic() < until_s:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", closed)) == 0:
                    break
            time.sleep(0.02)
        yield closed
        process.kill()


def test_broker_that_refuses_the_password_is_bad(running: int) -> None:
    found = _broker(f"mqtt://me:wrong-one@127.0.0.1:{running}")

    assert found.state == "bad"
    assert "refused: " in found.found
    assert "wrong-one" not in found.found
