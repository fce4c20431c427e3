"""What a decoder process gives up before it opens a stranger's file; the kernel holds it to that."""

import errno
import fcntl
import importlib
import os
import pkgutil
import resource
import select
import signal
from contextlib import suppress
from pathlib import Path
from typing import cast

import av
import cv2

from pipelines.stream.sources.decoder_limits import DecoderLimits

_STDIN = 0
_REPORT_BYTES = 64 << 10
_GUESSED_BYTES = 1 << 30


class MemoryWatch:
    """Tells whether this process has been near the end of its address space.

    What FFmpeg's threads could not allocate passes for broken pictures, so whoever sees those has to ask here.
    """

    def __init__(self, limits: DecoderLimits) -> None:
        self._enough_bytes = _address_space_bytes() + limits.memory_bytes - limits.memory_bytes // 8
        try:
            self._status = os.open("/proc/self/status", os.O_RDONLY)  # now: later no file can be opened
        except OSError:
            self._status = -1

    def was_short(self) -> bool:
        """Whether less than an eighth was left at any time; False where the system does not say."""
        if self._status < 0:
            return False
        lines = os.pread(self._status, 4096, 0).decode("ascii", "replace").splitlines()
        peak = next((line.split()[1] for line in lines if line.startswith("VmPeak:")), "0")
        return int(peak) * 1024 > self._enough_bytes


def limit_before_opening(limits: DecoderLimits, path: str) -> None:
    """Bound memory, processor time and files for good, so that the one file can still be opened."""
    _import_all_of_av()
    # Where memory runs out, PyAV's own class would pass for a picture that is broken, or for a file that is none.
    cast("dict[int, type[Exception]]", av.error.classes)[errno.ENOMEM] = MemoryError
    cv2.getNumThreads()  # reads files of the system, once
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, _REPORT_BYTES)
    _limit(resource.RLIMIT_AS, _address_space_bytes() + limits.memory_bytes)
    _limit_cpu(min(limits.start_cpu_s, limits.cpu_s_max), limits.cpu_s_max)
    with suppress(OSError):  # where memory runs out all the same, this process goes first and not the one it works for
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    # The video is opened by name, by FFmpeg and once more for its headers. A name that is not UTF-8 is opened by way
    # of a link, whose removal needs more.
    is_plain = path.encode("utf-8", "replace") == os.fsencode(path)
    _limit_files(2 if is_plain else 5)


def limit_after_opening(limits: DecoderLimits, num_bytes: int, duration_s: float | None) -> None:
    """Open no more files; processor time by what there is to decode."""
    _limit(resource.RLIMIT_NOFILE, 0)
    _limit_cpu(limits.cpu_s(num_bytes, duration_s), limits.cpu_s_max)


def limit_live(limits: DecoderLimits) -> None:
    """Bound memory and processor time of a process that reads from the network; sockets and the resolver need files."""
    _import_all_of_av()
    cast("dict[int, type[Exception]]", av.error.classes)[errno.ENOMEM] = MemoryError
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_AS, _address_space_bytes() + limits.memory_bytes)
    _limit_cpu(limits.cpu_s_max, limits.cpu_s_max)


def allow_memory() -> None:
    """Let shared memory have its size: a limit on files, which this process may have from its parent, counts for it."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def end_with_parent() -> None:
    """Let the kernel end this process when the other end of its standard input closes, whatever it is busy with.

    PR_SET_PDEATHSIG would follow the thread that started this process, which may end long before its process does.
    """
    fcntl.fcntl(_STDIN, fcntl.F_SETOWN, os.getpid())
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(_STDIN, fcntl.F_SETSIG, signal.SIGKILL)  # ends a stopped process too, as SIGIO would not
    fcntl.fcntl(_STDIN, fcntl.F_SETFL, fcntl.fcntl(_STDIN, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([_STDIN], [], [], 0)[0]:
        os._exit(1)  # it closed before anybody listened


def _import_all_of_av() -> None:
    """PyAV imports the classes of streams when it meets them, which is too late."""
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _limit(kind: int, value: int) -> None:
    """Lower a limit for good; one that is lower already stays."""
    bound = _at_most_hard(kind, value)
    resource.setrlimit(kind, (bound, bound))


def _limit_cpu(soft_s: float, hard_s: float) -> None:
    """The hard limit kills without saying why, so it is out of reach."""
    hard = _at_most_hard(resource.RLIMIT_CPU, int(hard_s) + 2)
    resource.setrlimit(resource.RLIMIT_CPU, (min(int(soft_s) + 1, hard), hard))


def _at_most_hard(kind: int, value: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def _limit_files(num_free: int) -> None:
    """Leave descriptors for so many further files, and no more."""
    handles = [os.open(os.devnull, os.O_RDONLY) for _ in range(num_free)]
    _limit(resource.RLIMIT_NOFILE, max(handles) + 1)
    for handle in handles:
        os.close(handle)


def _address_space_bytes() -> int:
    """What is in use; a guess where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except OSError:
        return _GUESSED_BYTES
