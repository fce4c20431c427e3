"""Streams, their events, tracks and feedback, and the sinks with their deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables of the live part."""
    _streams()
    _events()
    _sinks()


def _streams() -> None:
    op.create_table(
        "streams",
        sa.Column("stream_id", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("is_enabled", sa.Boolean, nullable=False),
        sa.Column("config", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("state_since", _TIME, nullable=False),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error_message", sa.Text),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("crashes", sa.Integer, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("idempotency_key", sa.String(255)),
        sa.UniqueConstraint("idempotency_key", name="uq_streams_idempotency_key"),
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("event_id", sa.String(128), primary_key=True),
        sa.Column("stream_id", sa.String(64)),
        sa.Column("job_id", sa.String(64)),
        sa.Column("track_id", sa.BigInteger, nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("start_time", _TIME, nullable=False),
        sa.Column("end_time", _TIME, nullable=False),
        sa.Column("start_s", sa.Float, nullable=False),
        sa.Column("end_s", sa.Float, nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("zones", sa.JSON, nullable=False),
        sa.Column("rules", sa.JSON, nullable=False),
        sa.Column("box", sa.JSON),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("clip_state", sa.String(16), nullable=False),
        sa.Column("clip", sa.JSON, nullable=False),
        sa.Column("acknowledged_at", _TIME),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
    )
    for column in ("stream_id", "job_id", "state", "start_time"):
        op.create_index(f"ix_events_{column}", "events", [column])
    op.create_table(
        "tracks",
        sa.Column("stream_id", sa.String(64), primary_key=True),
        sa.Column("track_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("start_time", _TIME, nullable=False),
        sa.Column("end_time", _TIME),
        sa.Column("reason", sa.String(16)),
    )
    op.create_index("ix_tracks_start_time", "tracks", ["start_time"])
    op.create_table(
        "feedback",
        sa.Column("feedback_id", sa.String(64), primary_key=True),
        sa.Column("event_id", sa.String(128), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("action", sa.String(64)),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
    )
    op.create_index("ix_feedback_event_id", "feedback", ["event_id"])


def _sinks() -> None:
    op.create_table(
        "sink_cursors",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "webhooks",
        sa.Column("webhook_id", sa.String(64), primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("messages", sa.JSON, nullable=False),
        sa.Column("streams", sa.JSON),
        sa.Column("actions", sa.JSON),
        sa.Column("only_rules", sa.Boolean, nullable=False),
        sa.Column("is_enabled", sa.Boolean, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
    )
    op.create_table(
        "deliveries",
        sa.Column("delivery_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("sink", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("latency_ms", sa.Float),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("time", _TIME, nullable=False),
    )
    op.create_index("ix_deliveries_sink", "deliveries", ["sink"])


def downgrade() -> None:
    """Remove them."""
    for table in ("deliveries", "webhooks", "sink_cursors", "feedback", "tracks", "events", "streams"):
        op.drop_table(table)
