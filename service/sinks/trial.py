"""Sends one test message, and notes how that went."""

from service.envelope import Envelope
from service.event_log import Message
from service.sinks.delivery import DeliveryFailed, Receipt, Sink
from service.sinks.outbox import Attempt, Ledger


def try_once(sink: Sink, message: Message, ledger: Ledger) -> Receipt | DeliveryFailed:
    """Send a message that is in no log, once; the outcome is kept as `test`."""
    result: Receipt | DeliveryFailed
    try:
        result = sink.deliver(Envelope.of(message, 0))
    except DeliveryFailed as error:
        ledger.record(Attempt(0, message.type, 1, "test", str(error), error.status))
        return error
    ledger.record(Attempt(0, message.type, 1, "test", "", result.status, result.latency_ms))
    return result
