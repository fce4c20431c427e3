"""What is to be erased and is not gone yet."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "erasures",
        sa.Column("stream_id", sa.String(64), primary_key=True),
        sa.Column("track_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Remove it; what was asked for is forgotten."""
    op.drop_table("erasures")
