"""Asks every part of the service in turn to forget what is too old or too much."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from service.errors import StorageFull
from service.periodic import Periodic
from service.reserve import DiskReserve

logger = logging.getLogger(__name__)

_PERIOD_S = 60.0


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one part of the service forgets.

    name: what it removes, in the plural, for the log.
    run: removes what is too old or too much, and returns how many went.
    """

    name: str
    run: Callable[[], int]


class Janitor:
    """Runs every sweep at the start and then every `period_s` seconds; knows nothing of what is removed.

    leads: whether this server is the one that cleans up, of those that share the database.
    reserve: room on the disk that is given up for a sweep that finds the disk full, and taken again once there is some.
    """

    def __init__(
        self, sweeps: Sequence[Sweep], period_s: float = _PERIOD_S, reserve: DiskReserve | None = None,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:  # fmt: skip
        self._sweeps = sweeps
        self._leads = leads
        self._reserve = reserve
        self._thread = Periodic("janitor", self.sweep, period_s)

    def start(self) -> None:
        """Begin, with a first sweep at once."""
        self._thread.start()
        self._thread.wake()

    def stop(self) -> None:
        """End; may be called twice."""
        self._thread.stop()

    def sweep(self) -> Mapping[str, int]:
        """Run every sweep and say how many of each went; one that fails does not hold up the others."""
        gone: dict[str, int] = {}
        for one in self._sweeps if self._leads() else ():
            try:
                gone[one.name] = self._run(one)
            except Exception:
                # The database or the disk may be away for a moment; the next round tries again.
                logger.exception("no old %s removed; trying again later", one.name)
        if self._reserve is not None:
            self._reserve.fill()
        removed = ", ".join(f"{number} {name}" for name, number in gone.items() if number)
        if removed:
            logger.info("removed by the retention settings: %s", removed)
        return gone

    def _run(self, sweep: Sweep) -> int:
        try:
            return sweep.run()
        except StorageFull:
            if self._reserve is None or not self._reserve.release():
                raise
            return sweep.run()
