"""What a sink is, how a delivery fails, and how it is tried again."""

from dataclasses import dataclass, field
from typing import Protocol

from pipelines.backoff import Backoff
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
class Retries:
    """How a message that did not arrive is tried again.

    backoff: the pauses between tries.
    give_up_s: age of a message after which it becomes a dead letter, seconds since its first try.
    """

    backoff: Backoff = field(default_factory=lambda: Backoff(first_s=1.0, longest_s=60.0))
    give_up_s: float = 24 * 3600.0
