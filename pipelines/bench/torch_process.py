"""The torch networks, measured in a process of their own; what it told is kept whatever becomes of it."""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from pipelines.results import JsonObject

_GRACE_S = 20.0
"""Seconds beyond its budget for a process that compiles and cannot look at the clock."""
_END_S = 5.0


@dataclass(frozen=True, slots=True)
class TorchRows:
    """What the process told.

    device, ceilings: None where it did not come so far. networks: a row per network and variant.
    left_out: what it had no time for, and why it ended early where it did.
    """

    device: JsonObject | None
    ceilings: JsonObject | None
    networks: tuple[JsonObject, ...]
    left_out: tuple[str, ...]


def measure_torch(device: str, seconds: float, *, is_small: bool) -> TorchRows:
    """Run `models.bench.torch_nets` for about so many seconds; never raises for what happens in it."""
    if importlib.util.find_spec("torch") is None:
        return TorchRows(None, None, (), ("torch networks, ceilings: torch is not installed",))
    call = [
        sys.executable,
        "-m",
        "models.bench.torch_nets",
        "--device",
        torch_device(device),
        "--seconds",
        f"{seconds:.0f}",
    ]
    call += ["--small"] if is_small else []
    # Into files: a pipe that is not read would hold the process, and what it compiles in may outlive it.
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as complaint:
        process = subprocess.Popen(call, stdout=told, stderr=complaint, start_new_session=True)
        why = _wait(process, seconds + _GRACE_S)
        told.seek(0)
        complaint.seek(0)
        rows = read_rows(told.read().decode("utf-8", "replace"))
        if why is None and process.returncode:
            why = _last_line(complaint.read().decode("utf-8", "replace"))
    left_out = tuple(str(item) for row in rows if row["kind"] == "left_out" for item in _items(row))
    return TorchRows(
        _first(rows, "device"), _first(rows, "ceilings"), tuple(row for row in rows if row["kind"] == "network"),
        left_out if why is None else (*left_out, f"torch networks: {why}"),
    )  # fmt: skip


def torch_device(device: str) -> str:
    """What torch calls a device that networks are served on: without its options, and with no other CPU than one."""
    name = device.partition(",")[0]
    return "cpu" if name.startswith("cpu") else name


def read_rows(text: str) -> list[JsonObject]:
    """The lines that are objects with a kind; a last one that was cut off is left out."""
    rows: list[JsonObject] = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            row = json.loads(line)
            if isinstance(row, dict) and "kind" in row:
                rows.append(row)
    return rows


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> str | None:
    """Wait for the end; where it does not come in time, end the process and all that it started, and say so."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_END_S)
        return f"ended after {seconds:.0f} s, in the middle of something"
    return None


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "ended without a word"


def _first(rows: list[JsonObject], kind: str) -> JsonObject | None:
    return next(
        ({key: value for key, value in row.items() if key != "kind"} for row in rows if row["kind"] == kind), None
    )


def _items(row: JsonObject) -> list[object]:
    items = row.get("items")
    return items if isinstance(items, list) else []
