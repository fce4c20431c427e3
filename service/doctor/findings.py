"""What a check says, and how checks are run: side by side, each within its time, none able to end the others."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    name: what. state: `bad` keeps something from working, `warn` may surprise later. found: in one line.
    advice: what to do about it, in one line; empty where nothing is wrong.
    """

    name: str
    state: State
    found: str
    advice: str = ""

    def to_object(self) -> dict[str, str]:
        """As JSON."""
        return {key: str(value) for key, value in asdict(self).items()}


Check: TypeAlias = Callable[[], Iterable[Finding]]


def run_checks(checks: Mapping[str, Check], limit_s: float) -> list[Finding]:
    """What all checks found, in their order, after `limit_s` seconds at the latest.

    One that hangs (a dead file system, a name server) or fails by a fault of its own is told as bad.
    """
    found: dict[str, list[Finding]] = {}
    threads = {name: _start(name, check, found) for name, check in checks.items()}
    until_s = time.monotonic() + limit_s
    for thread in threads.values():
        thread.join(max(0.0, until_s - time.monotonic()))
    late = "see what it waits for: a network share, a name server, a device"
    return [
        finding
        for name in checks
        for finding in found.get(name) or [Finding(name, "bad", f"no answer within {limit_s:g} s", late)]
    ]


def _start(name: str, check: Check, found: dict[str, list[Finding]]) -> threading.Thread:
    def run() -> None:
        try:
            found[name] = list(check()) or [Finding(name, "ok", "nothing to look at")]
        except OSError as error:
            reason = one_line(f"{error.filename or 'something'}: {error.strerror or error}")
            found[name] = [Finding(name, "bad", reason, "see that it is there and that this user may read it")]
        except Exception as error:  # noqa: BLE001 - the thread's edge: the other checks go on
            reason = f"the check itself failed: {type(error).__name__}: {error}"
            found[name] = [Finding(name, "bad", one_line(reason), "a fault of Actogram: please report it")]

    thread = threading.Thread(target=run, name=f"check {name}", daemon=True)
    thread.start()
    return thread


def one_line(text: str, longest: int = 300) -> str:
    """The text on one line, cut where it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
