"""The rows of sinks: positions in the log, webhooks, and delivery attempts."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields

import sqlalchemy as sa

from service import idempotency
from service.database import Database, UtcTime, metadata, now
from service.sealed import SealedText
from service.sinks.manners import WISH_NAMES, Wishes
from service.sinks.outbox import Attempt
from service.weekly import WEEK, stored

SCOPE = "webhooks"
"""Of their idempotency keys."""
_KEPT_PER_SINK = 1000


def manners_columns() -> list["sa.Column[object]"]:
    """How somebody wants to be told, in the tables of webhooks and of destinations."""
    return [
        sa.Column("min_severity", sa.String(16)), sa.Column("quiet_hours", sa.JSON, nullable=False),
        sa.Column("quiet_for_alarms", sa.Boolean, nullable=False), sa.Column("time_zone", sa.String(64)),
        sa.Column("escalate_after_s", sa.Float),
    ]  # fmt: skip


sink_cursors = sa.Table(
    "sink_cursors",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
)
webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("webhook_id", sa.String(64), primary_key=True),
    sa.Column("url", SealedText, nullable=False),
    sa.Column("secret", SealedText, nullable=False),
    sa.Column("messages", sa.JSON, nullable=False),
    sa.Column("streams", sa.JSON),
    sa.Column("actions", sa.JSON),
    sa.Column("only_rules", sa.Boolean, nullable=False),
    sa.Column("is_enabled", sa.Boolean, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    *manners_columns(),
)
deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("delivery_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("sink", sa.String(64), nullable=False, index=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("type", sa.String(64), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("latency_ms", sa.Float),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("time", UtcTime, nullable=False),
)


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """One webhook as it is stored."""

    webhook_id: str
    url: str = field(repr=False)
    secret: str = field(repr=False)
    wishes: Wishes = field(default_factory=Wishes)
    is_enabled: bool = True
    created_at: dt.datetime = field(default_factory=now)


_OWN_COLUMNS = tuple(one.name for one in fields(WebhookRow) if one.name != "wishes")


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One delivery attempt."""

    delivery_id: int
    sink: str
    seq: int
    type: str
    attempt: int
    outcome: str
    status: int | None
    latency_ms: float | None
    detail: str
    time: dt.datetime


class DatabaseLedger:
    """A sink's position in the log and its delivery attempts, kept in the database.

    on_outcome: told the outcome of every try.
    """

    def __init__(self, database: Database, name: str, on_outcome: Callable[[str], None] = lambda _: None) -> None:
        self._database = database
        self._name = name
        self._on_outcome = on_outcome

    def cursor(self) -> int | None:
        """The number of the last message that is done; None when the sink is new."""
        with self._database.read() as connection:
            query = sa.select(sink_cursors.c.seq).where(sink_cursors.c.name == self._name)
            found = connection.execute(query).scalar()
        return None if found is None else int(found)

    def advance(self, seq: int) -> None:
        """Everything up to `seq` is done."""
        with self._database.write() as connection:
            chosen = sink_cursors.c.name == self._name
            # Never back: what a server that was thought dead still says must not repeat what its successor told.
            forward = sa.case((sink_cursors.c.seq < seq, seq), else_=sink_cursors.c.seq)
            if connection.execute(sa.update(sink_cursors).where(chosen).values(seq=forward)).rowcount == 0:
                connection.execute(sa.insert(sink_cursors).values(name=self._name, seq=seq))

    def record(self, attempt: Attempt) -> None:
        """Store the outcome of an attempt, and drop the oldest."""
        self._on_outcome(attempt.outcome)
        with self._database.write() as connection:
            connection.execute(
                sa.insert(deliveries).values(
                    sink=self._name, seq=attempt.seq, type=attempt.type, attempt=attempt.attempt,
                    outcome=attempt.outcome, status=attempt.status, latency_ms=attempt.latency_ms,
                    detail=attempt.detail[:500], time=now(),
                )
            )  # fmt: skip
            newest = sa.select(deliveries.c.delivery_id).where(deliveries.c.sink == self._name)
            edge = connection.execute(
                newest.order_by(deliveries.c.delivery_id.desc()).offset(_KEPT_PER_SINK).limit(1)
            ).scalar()
            if edge is not None:
                old = sa.and_(deliveries.c.sink == self._name, deliveries.c.delivery_id <= edge)
                connection.execute(sa.delete(deliveries).where(old))


