"""A payment's story."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("requests", sa.Column("reason", sa.Text))
    for column in (
        sa.Column("reason", sa.Text),
        sa.Column("kind", sa.Text, nullable=False, server_default="ended"),
        sa.Column("attempt", sa.Integer),
        sa.Column("action", sa.Text),
        sa.Column("reference", sa.Text),
        sa.Column("amount", sa.Text),
        sa.Column("word", sa.Text),
        sa.Column("http_status", sa.Integer),
        sa.Column("who", sa.Text),
    ):
        op.add_column("events", column)
