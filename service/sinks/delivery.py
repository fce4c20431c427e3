"""What a sink is, how a delivery fails, and how long to wait before the next attempt."""

import random
from dataclasses import dataclass
from typing import Protocol

from service.envelope import Envelope


class DeliveryFailed(Exception):
    """A message could not be delivered.

    is_final: whether trying again cannot help (the receiver refused this very message).
    status: the HTTP status, where there was one.
    retry_after_s: how long the receiver asked to be left alone, seconds.
    """

    def __init__(
        self, detail: str, *, is_final: bool = False, status: int | None = None, retry_after_s: float = 0.0
    ) -> None:
        super().__init__(detail)
        self.is_final = is_final
        self.status = status
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Receipt:
    """A message was delivered.

    status: the HTTP status, where there was one.
    latency_ms: how long the receiver took.
    """

    latency_ms: float
    status: int | None = None


class Sink(Protocol):
    """Takes messages one after the other; may be asked for the same one twice."""

    def deliver(self, envelope: Envelope) -> Receipt:
        """Hand one message over; raises DeliveryFailed."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential waits with full jitter (AWS Architecture Blog, "Exponential Backoff and Jitter", 2015).

    first_s, limit_s: bounds of the wait, seconds.
    give_up_s: age of a message after which it becomes a dead letter, seconds since its first try.
    """

    first_s: float = 1.0
    limit_s: float = 60.0
    give_up_s: float = 24 * 3600.0

    def wait_s(self, attempt: int, generator: random.Random) -> float:
        """Seconds to wait after the given failed attempt, 1 for the first."""
        ceiling = min(self.limit_s, self.first_s * 2.0 ** min(attempt - 1, 16))
        return ceiling / 2 + generator.uniform(0, ceiling / 2)
