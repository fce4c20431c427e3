"""What happens to secrets at the start: those of an earlier version are sealed, those of another key are said."""

import logging

import sqlalchemy as sa

from service.database import Database
from service.event_log import EventLog
from service.jobs.store import jobs
from service.sealed import SealedText
from service.secret_box import LOST, SecretBox
from service.sinks.destination_store import all_destinations
from service.sinks.store import webhooks
from service.streams import store as stream_store
from service.streams.store import streams

logger = logging.getLogger(__name__)

_TEXTS = ((jobs, jobs.c.job_id, jobs.c.source), (webhooks, webhooks.c.webhook_id, webhooks.c.url),
          (webhooks, webhooks.c.webhook_id, webhooks.c.secret))  # fmt: skip
_LOST_TEXT = (
    "its address was sealed with another key: put the home's secret.key (or ACTOGRAM_SECRET_KEY) of then back, "
    "or give the address again"
)


def seal_stored(database: Database) -> int:
    """Seal what an earlier version stored open, and leave no trace of it in the file; returns how many rows."""
    with database.write() as connection:
        changed = sum(_seal_texts(connection, *place) for place in _TEXTS) + _seal_streams(connection)
    if changed:
        database.compact()
        logger.info("the secrets of %d row(s) are sealed now", changed)
    return changed


def fail_lost(database: Database, log: EventLog) -> list[str]:
    """Say which streams, webhooks and destinations cannot be used without their old key; returns their ids."""
    with log.transaction() as transaction:
        lost = [row.stream_id for row in stream_store.all_streams(transaction.connection) if _is_lost(row)]
        for stream_id in lost:
            stream_store.set_state(transaction.connection, stream_id, "failed", ("secret_lost", _LOST_TEXT))
    with database.read() as connection:
        query = sa.select(webhooks.c.webhook_id, webhooks.c.url, webhooks.c.secret)
        lost += [row.webhook_id for row in connection.execute(query) if LOST in (row.url, row.secret)]
        lost += [row.destination_id for row in all_destinations(connection) if row.is_lost]
    if lost:
        logger.error("%s: %s", ", ".join(lost), _LOST_TEXT)
    return lost


def _is_lost(row: stream_store.StreamRow) -> bool:
    source = row.config.get("source")
    return isinstance(source, dict) and source.get("uri") == LOST


def _seal_texts(connection: sa.Connection, table: sa.Table, key: sa.Column[str], column: sa.Column[str]) -> int:
    raw = sa.type_coerce(column, sa.Text)
    found = [(row[0], row[1]) for row in connection.execute(sa.select(key, raw)) if not SecretBox.is_sealed(row[1])]
    assert isinstance(column.type, SealedText)
    for name, text in found:
        connection.execute(sa.update(table).where(key == name).values({column: text}))
    return len(found)


def _seal_streams(connection: sa.Connection) -> int:
    raw = sa.type_coerce(streams.c.config, sa.JSON)
    rows = connection.execute(sa.select(streams.c.stream_id, raw)).all()
    found = [(row[0], row[1]) for row in rows if not SecretBox.is_sealed(str(row[1]["source"]["uri"]))]
    for stream_id, config in found:
        connection.execute(sa.update(streams).where(streams.c.stream_id == stream_id).values(config=config))
    return len(found)