def place(connection: sa.Connection, name: str, seq: int) -> None:
    """A new sink begins with the message after `seq`."""
    connection.execute(sa.insert(sink_cursors).values(name=name, seq=seq))


def lowest_cursor(connection: sa.Connection, names: Sequence[str]) -> int | None:
    """The place of the sink that is furthest behind; None when there is none."""
    found = sa.select(sa.func.min(sink_cursors.c.seq)).where(sink_cursors.c.name.in_(names))
    return connection.execute(found).scalar()


def forget_deliveries(connection: sa.Connection, seqs: Sequence[int]) -> None:
    """Remove what is known of the deliveries of some messages."""
    for start in range(0, len(seqs), 500):
        connection.execute(sa.delete(deliveries).where(deliveries.c.seq.in_(seqs[start : start + 500])))


def wish_values(wishes: Wishes) -> dict[str, object]:
    """Somebody's wishes as columns."""
    lists = {name: getattr(wishes, name) for name in ("messages", "streams", "actions")}
    return {
        **{name: getattr(wishes, name) for name in WISH_NAMES},
        **{name: None if value is None else list(value) for name, value in lists.items()},
        "quiet_hours": stored(wishes.quiet_hours),
    }


def read_wishes(row: sa.RowMapping) -> Wishes:
    """Somebody's wishes from a row."""
    plain = {name: row[name] for name in WISH_NAMES if name != "quiet_hours"}
    return Wishes(**plain, quiet_hours=tuple(WEEK.validate_python(row["quiet_hours"])))


def put_webhook(connection: sa.Connection, row: WebhookRow) -> None:
    """Store a webhook, new or changed."""
    plain = {name: getattr(row, name) for name in _OWN_COLUMNS}
    values = {**plain, **wish_values(row.wishes)}
    chosen = webhooks.c.webhook_id == row.webhook_id
    if connection.execute(sa.update(webhooks).where(chosen).values(values)).rowcount == 0:
        connection.execute(sa.insert(webhooks).values(values))


def get_webhook(connection: sa.Connection, webhook_id: str) -> WebhookRow | None:
    """A webhook, or None."""
    query = sa.select(webhooks).where(webhooks.c.webhook_id == webhook_id)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _webhook(row)


def all_webhooks(connection: sa.Connection) -> list[WebhookRow]:
    """Every webhook, the oldest first; there are few."""
    query = sa.select(webhooks).order_by(webhooks.c.created_at, webhooks.c.webhook_id)
    return [_webhook(row) for row in connection.execute(query).mappings()]


def _webhook(row: sa.RowMapping) -> WebhookRow:
    return WebhookRow(wishes=read_wishes(row), **{name: row[name] for name in _OWN_COLUMNS})


def remove_webhook(connection: sa.Connection, webhook_id: str) -> None:
    """Remove a webhook, its place, its deliveries and its idempotency key; harmless when there is none."""
    idempotency.release(connection, SCOPE, webhook_id)
    connection.execute(sa.delete(webhooks).where(webhooks.c.webhook_id == webhook_id))
    connection.execute(sa.delete(sink_cursors).where(sink_cursors.c.name == webhook_id))
    connection.execute(sa.delete(deliveries).where(deliveries.c.sink == webhook_id))


def page_deliveries(
    connection: sa.Connection, sink: str, outcome: str | None, before_id: int | None, limit: int
) -> list[DeliveryRow]:
    """At most `limit` attempts of a sink older than `before_id`, the newest first."""
    query = (
        sa.select(deliveries).where(deliveries.c.sink == sink).order_by(deliveries.c.delivery_id.desc()).limit(limit)
    )
    if outcome is not None:
        query = query.where(deliveries.c.outcome == outcome)
    if before_id is not None:
        query = query.where(deliveries.c.delivery_id < before_id)
    return [DeliveryRow(**row) for row in connection.execute(query).mappings()]
