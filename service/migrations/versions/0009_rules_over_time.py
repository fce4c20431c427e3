"""Rules over time, quiet hours and escalation of webhooks, and other destinations."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables and columns."""
    _timed_rules()
    for column in _manners():
        op.add_column("webhooks", column)
    _destinations()


def downgrade() -> None:
    """Remove them."""
    op.drop_table("push_keys")
    op.drop_table("destinations")
    with op.batch_alter_table("webhooks") as table:
        for column in _manners():
            table.drop_column(column.name)
    op.drop_table("timed_rules")


def _manners() -> "list[sa.Column[object]]":
    return [
        sa.Column("min_severity", sa.String(16)),
        sa.Column("quiet_hours", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("quiet_for_alarms", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("time_zone", sa.String(64)),
        sa.Column("escalate_after_s", sa.Float()),
    ]


def _destinations() -> None:
    op.create_table(
        "destinations",
        sa.Column("destination_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("shown", sa.Text(), nullable=False),
        sa.Column("messages", sa.JSON(), nullable=False),
        sa.Column("streams", sa.JSON()),
        sa.Column("actions", sa.JSON()),
        sa.Column("only_rules", sa.Boolean(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        *_manners(),
        sa.PrimaryKeyConstraint("destination_id", name="pk_destinations"),
    )
    op.create_table(
        "push_keys",
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("private_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_push_keys"),
    )


def _timed_rules() -> None:
    op.create_table(
        "timed_rules",
        sa.Column("rule_id", sa.String(64), nullable=False),
        sa.Column("stream_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("after_s", sa.Float(), nullable=False),
        sa.Column("zone", sa.String(64)),
        sa.Column("week", sa.JSON(), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("looked_at", _TIME),
        sa.PrimaryKeyConstraint("rule_id", name="pk_timed_rules"),
    )
