"""What goes wrong in a chaos run: each fault happens, lasts a while, and is over when its function returns."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from tests.chaos.scene import OTHER_CLIP, Scene, WildFootage
from tests.rtsp_server import RtspServer

Fault = Callable[[Scene], str]
"""Makes the trouble and returns what was done, in words."""

_DATABASE = "actogram.sqlite3"


def kill_worker(scene: Scene) -> str:
    """SIGKILL one of the workers."""
    worker = scene.random.choice([one for one in scene.house.workers() if one["pid"]])
    os.kill(int(str(worker["pid"])), signal.SIGKILL)
    return f"killed worker {worker['name']}"


def kill_server(scene: Scene) -> str:
    """SIGKILL the web process, and start it again."""
    scene.house.kill()
    scene.house.start()
    return "killed the web process and started it again"


def kill_child(scene: Scene) -> str:
    """SIGKILL any process below the server: workers, readers, helpers."""
    pid = scene.random.choice(sorted(scene.children()))
    os.kill(pid, signal.SIGKILL)
    return "killed a child process"


def hold_worker(scene: Scene) -> str:
    """SIGSTOP a worker for some seconds."""
    worker = scene.random.choice([one for one in scene.house.workers() if one["pid"]])
    seconds = scene.random.uniform(1, 8)
    scene.stop_and_continue(int(str(worker["pid"])), seconds)
    return f"held worker {worker['name']} for {seconds:.1f} s"


def hold_server(scene: Scene) -> str:
    """SIGSTOP the web process for some seconds."""
    seconds = scene.random.uniform(1, 8)
    scene.stop_and_continue(scene.house.process.pid, seconds)
    return f"held the web process for {seconds:.1f} s"


def flap_camera(scene: Scene) -> str:
    """A camera that goes and comes some times."""
    camera, times = _camera(scene), scene.random.randrange(2, 6)
    for _ in range(times):
        camera.go_away()
        time.sleep(scene.random.uniform(0.1, 1.5))
        camera.come_back()
        time.sleep(scene.random.uniform(0.1, 2.0))
    return f"a camera went and came {times} times"


def freeze_camera(scene: Scene) -> str:
    """A camera that keeps its connection and sends nothing."""
    camera, seconds = _camera(scene), scene.random.uniform(2, 12)
    camera.stall()
    time.sleep(seconds)
    camera.flow()
    return f"a camera froze for {seconds:.1f} s"


def corrupt_camera(scene: Scene) -> str:
    """A camera whose packets are damaged on their way."""
    camera, every = _camera(scene), scene.random.randrange(3, 40)
    camera.corrupt_every = every
    time.sleep(5)
    camera.corrupt_every = 0
    return f"every packet number {every} of a camera was damaged for 5 s"


def reorder_camera(scene: Scene) -> str:
    """A camera whose pictures come out of order."""
    return _trouble(scene, "reorder")


def jump_camera(scene: Scene) -> str:
    """A camera whose clock jumps forwards by a minute, again and again."""
    return _trouble(scene, "jump")


def change_camera(scene: Scene) -> str:
    """A camera that comes back with another size of picture, and then as it was."""
    camera = _camera(scene)
    was = camera.footage
    for footage in (WildFootage.of(scene.clips / f"{OTHER_CLIP}.mp4"), was):
        camera.footage = footage
        camera.drop()
        time.sleep(4)
    return "a camera came back with another size, and again with its own"


def fill_disk(scene: Scene) -> str:
    """No byte is left for some seconds; then the space is back."""
    if not scene.is_small_disk:
        return "skipped: no small disk can be mounted here"
    filler = scene.home / "filler"
    try:
        with filler.open("wb") as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 2**20)
        scene.upload()
        time.sleep(4)
    finally:
        filler.unlink()
    return "the disk was full for 4 s"


def lock_database(scene: Scene) -> str:
    """Somebody else holds the database's write lock for some seconds."""
    seconds = scene.random.uniform(2, 12)
    with contextlib.closing(sqlite3.connect(scene.home / _DATABASE, timeout=10, isolation_level=None)) as database:
        database.execute("begin immediate")
        time.sleep(seconds)
        database.execute("rollback")
    return f"the database was locked for {seconds:.1f} s"


