"""What this process has of the machine: children, descriptors, shared memory."""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def own_children() -> set[int]:
    """Processes whose parent this one is, those included that have ended and that nobody waited for."""
    return {pid for path in Path("/proc").glob("[0-9]*") if parent_of(pid := int(path.name)) == os.getpid()}


def held() -> tuple[int, int, set[int]]:
    """Descriptors, mapped pieces of our shared memory and children of this process."""
    maps = Path("/proc/self/maps").read_text(encoding="utf-8").count("actogram-")
    return len(list(Path("/proc/self/fd").iterdir())), maps, own_children()


def listened_at(pids: Iterable[int]) -> set[str]:
    """Where processes take TCP connections: addresses as the system writes them, in hexadecimal."""
    sockets = {link for pid in pids for link in _links(Path(f"/proc/{pid}/fd"))}
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return {row[1].rpartition(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}


def _links(folder: Path) -> set[str]:
    found = set()
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):
                found.add(str(path.readlink()))
    return found


def ends_within(pid: int, timeout_s: float) -> bool:
    """Whether a process ends in time; one that nobody waited for yet has ended."""
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        stat = _stat(pid)
        if stat is None or stat[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def descendants(pid: int) -> set[int]:
    """The children of a process, their children and so on."""
    found, at = set[int](), {pid}
    while at:
        at = {int(path.name) for path in Path("/proc").glob("[0-9]*") if parent_of(int(path.name)) in at} - found
        found |= at
    return found


def parent_of(pid: int) -> int | None:
    """The parent of a process; None where there is no such process."""
    stat = _stat(pid)
    return None if stat is None else int(stat[1])


def _stat(pid: int) -> list[str] | None:
    """State, parent and so on; None where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
