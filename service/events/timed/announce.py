"""Stores and announces the events of rules over time, as those of actions are."""

from collections.abc import Mapping
from dataclasses import replace

from pipelines.types import Event
from service.event_log import Transaction
from service.events import store
from service.events.ingest import event_message
from service.events.store import RULE_MODEL, EventRow
from service.events.timed.rules import TimedRule
from service.events.timed.tally import Change


def announce(transaction: Transaction, rule: TimedRule, change: Change, tags: Mapping[str, str]) -> None:
    """Store that an event of a rule begins or is over, and say so; one that is gone or erased ends unsaid."""
    if change.name == "started":
        row = _begun(rule, change, tags)
    else:
        known = store.get(transaction.connection, change.event_id)
        if known is None:
            return
        row = _ended(known, change)
    told = transaction.announce(event_message(f"action.{change.name}", row, None))
    store.put(transaction.connection, replace(row, seq=told.seq))


def remind(transaction: Transaction, event_id: str) -> None:
    """Say again that an event goes on; nothing where it is gone."""
    known = store.get(transaction.connection, event_id)
    if known is not None and known.event.state == "confirmed":
        told = transaction.announce(event_message("action.updated", known, None))
        store.put(transaction.connection, replace(known, seq=told.seq))


def _begun(rule: TimedRule, change: Change, tags: Mapping[str, str]) -> EventRow:
    media_s = round(change.media_time_s or 0.0, 3)
    event = Event(
        change.event_id, change.count.track_id, rule.kind, "confirmed", media_s, media_s, 1.0, change.count.box
    )
    zones = (rule.zone,) if rule.zone is not None and rule.kind != "lies_outside" else ()
    return EventRow(
        event, rule.severity, change.at, change.at, stream_id=rule.stream_id, zones=zones, rules=(rule.name,),
        model=RULE_MODEL, tags=tags,
    )  # fmt: skip


def _ended(row: EventRow, change: Change) -> EventRow:
    """By the clock: since it began the source may have been opened anew, and counts its seconds from there."""
    end_time = max(row.start_time, change.at)
    lasted_s = (end_time - row.start_time).total_seconds()
    event = replace(row.event, state="ended", end_s=round(row.event.start_s + lasted_s, 3))
    return replace(row, event=event, end_time=end_time)
