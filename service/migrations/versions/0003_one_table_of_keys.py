"""The idempotency keys of streams move to the table that all other keys are in."""

import datetime as dt
import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_streams = sa.table(
    "streams",
    sa.column("stream_id", sa.String),
    sa.column("name", sa.Text),
    sa.column("config", sa.JSON),
    sa.column("idempotency_key", sa.String),
)
_keys = sa.table(
    "idempotency_keys",
    sa.column("scope", sa.String),
    sa.column("key", sa.String),
    sa.column("fingerprint", sa.String),
    sa.column("resource_id", sa.String),
    sa.column("created_at", _TIME),
)


def upgrade() -> None:
    """Carry every stream's key over, then drop the column."""
    connection = op.get_bind()
    kept = connection.execute(sa.select(_streams).where(_streams.c.idempotency_key.is_not(None))).all()
    rows = [
        {
            "scope": "streams", "key": row.idempotency_key, "fingerprint": _fingerprint(row.name, row.config),
            "resource_id": row.stream_id, "created_at": dt.datetime.now(dt.UTC),
        }
        for row in kept
    ]  # fmt: skip
    if rows:
        connection.execute(sa.insert(_keys), rows)
    with op.batch_alter_table("streams") as table:
        table.drop_constraint("uq_streams_idempotency_key", type_="unique")
        table.drop_column("idempotency_key")


def downgrade() -> None:
    """Give the streams their keys back."""
    with op.batch_alter_table("streams") as table:
        table.add_column(sa.Column("idempotency_key", sa.String(255)))
        table.create_unique_constraint("uq_streams_idempotency_key", ["idempotency_key"])
    connection = op.get_bind()
    for row in connection.execute(sa.select(_keys).where(_keys.c.scope == "streams")).all():
        chosen = _streams.c.stream_id == row.resource_id
        connection.execute(sa.update(_streams).where(chosen).values(idempotency_key=row.key))
    connection.execute(sa.delete(_keys).where(_keys.c.scope == "streams"))


def _fingerprint(name: str, config: object) -> str:
    """As a repeated POST of the same stream computes it."""
    return hashlib.sha256("\0".join((name, json.dumps(config, sort_keys=True))).encode()).hexdigest()
