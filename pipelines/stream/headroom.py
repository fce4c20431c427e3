"""How many pictures of a live source may wait: several while their analysis catches up, one while it cannot."""

import math

_MEMORY_S = 2.0
_BUSY, _FREE = 0.85, 0.7  # of the time
_WAITING = 3  # pictures: cameras that reorder them, and networks that lose a packet, deliver up to four at once


class Headroom:
    """Watches which share of the time the analysis of one source takes.

    A picture that waits behind others is late once; where more pictures come than can be analysed, every picture is
    late by as many as wait, and one that waits is enough. Times are of one clock, in seconds.
    """

    def __init__(self) -> None:
        self._share = 1.0  # until it is known
        self._last_s: float | None = None
        self._is_free = False

    @property
    def frames(self) -> int:
        """Pictures that may wait now."""
        return _WAITING if self._is_free else 1

    def note(self, began_s: float, ended_s: float) -> None:
        """One picture was analysed between these times."""
        since_s = began_s if self._last_s is None else self._last_s
        period_s = max(ended_s - since_s, 1e-6)
        share = min((ended_s - began_s) / period_s, 1.0)
        self._share += (1 - math.exp(-period_s / _MEMORY_S)) * (share - self._share)
        self._last_s = ended_s
        self._is_free = self._share < (_BUSY if self._is_free else _FREE)
