"""The scene of a chaos run: a real server, cameras that can go wrong, a listener, a receiver and uploads."""

import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal, Self

import httpx

from tests.chaos.clock import WallClock
from tests.e2e.live_house import Ear, House, Told
from tests.rtsp_server import Footage, RtspServer, Unit

Trouble = Literal["none", "reorder", "jump"]
CAMERA_CLIPS = ("upfall_a1_t1_c1", "upfall_a6_t1_c1")
OTHER_CLIP = "urfd_fall-01_rgb"
JOB_CLIP = "urfd_adl-01_rgb"
HOME_BYTES = 1_500 * 2**20


@dataclass(frozen=True)
class WildFootage(Footage):
    """A clip whose pictures can be sent out of order, or with times that jump by a minute.

    trouble: what is wrong now, in a list of one so that it may change while the clip is sent.
    """

    trouble: list[Trouble] = field(default_factory=lambda: ["none"])

    @classmethod
    def of(cls, path: Path) -> "WildFootage":
        plain = Footage.load(path)
        return cls(plain.parameter_sets, plain.units, plain.duration_s)

    def iter_live(self, loops: bool) -> Iterator[Unit]:
        shift_s, held = 0.0, None
        for number, unit in enumerate(super().iter_live(loops)):
            trouble = self.trouble[0]
            if trouble == "jump" and number % 40 == 0:
                shift_s += 60.0
            now = replace(unit, time_s=unit.time_s + shift_s)
            if trouble == "reorder" and held is None and number % 5 == 0:
                held = now
                continue
            yield now
            if held is not None:
                yield held
                held = None


class Receiver:
    """A webhook's receiver on a port that stays its own; it can be switched off."""

    def __init__(self) -> None:
        self.got: list[Told] = []
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.come_back()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/hook"

    def come_back(self) -> None:
        """Listen, on the same port as before."""
        got = self.got

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def go_away(self) -> None:
        """Close the port."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()


class Scene:
    """Everything of one run; `random` decides all that is left to chance, so that a seed repeats it."""

    def __init__(self, folder: Path, data: Path, weights: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.clips = data / "video"
        self.home = folder / "home"
        self.is_small_disk = _mount(self.home)
        self.cameras: dict[str, RtspServer] = {}
        self.receiver = Receiver()
        self.jobs: list[str] = []
        self._stack = ExitStack()
        self.clock = WallClock(folder)
        self.house = House(self.home, weights, self.clock.environment, upload_idle_s="5", stream_stall_s="20")
        self.ear = Ear(self.house, "action", "track", "stream", "job")

    def __enter__(self) -> Self:
        self._stack.callback(_unmount, self.home, self.is_small_disk)
        self._stack.callback(self.receiver.go_away)
        self._stack.enter_context(self.house)
        self._stack.enter_context(self.ear)
        for clip in CAMERA_CLIPS:
            camera = self._stack.enter_context(RtspServer(WildFootage.of(self.clips / f"{clip}.mp4")))
            self.cameras[self.house.add(clip, camera.url, analysis={"fps": 8})] = camera
        hook = {"url": self.receiver.url, "messages": ["action"]}
        self.webhook = str(self._created("/v1/webhooks", hook)["webhook_id"])
        self.house.until(self.is_running)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def is_running(self) -> bool:
        """Whether every camera is watched, on a busy machine with too few pictures, and every worker ready."""
        try:
            states = [self.house.status(one)["state"] for one in self.cameras]
            workers = self.house.workers()
        except (httpx.HTTPError, KeyError, ValueError):
            return False
        return all(one in ("running", "degraded") for one in states) and all(
            one["state"] == "ready" and _parent(int(str(one["pid"]))) is not None for one in workers
        )

    def upload(self, is_whole: bool = True) -> None:
        """Send a video; where it is not whole the connection is cut somewhere."""
        content = (self.clips / f"{JOB_CLIP}.mp4").read_bytes()
        if is_whole:
            answer = self.house.http.post("/v1/jobs", files={"file": ("clip.mp4", content, "video/mp4")})
            if answer.status_code == 202:
                self.jobs.append(str(answer.json()["job_id"] if "job_id" in answer.json() else answer.json()["id"]))
            return
        _send_part(self.house.port, content, self.random.randrange(1, len(content)))

    def children(self) -> dict[int, str]:
        """Process → its command line, of everything that the server started, directly or not."""
        found: dict[int, str] = {}
        parents = {self.house.process.pid}
        table = [(pid, parent) for pid in _pids() if (parent := _parent(pid)) is not None]
        while True:
            more = {pid for pid, parent in table if parent in parents} - parents
            if not more:
                return found
            parents |= more
            found |= {pid: _command(pid) for pid in more}

    def stop_and_continue(self, pid: int, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after a while."""
        os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(pid, signal.SIGCONT)

    def _created(self, path: str, body: Mapping[str, object]) -> Told:
        answer = self.house.http.post(path, json=body)
        assert answer.status_code == 201, answer.text
        made: Told = answer.json()
        return made


def _mount(home: Path) -> bool:
    """A small disk of its own for the home folder, where this process may make one."""
    home.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={HOME_BYTES}", "tmpfs", str(home)]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0


def _unmount(home: Path, is_mounted: bool) -> None:
    if is_mounted:
        subprocess.run(["umount", "-l", str(home)], capture_output=True, check=False)


def _send_part(port: int, content: bytes, num_bytes: int) -> None:
    """An upload that ends after some bytes of its body."""
    head = (
        "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {len(content) + 200}\r\n\r\n"
        '--x\r\nContent-Disposition: form-data; name="file"; filename="cut.mp4"\r\n\r\n'
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head.encode() + content[:num_bytes])


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _parent(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[1])


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
