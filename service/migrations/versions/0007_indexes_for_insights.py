"""Events and tracks are found by stream and time, with all that sums over them need."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_EVENTS = ["stream_id", "start_time", "end_time", "state", "action", "severity", "track_id"]
_TRACKS = ["stream_id", "start_time", "end_time", "track_id", "reason"]


def upgrade() -> None:
    """Make the indexes."""
    op.create_index("ix_events_insights", "events", _EVENTS)
    op.create_index("ix_tracks_insights", "tracks", _TRACKS)


def downgrade() -> None:
    """Remove them."""
    op.drop_index("ix_tracks_insights", "tracks")
    op.drop_index("ix_events_insights", "events")
