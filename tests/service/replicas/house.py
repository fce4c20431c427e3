"""Servers as processes of their own on one PostgreSQL database and one S3 bucket."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.s3 import Bucket

Told = dict[str, object]
_START_S = 60.0
_KEY = "one secret for both of them"


@dataclass
class Served:
    """One server's process."""

    process: "subprocess.Popen[str]"
    said: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=20)

    def get(self, path: str) -> Told:
        with self.http as http:
            found: Told = http.get(path).json()
            return found

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def placed(self) -> int:
        """How many streams its workers have."""
        workers = self.get("/healthz")["workers"]
        assert isinstance(workers, list)
        return sum(one["tasks"].get("stream", 0) for one in workers)


@dataclass
class House:
    """A database and a bucket, and servers on them."""

    folder: Path
    database_url: str
    bucket: Bucket
    stack: ExitStack

    def serve(self, name: str, **more: str) -> Served:
        environment = {
            **os.environ, **self.bucket.environment, "ACTOGRAM_HOME": str(self.folder / name),
            "ACTOGRAM_DATABASE_URL": self.database_url, "ACTOGRAM_BLOBS_URL": self.bucket.url,
            "ACTOGRAM_SECRET_KEY": _KEY, "ACTOGRAM_STREAM_SCHEMES": "rtsp,push",
            "ACTOGRAM_WEBHOOK_NETWORKS": "loopback", **more,
        }  # fmt: skip
        command = [sys.executable, "-m", "tests.service.replicas.server", str(free_port())]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            cwd=Path(__file__).parents[3],
        )  # fmt: skip
        served = Served(process)
        reader = threading.Thread(target=_read, args=(served,), daemon=True)
        reader.start()
        self.stack.callback(_end, served, reader)
        until(lambda: bool(served.url) or process.poll() is not None, _START_S)
        assert served.url, "\n".join(served.said)
        until(lambda: served.get("/readyz").get("ready") is True, _START_S)
        return served


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _read(served: Served) -> None:
    assert served.process.stdout is not None
    for line in served.process.stdout:
        served.said.append(line.rstrip())
        found = re.search(r"Actogram is at (http://\S+)", line)
        if found:
            served.url = found[1]


def _end(served: Served, reader: threading.Thread) -> None:
    with contextlib.suppress(ProcessLookupError):
        served.process.send_signal(signal.SIGTERM)
    try:
        served.process.wait(25)
    except subprocess.TimeoutExpired:
        served.process.kill()
        served.process.wait(5)
    reader.join(5)
    assert served.process.stdout is not None
    served.process.stdout.close()


def until(is_so: Callable[[], bool], timeout_s: float) -> float:
    """Wait for it, and say how long it took, seconds; fails when it does not come."""
    began_s = time.monotonic()
    while time.monotonic() - began_s < timeout_s:
        with contextlib.suppress(httpx.HTTPError):
            if is_so():
                return time.monotonic() - began_s
        time.sleep(0.05)
    raise AssertionError(f"not within {timeout_s} s")


def add(served: Served, name: str) -> None:
    with served.http as http:
        http.post("/v1/streams", json={"name": name, "source": {"uri": "rtsp://192.0.2.1/x"}}).raise_for_status()


@contextlib.contextmanager
def channel(served: Served, **wanted: object) -> Iterator[ClientConnection]:
    with connect(served.url.replace("http", "ws") + "/v1/ws", open_timeout=20) as opened:
        opened.send(json.dumps({"type": "subscribe", "messages": ["action", "stream"], **wanted}))
        yield opened


def read(opened: ClientConnection, seconds: float) -> list[Told]:
    """What has a number, for so long."""
    found, until_s = [], time.monotonic() + seconds
    while time.monotonic() < until_s:
        with contextlib.suppress(TimeoutError):
            message: Told = json.loads(opened.recv(timeout=0.2))
            if message["type"] not in ("subscribed", "heartbeat"):
                found.append(message)
    return found


def data(message: Told) -> Told:
    """What a message says."""
    found = message["data"]
    assert isinstance(found, dict)
    return found


def events(served: Served) -> list[Told]:
    """Every event."""
    found: list[Told] = []
    cursor: object = None
    while True:
        page = served.get(f"/v1/events?limit=500{f'&cursor={cursor}' if cursor else ''}")
        assert isinstance(page["items"], list)
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found
