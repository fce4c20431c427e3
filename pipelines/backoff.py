"""How long to wait before something that failed is tried again: the one formula for cameras, sinks and workers."""

import random
from dataclasses import dataclass

_DOUBLINGS_MAX = 16


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that double with every failure in a row, with jitter.

    Jitter, because what one dead switch or full disk stopped must not all come back in the same instant (AWS
    Architecture Blog, "Exponential Backoff and Jitter", 2015).

    first_s, longest_s: the pause after the first failure and the longest one, seconds.
    spread: bounds of the random factor on a pause.
    """

    first_s: float
    longest_s: float
    spread: tuple[float, float] = (0.5, 1.0)

    def pause_s(self, num_failures: int, generator: random.Random) -> float:
        """Seconds to wait after so many failures in a row."""
        doublings = min(max(num_failures - 1, 0), _DOUBLINGS_MAX)
        return min(self.longest_s, self.first_s * 2.0**doublings) * generator.uniform(*self.spread)
