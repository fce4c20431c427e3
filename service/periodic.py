"""A thread that does one thing again and again: when it is woken, and after a period at the latest."""

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)

_PERIOD_S = 1.0
_JOIN_S = 10.0


class Periodic:
    """Calls one function in a thread of its own until it is stopped.

    do: what it raises is logged, and the next round tries again: a database that is away for a moment ends nothing.
    period_s: longest time between two rounds, seconds.
    """

    def __init__(self, name: str, do: Callable[[], object], period_s: float = _PERIOD_S) -> None:
        self._name = name
        self._do = do
        self._period_s = period_s
        self._wake = threading.Event()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_over(self) -> bool:
        """Whether it was stopped; a long round asks before each of its steps."""
        return self._is_over

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def stop(self) -> None:
        """End after the step at hand. May be called twice, and before `start`."""
        self._is_over = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        while not self._is_over:
            self._wake.wait(self._period_s)
            self._wake.clear()
            try:
                self._do()
            except Exception:
                logger.exception("%s: this round failed; trying again", self._name)
