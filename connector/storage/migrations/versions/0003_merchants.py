"""Where merchants' settings come from, and their history."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_COLUMNS = (
    # Whoever relied on VTEX's fields goes on with the ones that came last.
    sa.Column("settings_from", sa.Text, nullable=False, server_default="connector"),
    sa.Column("fields_seen", sa.Text),
    sa.Column("fields_seen_at", sa.Double),
)


def upgrade() -> None:
    for column in _COLUMNS:
        op.add_column("merchants", column)
    op.create_table(
        "admin_events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("merchant_id", sa.Integer, sa.ForeignKey("merchants.id"), index=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("changed", sa.Text, nullable=False),
        sa.Column("settings", sa.Text),
    )
