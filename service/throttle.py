"""Slows down whoever guesses secrets: failures per address, per key and in total, in bounded memory."""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many failures are taken.

    burst: at once.  per_s: how many more each second.
    """

    burst: float
    per_s: float


class Buckets:
    """One leaky bucket of failures per name; the names that were quiet longest are forgotten first."""

    def __init__(self, allowance: Allowance, names_max: int, clock: Callable[[], float]) -> None:
        self._allowance = allowance
        self._names_max = names_max
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._levels)

    def wait_s(self, name: str) -> float:
        """Seconds until the next try is taken; 0 when one is taken now."""
        over = self._level(name) + 1 - self._allowance.burst
        return max(0.0, over / self._allowance.per_s)

    def add(self, name: str, amount: float) -> None:
        """Count a failure."""
        level = self._level(name) + amount
        self._levels[name] = (min(level, 2 * self._allowance.burst), self._clock())
        self._levels.move_to_end(name)
        while len(self._levels) > self._names_max:
            self._levels.popitem(last=False)

    def _level(self, name: str) -> float:
        level, at_s = self._levels.get(name, (0.0, 0.0))
        return max(0.0, level - (self._clock() - at_s) * self._allowance.per_s)


class FailureThrottle:
    """Whether a secret that is not known may be looked at now.

    The same wrong text again counts little: a page with an old cookie asks often and guesses nothing.
    """

    def __init__(
        self, per_address: Allowance = Allowance(20, 0.3), per_key: Allowance = Allowance(20, 0.3),
        total: Allowance = Allowance(200, 4), names_max: int = 4096, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._addresses = Buckets(per_address, names_max, clock)
        self._keys = Buckets(per_key, names_max, clock)
        self._total = Buckets(total, 1, clock)
        self._lock = threading.Lock()

    def wait_s(self, address: str, key_id: str) -> float:
        """Seconds that this address must wait before it tries this key; 0: it may now."""
        with self._lock:
            waits = (bucket.wait_s(name) for bucket, name in self._pairs(address, key_id))
            return max(waits)

    def count(self, address: str, key_id: str, is_repeated: bool) -> None:
        """A secret was wrong."""
        with self._lock:
            for bucket, name in self._pairs(address, key_id):
                bucket.add(name, 0.25 if is_repeated else 1.0)

    def _pairs(self, address: str, key_id: str) -> Sequence[tuple[Buckets, str]]:
        return (self._addresses, network_of_peer(address)), (self._keys, key_id), (self._total, "")


def network_of_peer(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 network that one IPv6 customer owns whole."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
    return str(found)
