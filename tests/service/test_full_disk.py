"""On a disk that is full to the last byte, old things go and DELETE works: with the room that was kept, and without."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.errors import StorageFull
from service.reserve import DiskReserve
from service.retention import Janitor, Sweep
from tests.fakes import ThreadEngine
from tests.service.conftest import Running, running

_DISK_BYTES = 96 * 2**20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a disk of its own")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> None:
    """Leave not one byte free."""
    for index in range(100):
        with (disk / f"filler{index}").open("wb") as file:
            try:
                while True:
                    file.write(b"x" * 2**16)
                    file.flush()
            except OSError:
                pass
        if os.statvfs(disk).f_bavail == 0:
            return
    raise AssertionError("the disk is not full")


def janitor_of(service: Running) -> Janitor:
    found = service.app.state.parts[Janitor]
    assert isinstance(found, Janitor)
    return found


def jobs(service: Running) -> list[str]:
    return [str(job["job_id"]) for job in service.http.get("/v1/jobs").json()["items"]]


@pytest.mark.parametrize("has_reserve", [True, False], ids=["room was kept", "no room left"])
def test_old_jobs_go_from_a_full_disk(small_disk: Path, has_reserve: bool) -> None:
    with running(small_disk / "home", ThreadEngine(), retention_jobs_max=1) as service:
        made = [service.create("script frames 1 " + "x" * 2**20) for _ in range(3)]
        for job_id in made:
            service.wait(job_id)
        if not has_reserve:
            (small_disk / "home" / "reserve").unlink()
        fill(small_disk)

        gone = janitor_of(service).sweep()

        assert gone["jobs"] == 2
        assert jobs(service) == made[2:]
        assert not (small_disk / "home" / "blobs" / "jobs" / made[0]).exists()


def test_job_is_deleted_from_a_full_disk_without_any_room_left(small_disk: Path) -> None:
    with running(small_disk / "home", ThreadEngine()) as service:
        job_id = service.create("script frames 1 " + "x" * 2**20)
        service.wait(job_id)
        (small_disk / "home" / "reserve").unlink()
        fill(small_disk)

        answer = service.http.delete(f"/v1/jobs/{job_id}")

        assert answer.status_code == 204
        assert jobs(service) == []


def test_room_is_kept_again_once_there_is_some(small_disk: Path) -> None:
    reserve = DiskReserve(small_disk / "reserve")
    reserve.fill()
    janitor = Janitor((Sweep("things", _Full(2)),), reserve=reserve)

    gone = janitor.sweep()

    assert gone == {}
    assert (small_disk / "reserve").exists()


def test_sweep_of_a_full_disk_runs_again_with_the_room_that_was_kept(tmp_path: Path) -> None:
    reserve = DiskReserve(tmp_path / "reserve")
    reserve.fill()
    full = _Full(1)

    gone = Janitor((Sweep("things", full),), reserve=reserve).sweep()

    assert gone == {"things": 7}
    assert full.num_runs == 2


class _Full:
    """A sweep that finds the disk full for the first runs."""

    def __init__(self, num_full: int) -> None:
        self.num_runs = 0
        self._num_full = num_full

    def __call__(self) -> int:
        self.num_runs += 1
        if self.num_runs <= self._num_full:
            raise StorageFull("no room")
        return 7
