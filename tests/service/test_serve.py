"""The command: where it listens, what it refuses, and how it ends."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.database import Database
from service.jobs import store

_START = re.compile(r"Actogram is at (http://\S+)")


def _environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ACTOGRAM_")}
    return {**kept, "ACTOGRAM_HOME": str(home), "ACTOGRAM_DISK_RESERVE_BYTES": "0", "PYTHONUNBUFFERED": "1", **more}


def actogram(home: Path, *words: str, **more: str) -> Result:
    """What the command says and how it ends, with a home of its own."""
    gone = {name: None for name in os.environ if name.startswith("ACTOGRAM_")}
    return CliRunner().invoke(main, words, env={**gone, "ACTOGRAM_HOME": str(home), **more})


def _state(home: Path, path: str) -> str:
    database = Database(f"sqlite:///{home / 'actogram.sqlite3'}")
    with database.read() as connection:
        row = store.get(connection, path.rpartition("/")[2])
    database.close()
    assert row is not None
    return row.state


class Server:
    """The server with scripted workers, as a process of its own; gone at the end of the block."""

    def __init__(self, home: Path) -> None:
        with (home / "log").open("w") as log:
            command = [sys.executable, "-m", "tests.service.fake_server"]
            environment = _environment(home, ACTOGRAM_WORKERS="0")
            self.process = subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=log)
        assert self.process.stdout is not None
        self._output = self.process.stdout
        match = _START.search(self._output.readline())
        assert match is not None, (home / "log").read_text()
        self.http = httpx.Client(base_url=match[1], timeout=60)

    def __enter__(self) -> "Server":
        self.wait_for("/readyz", "warm")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(30)
        self.http.close()
        self._output.close()

    def wait_for(self, path: str, text: str) -> None:
        until = time.monotonic() + 90
        while text not in self.http.get(path).text:
            assert time.monotonic() < until
            time.sleep(0.05)

    def run(self, script: bytes) -> str:
        """A job's path, once it runs."""
        path = self.http.post("/v1/jobs", files={"file": ("a.mp4", script)}).headers["location"]
        self.wait_for(path, '"running"')
        return path


def test_first_signal_drains_and_the_next_start_goes_on(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        path = server.run(b"script frames 250 pause 0.02")
        server.process.send_signal(signal.SIGTERM)
        status = server.process.wait(20)
    state = _state(tmp_path, path)
    with Server(tmp_path) as again:
        again.wait_for(path, '"succeeded"')
        attempts = again.http.get(path).json()["attempts"]

    assert (status, state, attempts) == (0, "queued", 2)


def test_second_signal_ends_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        # Deaf to the drain, which would wait twelve seconds for it.
        path = server.run(b"script frames 2 pause 60")
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        status = server.process.wait(10)

    assert status == 128 + signal.SIGTERM
    assert _state(tmp_path, path) == "running"  # queued again by the next start


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
def test_serve_refuses_an_open_address_without_a_key(tmp_path: Path, host: str) -> None:
    found = actogram(tmp_path, "serve", "--host", host)

    assert found.exit_code == 2
    assert found.stderr.splitlines()[-1].startswith("actogram: unsafe_binding: ")


def test_serve_refuses_a_public_address_without_a_key(tmp_path: Path) -> None:
    found = actogram(tmp_path, "serve", ACTOGRAM_PUBLIC_URL="https://cameras.example.org")

    assert found.exit_code == 2
    assert found.stderr.splitlines()[-1].startswith("actogram: unsafe_binding: https://cameras.example.org is reached")


def test_serve_refuses_a_setting_that_does_not_exist(tmp_path: Path) -> None:
    found = actogram(tmp_path, "serve", ACTOGRAM_WROKERS="2")

    assert (found.exit_code, found.stderr.count("\n")) == (2, 1)
    assert "ACTOGRAM_WROKERS: no such setting" in found.stderr


def test_serve_names_the_setting_that_is_wrong_and_not_its_value(tmp_path: Path) -> None:
    found = actogram(tmp_path, "serve", ACTOGRAM_WORKERS="hunter2")

    assert (found.exit_code, found.stderr.count("\n")) == (2, 1)
    assert "ACTOGRAM_WORKERS" in found.stderr
    assert "hunter2" not in found.stderr


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    first = actogram(tmp_path, "keys", "ensure")
    again = actogram(tmp_path, "keys", "ensure")
    made = actogram(tmp_path, "keys", "create", "--role", "viewer", "--name", "wall display")
    listed = actogram(tmp_path, "keys", "list")
    key_id = made.stdout.split("_")[1]
    revoked = actogram(tmp_path, "keys", "revoke", key_id)
    missing = actogram(tmp_path, "keys", "revoke", key_id)

    assert "ak_" in first.stdout
    assert again.stdout == ""
    assert re.fullmatch(r"ak_[0-9a-f]{12}_[\w-]{43}\n", made.stdout)
    assert f"{key_id}  viewer" in listed.stdout
    assert made.stdout.strip().split("_", 2)[2] not in listed.stdout
    assert (revoked.exit_code, missing.exit_code) == (0, 2)
