"""What is known of a payment from its creation on, and callbacks."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_COLUMNS = {
    "payments": (
        sa.Column("memo", sa.Text),
        sa.Column("amount", sa.Text),
        sa.Column("currency", sa.Text),
        sa.Column("payment_url", sa.Text),
        sa.Column("code", sa.Text),
        sa.Column("message", sa.Text),
        sa.Column("settled", sa.Text),
        sa.Column("is_cancel_asked", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("callback", sa.Text),
        sa.Column("callback_at", sa.Double),
        sa.Column("callback_attempts", sa.Integer, nullable=False, server_default="0"),
    ),
    "requests": (
        sa.Column("authorization_id", sa.Text),
        sa.Column("provider_payment_id", sa.Text),
    ),
    "sends": (
        sa.Column("claim_id", sa.Text),
        sa.Column("amount", sa.Text),
        sa.Column("refunded_before", sa.Text),
    ),
}


def upgrade() -> None:
    for table, columns in _COLUMNS.items():
        for column in columns:
            op.add_column(table, column)
    op.create_index("payments_callback", "payments", ["callback_at"])
