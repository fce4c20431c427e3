"""Events name the other person of a pair."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; earlier events had no partner."""
    op.add_column("events", sa.Column("partner", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Forget who stood beside whom."""
    with op.batch_alter_table("events") as table:
        table.drop_column("partner")
