"""Events name the detector and the pose estimator beside the action model."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; nobody noted the networks of earlier events."""
    op.add_column("events", sa.Column("networks", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    """Forget which networks they were."""
    with op.batch_alter_table("events") as table:
        table.drop_column("networks")
