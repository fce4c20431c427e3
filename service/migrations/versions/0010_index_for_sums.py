"""Events lie in the order in which they are summed up."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_SUMS = ["stream_id", "action", "start_time", "end_time", "state", "severity", "track_id"]


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_events_sums", "events", _SUMS)


def downgrade() -> None:
    """Remove it."""
    op.drop_index("ix_events_sums", "events")
