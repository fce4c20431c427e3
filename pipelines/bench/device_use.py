"""A GPU's memory and use while something runs, as its driver's own tool tells them; nothing where there is none."""

import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_EVERY_S = 1.0
_TIMEOUT_S = 5.0
Ask = Callable[[], "Use | None"]


@dataclass(frozen=True, slots=True)
class Use:
    """One moment of a GPU. percent: of the time in which a kernel ran. memory_bytes: in use, by whichever process."""

    percent: float
    memory_bytes: int


def ask_driver(device: str) -> Use | None:
    """What `nvidia-smi` says of the device now; None on a CPU, without the tool, and where it does not answer."""
    tool = shutil.which("nvidia-smi")
    if tool is None or not device.startswith("cuda"):
        return None
    wanted = "--query-gpu=utilization.gpu,memory.used"
    call = [tool, wanted, "--format=csv,noheader,nounits", "-i", device.partition(",")[0].partition(":")[2] or "0"]
    try:
        answer = subprocess.run(call, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True).stdout
        return parse_use(answer)
    except (subprocess.SubprocessError, OSError, ValueError):
        return None


def parse_use(line: str) -> Use:
    """`percent, MiB` as the tool prints them; raises ValueError."""
    percent, mebibytes = line.strip().split(",")
    return Use(float(percent), int(float(mebibytes) * 2**20))


class UseMeter:
    """Asks every second while its block runs.

    mean_percent, peak_bytes: None where nothing was told.
    """

    def __init__(self, ask: Ask, every_s: float = _EVERY_S) -> None:
        self._ask = ask
        self._every_s = every_s
        self._found: list[Use] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gpu use", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    @property
    def mean_percent(self) -> float | None:
        """Mean use of the device."""
        return sum(use.percent for use in self._found) / len(self._found) if self._found else None

    @property
    def peak_bytes(self) -> int | None:
        """Most memory in use."""
        return max((use.memory_bytes for use in self._found), default=None)

    def _run(self) -> None:
        while True:
            use = self._ask()
            if use is None:
                return
            self._found.append(use)
            if self._is_over.wait(self._every_s):
                return
