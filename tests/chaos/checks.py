"""What must hold after every fault: nothing lost, nothing twice, nothing left behind, nothing grown."""

import contextlib
import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.scene import Scene
from tests.e2e.live_house import data_of

_DATABASE = "actogram.sqlite3"
_FINAL = ("succeeded", "failed", "cancelled")
_SETTLE_S = 240.0
_LATE_S = 60.0
_MORE_DESCRIPTORS = 24
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Weight:
    """What the server's processes hold.

    descriptors: open files of the web process.  rss_bytes: resident memory of the web process.
    """

    descriptors: int
    rss_bytes: int

    @classmethod
    def of(cls, scene: Scene) -> "Weight":
        pid = scene.house.process.pid
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return cls(len(list(Path(f"/proc/{pid}/fd").iterdir())), pages * _PAGE)


def settle(scene: Scene) -> float:
    """Wait until all is as before the fault: cameras run, jobs are final, all is delivered; returns the seconds."""
    began_s = time.monotonic()
    for what in (scene.is_running, lambda: _jobs_are_final(scene), lambda: _is_delivered(scene)):
        scene.house.until(what, _SETTLE_S)
    return time.monotonic() - began_s


def close_events(scene: Scene) -> None:
    """Pause the cameras, so that everything that is open ends, and wait until it is told."""
    for stream_id in scene.cameras:
        scene.house.http.patch(f"/v1/streams/{stream_id}", json={"enabled": False}).raise_for_status()
    # Until then a worker may still find people.
    scene.house.until(lambda: all(scene.house.status(one)["worker"] is None for one in scene.cameras), _SETTLE_S)
    scene.house.until(lambda: not _open_events(scene), _SETTLE_S)
    scene.house.until(lambda: _is_delivered(scene), _SETTLE_S)
    # What is not so in time is no reason to stop: the checks name it.
    with contextlib.suppress(AssertionError):
        scene.house.until(lambda: not _unheard(scene) and not _left_rows(scene), _LATE_S)


def resume(scene: Scene) -> None:
    """Watch the cameras again."""
    for stream_id in scene.cameras:
        scene.house.http.patch(f"/v1/streams/{stream_id}", json={"enabled": True}).raise_for_status()
    scene.house.until(scene.is_running, _SETTLE_S)


def broken_promises(scene: Scene, before: Weight) -> list[str]:
    """Every promise that does not hold now, in words; empty when all is well. Cameras must be paused."""
    checks: Sequence[Callable[[Scene], list[str]]] = (
        _numbers, _confirmed_events, _heard_events, _delivered_events, _orphan_processes, _left_files, _left_rows,
    )  # fmt: skip
    found = [fault for check in checks for fault in check(scene)]
    now = Weight.of(scene)
    if now.descriptors > before.descriptors + _MORE_DESCRIPTORS:
        found.append(f"{now.descriptors} open files, {before.descriptors} before")
    return found


def _rows(scene: Scene, query: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(scene.home / _DATABASE, timeout=30)) as database:
        return list(database.execute(query))


def _open_events(scene: Scene) -> list[object]:
    return [row[0] for row in _rows(scene, "select event_id from events where state in ('provisional', 'confirmed')")]


def _jobs_are_final(scene: Scene) -> bool:
    states = [row[0] for row in _rows(scene, "select state from jobs")]
    return all(state in _FINAL for state in states)


def _is_delivered(scene: Scene) -> bool:
    return bool(scene.house.http.get(f"/v1/webhooks/{scene.webhook}").json()["pending"] == 0)


def _logged(scene: Scene, kind: str) -> Counter[str]:
    rows = _rows(scene, f"select data from event_log where type = '{kind}'")
    return Counter(str(json.loads(str(data))["event_id"]) for (data,) in rows)


def _unheard(scene: Scene) -> set[str]:
    told = {str(data_of(one)["event_id"]) for kind in ("action.started", "action.ended") for one in scene.ear.of(kind)}
    return {event_id for kind in ("action.started", "action.ended") for event_id in _logged(scene, kind)} - told


def _numbers(scene: Scene) -> list[str]:
    numbers = [int(str(row[0])) for row in _rows(scene, "select seq from event_log order by seq")]
    is_whole = not numbers or numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return [] if is_whole else ["the log's numbers have holes"]


def _confirmed_events(scene: Scene) -> list[str]:
    ended = {str(row[0]) for row in _rows(scene, "select event_id from events where state = 'ended'")}
    found = []
    for kind in ("action.started", "action.ended"):
        logged = _logged(scene, kind)
        found += [f"{event_id}: no {kind} was logged" for event_id in ended - logged.keys()]
        found += [f"{event_id}: {kind} was logged {times} times" for event_id, times in logged.items() if times > 1]
    return found


def _heard_events(scene: Scene) -> list[str]:
    found = [f"{event_id}: the live channel never told it" for event_id in _unheard(scene)]
    for kind in ("action.started", "action.ended"):
        times = Counter(str(data_of(one)["event_id"]) for one in scene.ear.of(kind))
        found += [f"{event_id}: {kind} was told {number} times" for event_id, number in times.items() if number > 1]
    return found


def _delivered_events(scene: Scene) -> list[str]:
    found = []
    for kind in ("action.started", "action.ended"):
        got = {str(data_of(one)["event_id"]) for one in list(scene.receiver.got) if one["type"] == kind}
        found += [f"{event_id}: no {kind} reached the receiver" for event_id in _logged(scene, kind).keys() - got]
    return found


def _orphan_processes(scene: Scene) -> list[str]:
    workers = {int(str(one["pid"])) for one in scene.house.workers() if one["pid"]}
    family = {scene.house.process.pid, *scene.children()}
    home = str(scene.home).encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) in family or int(folder.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if b"ACTOGRAM_HOME=" + home in (folder / "environ").read_bytes():
                found.append(f"process {folder.name} has outlived its server")
    return found + [f"worker {pid} is no process" for pid in workers - family]


def _left_files(scene: Scene) -> list[str]:
    blobs = scene.home / "blobs"
    return [f"{path.relative_to(scene.home)} was left" for path in blobs.rglob("*.part") if path.is_file()]


def _left_rows(scene: Scene) -> list[str]:
    streams = {str(row[0]) for row in _rows(scene, "select stream_id from streams")}
    left = _rows(scene, "select stream_id, track_id, start_time from tracks where end_time is null")
    return [f"track {number} of {stream_id}, begun {at}, was never ended" for stream_id, number, at in left] + [
        f"{one} is in the house and not in the database" for one in set(scene.cameras) - streams
    ]
