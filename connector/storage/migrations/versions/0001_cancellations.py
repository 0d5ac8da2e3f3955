"""Merchants, payments, requests, sends and events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "merchants",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("app_key", sa.Text, nullable=False, unique=True),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("sandbox", sa.Boolean, nullable=False),
        sa.Column("captured", sa.Text, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
    )
    op.create_table(
        "merchant_tokens",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "merchant_id", sa.Integer, sa.ForeignKey("merchants.id"), nullable=False, index=True
        ),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
    )
    op.create_table(
        "payments",
        sa.Column("merchant_id", sa.Integer, sa.ForeignKey("merchants.id"), nullable=False),
        sa.Column("payment_id", sa.Text, nullable=False),
        sa.Column("authorization_id", sa.Text),
        sa.Column("provider_payment_id", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("sandbox", sa.Boolean),
        sa.Column("cancellation_id", sa.Text),
        sa.Column("sends", sa.Integer, nullable=False),
        sa.Column("lease_claim", sa.Text),
        sa.Column("lease_token", sa.Text),
        sa.Column("lease_until", sa.Double),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "payment_id"),
    )
    op.create_table(
        "requests",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("merchant_id", sa.Integer, sa.ForeignKey("merchants.id"), nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("payment_id", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("sandbox", sa.Boolean, nullable=False),
        sa.Column("value", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("code", sa.Text),
        sa.Column("message", sa.Text),
        sa.Column("reference", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("reply_status", sa.Integer),
        sa.Column("reply_body", sa.LargeBinary),
        sa.Column("looks", sa.Integer, nullable=False),
        sa.Column("next_look_at", sa.Double),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.Index("requests_due", "next_look_at"),
        sa.Index("requests_of_payment", "merchant_id", "payment_id"),
    )
    op.create_table(
        "sends",
        sa.Column("merchant_id", sa.Integer, nullable=False),
        sa.Column("payment_id", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("failures_before", sa.Integer, nullable=False),
        sa.Column("sent_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "payment_id", "action", "number"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("request", sa.Text, sa.ForeignKey("requests.id"), nullable=False, index=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("code", sa.Text),
        sa.Column("message", sa.Text),
    )
