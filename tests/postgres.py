"""A PostgreSQL server of a test's own, where its programs are installed."""

import getpass
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Serve an empty database on a socket in `folder` until the end of the block; yields its URL, or skips the test."""
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL is not installed")
    data = folder / "data"
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    data.mkdir(parents=True)
    if os.getuid() == 0:
        # PostgreSQL does not run as root.
        for path in (folder, data):
            shutil.chown(path, "postgres")
        for path in [folder, *folder.parents]:
            if path.stat().st_uid == 0 and path != Path("/"):
                path.chmod(path.stat().st_mode | 0o011)
    _run([initdb, "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync"])
    _run([pg_ctl, "-D", str(data), "-o", f"-k {folder} -h '' -F", "-w", "-l", str(folder / "log"), "start"])
    try:
        yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
    finally:
        _run([pg_ctl, "-D", str(data), "-m", "immediate", "stop"])


def _program(name: str) -> str:
    places = [Path(found) for found in (shutil.which(name),) if found]
    places += sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    if not places:
        pytest.skip(f"{name} is not installed")
    return str(places[0])


def _run(command: list[str]) -> None:
    if os.getuid() == 0:
        if shutil.which("setpriv") is None or _has_no_user():
            pytest.skip("PostgreSQL needs a user of its own, and there is none")
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/", timeout=120)
    assert done.returncode == 0, f"{command}, as {getpass.getuser()}: {done.stderr}"


def _has_no_user() -> bool:
    return subprocess.run(["id", "postgres"], check=False, capture_output=True).returncode != 0
