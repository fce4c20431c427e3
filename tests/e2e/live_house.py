"""The whole product as a process of its own, with real workers, and ears at its live channel."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

Told = dict[str, object]
_PATIENCE_S = 300.0
_START = re.compile(r"Actogram is at (http://\S+)")


class House:
    """One home folder and the server in it, which may be killed and started again on the same port.

    environment: variables of the process besides its own settings.
    """

    def __init__(
        self, home: Path, weights: Path, environment: Mapping[str, str] = MappingProxyType({}), **settings: str
    ) -> None:
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ACTOGRAM_")},
            "ACTOGRAM_HOME": str(home), "ACTOGRAM_WEIGHTS": str(weights),
            "ACTOGRAM_DISK_RESERVE_BYTES": "0", "ACTOGRAM_STREAM_NETWORKS": "loopback,private",
            "ACTOGRAM_WEBHOOK_NETWORKS": "loopback",
            "ACTOGRAM_STREAM_FPS_BUDGET": "1000", "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1",
            **{f"ACTOGRAM_{name.upper()}": value for name, value in settings.items()}, **environment,
        }  # fmt: skip
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.process.kill()
            self.process.wait(30)
            self.http.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        self.http.close()

    @property
    def log(self) -> str:
        return (self.home / "log").read_text()

    def start(self) -> None:
        """Serve, and wait until the workers are warm."""
        self.home.mkdir(parents=True, exist_ok=True)
        _share_cache(self.home)
        with (self.home / "log").open("a") as log:
            command = [sys.executable, "-c", "from service.cli import main; main()", "serve", "--port", str(self.port)]
            self.process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        self.until(self._is_ready)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    def kill(self) -> None:
        """SIGKILL the web process, and wait until its workers have noticed."""
        workers = [int(str(worker["pid"])) for worker in self.workers() if worker["pid"]]
        self.process.kill()
        self.process.wait(30)
        self.until(lambda: not any(_is_alive(pid) for pid in workers))

    def kill_worker(self, name: str = "w0") -> None:
        """SIGKILL one worker."""
        os.kill(next(int(str(one["pid"])) for one in self.workers() if one["name"] == name), signal.SIGKILL)

    def workers(self) -> list[Told]:
        found: list[Told] = self.http.get("/healthz").json()["workers"]
        return found

    def add(self, name: str, uri: str, **parts: object) -> str:
        answer = self.http.post("/v1/streams", json={"name": name, "source": {"uri": uri}, **parts})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["stream_id"])

    def status(self, stream_id: str) -> dict[str, object]:
        found: dict[str, object] = self.http.get(f"/v1/streams/{stream_id}/status").json()
        return found

    def events(self, stream_id: str) -> list[dict[str, object]]:
        found: list[dict[str, object]] = self.http.get(f"/v1/events?stream={stream_id}&limit=500").json()["items"]
        return found

    def until(self, is_so: Callable[[], bool], patience_s: float = _PATIENCE_S) -> float:
        """Wait until something is so; returns the seconds that it took, fails when it never is."""
        began_s = time.monotonic()
        while not is_so():
            assert self.process.poll() is None or self.process.returncode == -signal.SIGKILL, self.log[-3000:]
            assert time.monotonic() - began_s < patience_s, f"never came so\n{self.log[-3000:]}"
            time.sleep(0.05)
        return time.monotonic() - began_s

    def _is_ready(self) -> bool:
        try:
            return self.http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False


class Ear:
    """A client that listens to everything and resumes by itself, as clients should."""

    def __init__(self, house: House, *families: str, since_seq: int = 0) -> None:
        self.told: list[Told] = []
        self._url = f"ws://127.0.0.1:{house.port}/v1/ws"
        self._families = list(families) or ["action", "track", "stream", "clip"]
        self._since = since_seq
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)

    def of(self, kind: str, stream_id: str | None = None, action: str | None = None) -> list[Told]:
        return [
            one for one in list(self.told)
            if one["type"] == kind
            and stream_id in (None, one["stream_id"])
            and (action is None or data_of(one).get("action") == action)
        ]  # fmt: skip

    def _run(self) -> None:
        while not self._over.wait(0.05):
            try:
                self._listen()
            except (OSError, WebSocketException, TimeoutError):
                continue

    def _listen(self) -> None:
        with connect(self._url, open_timeout=10, close_timeout=1) as live:
            wanted = {"type": "subscribe", "messages": self._families, "since_seq": self._since}
            live.send(json.dumps(wanted))
            while not self._over.is_set():
                try:
                    told: Told = json.loads(live.recv(timeout=0.2))
                except TimeoutError:
                    continue
                self._since = max(self._since, int(str(told["seq"])))
                self.told.append(told)


def data_of(told: Mapping[str, object]) -> Mapping[str, object]:
    """A message's data."""
    data = told["data"]
    assert isinstance(data, dict)
    return data


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _share_cache(home: Path) -> None:
    """Files that were fetched once serve every home of the tests."""
    cache = Path.home() / ".actogram" / "weights"
    cache.mkdir(parents=True, exist_ok=True)
    if not (home / "weights").exists():
        (home / "weights").symlink_to(cache)
