"""How long a part of a measurement may take, and what it left out when its time was used."""

import time
from collections.abc import Callable


class Budget:
    """Seconds for one part; what no longer fits is left out and named.

    seconds: from the making of the budget on. clock: monotonic seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until_s = clock() + seconds
        self._left_out: list[str] = []

    @property
    def left_s(self) -> float:
        """Seconds that are left, 0 at least."""
        return max(0.0, self._until_s - self._clock())

    @property
    def left_out(self) -> tuple[str, ...]:
        """What did not fit, or could not be measured, in the order in which it was asked for."""
        return tuple(self._left_out)

    def allows(self, what: str, needs_s: float = 0.0) -> bool:
        """Whether there is time for something that takes `needs_s` seconds; where not, it is noted as left out."""
        if self.left_s > needs_s:
            return True
        self.leave_out(what, "no time left")
        return False

    def leave_out(self, what: str, why: str) -> None:
        """Note what was not measured, and why."""
        self._left_out.append(f"{what}: {why}")

    def share(self, part: float) -> "Budget":
        """A budget for a part of what is left, 0..1."""
        return Budget(part * self.left_s, self._clock)
