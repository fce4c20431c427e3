"""A PostgreSQL server of a test's own, where its programs are installed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def postgres() -> Iterator[str]:
    """Serve an empty database on a socket of its own until the end of the block; yields its URL, or skips the test."""
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL is not installed")
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    # Not in the test's own folder: PostgreSQL does not run as root, and pytest closes that one to others.
    with tempfile.TemporaryDirectory(prefix="actogram-postgres-") as name:
        folder = Path(name)
        if os.getuid() == 0:
            _require_user()
            shutil.chown(folder, "postgres")
        data = folder / "data"
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
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/", timeout=120)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def _require_user() -> None:
    is_known = subprocess.run(["id", "postgres"], check=False, capture_output=True).returncode == 0
    if shutil.which("setpriv") is None or not is_known:
        pytest.skip("PostgreSQL needs a user of its own, and there is none")
