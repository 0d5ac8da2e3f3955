"""A payment's story."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("requests", sa.Column("reason", sa.Text))
    op.add_column("events", sa.Column("reason", sa.Text))
