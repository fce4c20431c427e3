"""Several servers on one database, and which of them has which stream and job."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "replicas",
        sa.Column("replica_id", sa.String(64), primary_key=True),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("key_check", sa.String(64), nullable=False),
        sa.Column("blobs", sa.Text, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(96), primary_key=True),
        sa.Column("replica_id", sa.String(64), nullable=False),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("leases")
    op.drop_table("replicas")
