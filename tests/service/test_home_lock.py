"""One server per home: the second is told who is there, and touches nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from service.errors import HomeInUse, HomeUnusable
from service.home_lock import HomeLock
from service.settings import load_settings
from tests.service.test_serve import Server, actogram

_HOLD = """
import sys, time
from pathlib import Path
from service.home_lock import HomeLock
from service.settings import load_settings
HomeLock(load_settings(home=Path(sys.argv[1]))).acquire()
print("held", flush=True)
time.sleep(600)
"""


def test_second_lock_names_the_home_and_the_process(tmp_path: Path) -> None:
    with HomeLock(load_settings(home=tmp_path)), pytest.raises(HomeInUse) as caught:
        HomeLock(load_settings(home=tmp_path)).acquire()

    assert str(tmp_path) in str(caught.value)
    assert f"pid {os.getpid()} " in str(caught.value)


def test_lock_holds_through_another_name_of_the_same_home(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "home")

    with HomeLock(load_settings(home=tmp_path / "home")), pytest.raises(HomeInUse):
        HomeLock(load_settings(home=tmp_path / "link")).acquire()


def test_lock_guards_a_database_that_two_homes_share(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared' / 'x.sqlite3'}"
    first = HomeLock(load_settings(home=tmp_path / "one", database_url=url))
    second = HomeLock(load_settings(home=tmp_path / "two", database_url=url))

    with first, pytest.raises(HomeInUse, match=r"database .*x\.sqlite3 is in use"):
        second.acquire()


def test_lock_can_be_taken_again_once_it_is_released(tmp_path: Path) -> None:
    lock = HomeLock(load_settings(home=tmp_path))

    lock.acquire()
    lock.acquire()
    lock.release()
    lock.release()

    with HomeLock(load_settings(home=tmp_path)):
        pass


def test_lock_of_a_killed_process_holds_nobody_up(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", _HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"

    with pytest.raises(HomeInUse, match=f"pid {holder.pid} "):
        HomeLock(load_settings(home=tmp_path)).acquire()
    holder.send_signal(signal.SIGKILL)
    holder.wait(10)
    holder.stdout.close()

    with HomeLock(load_settings(home=tmp_path)):
        pass


def test_home_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("not a folder")

    with pytest.raises(HomeUnusable, match=r"home .*cannot be written"):
        HomeLock(load_settings(home=tmp_path / "home")).acquire()


@pytest.mark.slow
def test_second_server_ends_and_leaves_the_first_its_uploads_and_jobs(tmp_path: Path) -> None:
    with Server(tmp_path) as first:
        path = first.run(b"script frames 400 pause 0.02")
        arriving = tmp_path / "blobs" / "incoming" / "job_x.part"
        arriving.write_bytes(b"half of a video")

        second = actogram(tmp_path, "serve", "--port", "0")
        keys = actogram(tmp_path, "keys", "list")

        assert second.exit_code == 2
        assert second.stderr.splitlines()[-1].startswith(f"actogram: home_in_use: home {tmp_path} is in use by another")
        assert f"pid {first.process.pid} " in second.stderr
        assert arriving.read_bytes() == b"half of a video"
        assert keys.exit_code == 0
        assert first.http.get(path).json()["state"] == "running"
        first.wait_for(path, '"succeeded"')
        assert first.http.get(path).json()["attempts"] == 1
