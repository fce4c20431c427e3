"""The rows of rules over time, with what each has counted."""

import datetime as dt
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from pydantic import JsonValue, TypeAdapter

from service import idempotency
from service.database import UtcTime, metadata
from service.events.timed.rules import TimedRule
from service.events.timed.tally import Count, Tally
from service.weekly import WEEK, stored

SCOPE = "timed_rules"
"""Of their idempotency keys."""

timed_rules = sa.Table(
    "timed_rules",
    metadata,
    sa.Column("rule_id", sa.String(64), primary_key=True),
    sa.Column("stream_id", sa.String(64), nullable=False),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("after_s", sa.Float, nullable=False),
    sa.Column("zone", sa.String(64)),
    sa.Column("week", sa.JSON, nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("is_enabled", sa.Boolean, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("counts", sa.JSON, nullable=False),
    sa.Column("looked_at", UtcTime),
)
_COUNTS: TypeAdapter[list[Count]] = TypeAdapter(list[Count])
_PLAIN = ("rule_id", "stream_id", "name", "kind", "after_s", "zone", "severity", "is_enabled", "created_at")


def add(connection: sa.Connection, rule: TimedRule) -> None:
    """Store a new rule, which has counted nothing."""
    connection.execute(sa.insert(timed_rules).values(**_values(rule), counts=[], looked_at=None))


def change(connection: sa.Connection, rule: TimedRule) -> None:
    """Store a changed rule, which begins to count anew."""
    values = {**_values(rule), "counts": [], "looked_at": None}
    connection.execute(sa.update(timed_rules).where(timed_rules.c.rule_id == rule.rule_id).values(values))


def save(connection: sa.Connection, tally: Tally) -> None:
    """Store what a rule has counted; harmless when the rule is gone."""
    counts: JsonValue = _COUNTS.dump_python(list(tally.counts.values()), mode="json")
    chosen = timed_rules.c.rule_id == tally.rule.rule_id
    connection.execute(sa.update(timed_rules).where(chosen).values(counts=counts, looked_at=tally.looked_at))


def all_tallies(connection: sa.Connection) -> list[Tally]:
    """Every rule with what it has counted, the oldest rule first."""
    query = sa.select(timed_rules).order_by(timed_rules.c.created_at, timed_rules.c.rule_id)
    return [_tally(row) for row in connection.execute(query).mappings()]


def get(connection: sa.Connection, rule_id: str) -> TimedRule | None:
    """A rule, or None."""
    query = sa.select(timed_rules).where(timed_rules.c.rule_id == rule_id)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _tally(row).rule


def of_stream(connection: sa.Connection, stream_id: str | None) -> Sequence[TimedRule]:
    """The rules of a stream, or of all for None; the oldest first."""
    return [one.rule for one in all_tallies(connection) if stream_id in (None, one.rule.stream_id)]


def remove(connection: sa.Connection, rule_id: str) -> None:
    """Remove a rule and its idempotency key; harmless when there is none."""
    idempotency.release(connection, SCOPE, rule_id)
    connection.execute(sa.delete(timed_rules).where(timed_rules.c.rule_id == rule_id))


def _values(rule: TimedRule) -> dict[str, object]:
    return {**{name: getattr(rule, name) for name in _PLAIN}, "week": stored(rule.week)}


def _tally(row: Mapping[str, object] | sa.RowMapping) -> Tally:
    plain = {name: row[name] for name in _PLAIN}
    rule = TimedRule(**plain, week=tuple(WEEK.validate_python(row["week"])))  # type: ignore[arg-type]
    looked_at = row["looked_at"]
    assert looked_at is None or isinstance(looked_at, dt.datetime)
    return Tally(rule, _COUNTS.validate_python(row["counts"]), looked_at)
