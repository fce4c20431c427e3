"""Events are found by zone, tag and action in the order of their list; saved views; keys that expire."""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_SEARCH = ["start_time", "event_id", "end_time", "stream_id", "state", "action", "severity", "score"]
_SINGLE = ("stream_id", "state", "start_time")
_AT_ONCE = 1000
_events = sa.table(
    "events", sa.column("event_id", sa.String), sa.column("start_time", _TIME), sa.column("zones", sa.JSON),
    sa.column("tags", sa.JSON),
)  # fmt: skip


def upgrade() -> None:
    """Make tables, column and indexes, and note what the events of before bear."""
    marks = op.create_table(
        "event_marks",
        sa.Column("mark", sa.Text, primary_key=True),
        sa.Column("start_time", _TIME, primary_key=True),
        sa.Column("event_id", sa.String(128), primary_key=True),
    )
    op.create_index("ix_event_marks_event_id", "event_marks", ["event_id"])
    for rows in _iter_marks(op.get_bind()):
        op.bulk_insert(marks, rows)
    for column in _SINGLE:
        op.drop_index(f"ix_events_{column}", "events")
    op.create_index("ix_events_search", "events", _SEARCH)
    op.create_index("ix_events_action", "events", ["action", "start_time", "event_id"])
    op.create_table(
        "saved_views",
        sa.Column("view_id", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(16), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("page", sa.String(16), nullable=False),
        sa.Column("query", sa.JSON, nullable=False),
        sa.Column("is_shared", sa.Boolean, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
    )
    op.create_index("ix_saved_views_owner", "saved_views", ["owner"])
    op.add_column("api_keys", sa.Column("expires_at", _TIME, nullable=True))


def _iter_marks(connection: sa.Connection) -> Iterator[list[dict[str, object]]]:
    last = ""
    while True:
        query = sa.select(_events).where(_events.c.event_id > last).order_by(_events.c.event_id).limit(_AT_ONCE)
        rows = connection.execute(query).all()
        if not rows:
            return
        last = rows[-1].event_id
        found = [
            {"mark": mark, "start_time": row.start_time, "event_id": row.event_id}
            for row in rows
            for mark in dict.fromkeys(
                [*(f"zone:{name}" for name in row.zones), *(f"tag:{key}:{value}" for key, value in row.tags.items())]
            )
        ]
        if found:
            yield found


def downgrade() -> None:
    """Find events as before; views and the ends of keys are forgotten."""
    with op.batch_alter_table("api_keys") as table:
        table.drop_column("expires_at")
    op.drop_table("saved_views")
    for name in ("search", "action"):
        op.drop_index(f"ix_events_{name}", "events")
    for column in _SINGLE:
        op.create_index(f"ix_events_{column}", "events", [column])
    op.drop_table("event_marks")
