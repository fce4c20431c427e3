"""The wall clock of a server, which jumps when it is told to, as when a time server corrects a machine's.

libfaketime is not used: with its monotonic clock left alone, Python's `time.sleep` fails (EINVAL, version 0.9.10).
"""

import shutil
import struct
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("wall_clock.c")


class WallClock:
    """A clock that a file sets, for processes that load `wall_clock.c`; it is there where a C compiler is."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "wall-clock"
        self._file.write_bytes(_seconds(0))
        self._library = _compiled(folder)

    @property
    def is_there(self) -> bool:
        """Whether a process can be started under it."""
        return self._library is not None

    @property
    def environment(self) -> dict[str, str]:
        """What a process is started with, so that its wall clock is this one; empty where there is none."""
        if self._library is None:
            return {}
        return {"LD_PRELOAD": str(self._library), "WALL_CLOCK_FILE": str(self._file)}

    def shift(self, seconds: int) -> None:
        """Let it be that far from the machine's, in the processes that run under it as well."""
        with self._file.open("r+b") as file:
            file.write(_seconds(seconds))


def _seconds(count: int) -> bytes:
    return struct.pack("=q", count)


def _compiled(folder: Path) -> Path | None:
    """The library, made on the spot; None where there is no compiler, or none that can."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "wall-clock.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE)]
    return library if subprocess.run(command, capture_output=True, check=False).returncode == 0 else None