def damage_database(scene: Scene) -> str:
    """The file is damaged while the server is off: it must say so in words; with a back-up it starts again."""
    scene.house.stop()
    database = scene.home / _DATABASE
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    whole = database.read_bytes()
    _scatter(scene, database)
    is_refused, already_said = False, len(scene.house.log)
    try:
        scene.house.start()
        scene.house.stop()
    except AssertionError:
        is_refused = True
    said = scene.house.log[already_said:]
    for leftover in scene.home.glob(f"{_DATABASE}-*"):
        leftover.unlink()
    database.write_bytes(whole)
    scene.house.start()
    if not is_refused or "Traceback" in said:
        raise RuntimeError(f"a damaged database was not refused in words (refused: {is_refused}): {said[-2500:]}")
    return "the database was damaged, refused in words, and put back"


def silence_receiver(scene: Scene) -> str:
    """The webhook's receiver is away for some seconds."""
    seconds = scene.random.uniform(3, 15)
    scene.receiver.go_away()
    time.sleep(seconds)
    scene.receiver.come_back()
    return f"the receiver was away for {seconds:.1f} s"


def stuck_clients(scene: Scene) -> str:
    """Clients that subscribe to everything and never read, and clients that send half a request."""
    number = scene.random.randrange(20, 80)
    open_: list[socket.socket] = []
    try:
        for _ in range(number):
            connection = socket.create_connection(("127.0.0.1", scene.house.port), timeout=10)
            connection.sendall(b"GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            open_.append(connection)
        time.sleep(3)
        scene.house.http.get("/healthz").raise_for_status()
    finally:
        for connection in open_:
            connection.close()
    return f"{number} clients sent half a request"


def many_clients(scene: Scene) -> str:
    """More listeners than are served: the rest is told to come again."""
    served = 0
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            with contextlib.suppress(OSError, WebSocketException, TimeoutError):
                live: ClientConnection = stack.enter_context(
                    connect(f"ws://127.0.0.1:{scene.house.port}/v1/ws", open_timeout=10, close_timeout=0.1)
                )
                live.send(json.dumps({"type": "subscribe", "messages": ["frame"]}))
                served += 1
        scene.house.http.get("/healthz").raise_for_status()
    return f"300 listeners came, {served} were served"


def burst_of_jobs(scene: Scene) -> str:
    """Many videos at once, some of them cut while they are sent."""
    whole, cut = scene.random.randrange(2, 6), scene.random.randrange(3, 20)
    for _ in range(cut):
        with contextlib.suppress(OSError):
            scene.upload(is_whole=False)
    for _ in range(whole):
        with contextlib.suppress(httpx.HTTPError):
            scene.upload()
    return f"{whole} videos came, and {cut} that were cut"


def jump_clock(scene: Scene) -> str:
    """The machine's wall clock jumps and comes back, as when a time server corrects it."""
    if not scene.clock.is_there:
        return "skipped: no C compiler to make the clock with"
    hours = scene.random.choice([-3, -1, 1, 26])
    scene.clock.shift(hours * 3600)
    time.sleep(4)
    scene.clock.shift(0)
    return f"the clock jumped by {hours} hours and back"


FAULTS: dict[str, Fault] = {
    one.__name__: one
    for one in (
        kill_worker, kill_server, kill_child, hold_worker, hold_server, flap_camera, freeze_camera, corrupt_camera,
        reorder_camera, jump_camera, change_camera, fill_disk, lock_database, damage_database, silence_receiver,
        stuck_clients, many_clients, burst_of_jobs, jump_clock,
    )
}  # fmt: skip


def _camera(scene: Scene) -> RtspServer:
    return scene.random.choice(list(scene.cameras.values()))


def _trouble(scene: Scene, kind: str) -> str:
    footage = _camera(scene).footage
    assert isinstance(footage, WildFootage)
    footage.trouble[0] = "reorder" if kind == "reorder" else "jump"
    time.sleep(8)
    footage.trouble[0] = "none"
    return f"the pictures of a camera: {kind}, for 8 s"


def _scatter(scene: Scene, path: Path) -> None:
    """Overwrite the middle of a file with noise."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        for _ in range(40):
            file.seek(scene.random.randrange(100, max(101, size - 600)))
            file.write(scene.random.randbytes(500))
    subprocess.run(["sync"], check=False)
