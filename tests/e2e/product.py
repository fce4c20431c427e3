"""Starts the whole product as a user does, in a home of its own, and gives its address."""

import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

READY_S = 180.0


@contextmanager
def running_product(home: Path, weights: Path) -> Iterator[str]:
    """`actogram serve` on a free port, its networks warm; skips when weights cannot be had."""
    home.mkdir(exist_ok=True)
    _share_cache(home)
    environment = os.environ | {"ACTOGRAM_HOME": str(home), "ACTOGRAM_WEIGHTS": str(weights)}
    command = [str(Path(sys.executable).with_name("actogram")), "serve", "--port", "0"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said: deque[str] = deque(maxlen=200)
    reader = threading.Thread(target=_read, args=(process, said), daemon=True)
    reader.start()
    try:
        url = _wait_for_address(process, said)
        _wait_until_ready(url, said)
        yield url
    finally:
        process.terminate()
        process.wait(30)
        reader.join(5)
        assert process.stdout is not None
        process.stdout.close()


def _share_cache(home: Path) -> None:
    # Weights are fetched and converted once per machine, not once per test.
    cache = Path.home() / ".actogram" / "weights"
    cache.mkdir(parents=True, exist_ok=True)
    if not (home / "weights").exists():
        (home / "weights").symlink_to(cache)


def _read(process: "subprocess.Popen[str]", said: deque[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line.rstrip())


def _wait_for_address(process: "subprocess.Popen[str]", said: deque[str]) -> str:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        for line in list(said):
            found = re.search(r"Actogram is at (http://\S+)", line)
            if found:
                return found[1]
        time.sleep(0.05)
    raise AssertionError("the server did not start:\n" + "\n".join(said))


def _wait_until_ready(url: str, said: deque[str]) -> None:
    deadline = time.monotonic() + READY_S
    reason = ""
    while time.monotonic() < deadline:
        answer = httpx.get(f"{url}/readyz").json()
        reason = str(answer.get("reason"))
        if answer.get("ready"):
            return
        if "weights_missing" in reason:
            pytest.skip(reason)
        time.sleep(0.2)
    raise AssertionError(f"not ready after {READY_S:.0f} s: {reason}\n" + "\n".join(said))
