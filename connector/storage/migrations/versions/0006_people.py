"""Merchants that connect themselves, and the console."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_ADDED = (
    ("merchants", "store", sa.Text),
    ("merchants", "account", sa.Text),
    ("merchant_tokens", "sealed", sa.Text),
    ("merchant_tokens", "sealed_until", sa.Double),
    ("merchant_tokens", "fetched_at", sa.Double),
    ("merchant_tokens", "used_at", sa.Double),
    ("payments", "transaction_id", sa.Text),
    ("payments", "order_id", sa.Text),
    ("events", "note", sa.Text),
    ("admin_events", "payment_id", sa.Text),
)
_INDEXES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("payments_of_status", "payments", ("status", "created_at", "merchant_id", "payment_id")),
    (
        "payments_of_merchant_status",
        "payments",
        ("merchant_id", "status", "created_at", "payment_id"),
    ),
    ("requests_newest", "requests", ("operation", "created_at")),
    ("requests_of_merchant", "requests", ("merchant_id", "operation", "created_at")),
)
# Indexes of some rows only.
_PARTIAL: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    (
        "payments_by_authorization",
        "payments",
        ("authorization_id",),
        "length(authorization_id) <= 256",
    ),
    (
        "payments_by_provider_id",
        "payments",
        ("provider_payment_id",),
        "length(provider_payment_id) <= 256",
    ),
    ("payments_by_transaction", "payments", ("transaction_id",), "transaction_id IS NOT NULL"),
    ("payments_by_order", "payments", ("order_id",), "order_id IS NOT NULL"),
    (
        "admin_events_of_payment",
        "admin_events",
        ("payment_id", "merchant_id"),
        "payment_id IS NOT NULL",
    ),
    ("requests_open", "requests", ("state", "operation", "created_at"), "state != 'done'"),
    (
        "requests_open_of_merchant",
        "requests",
        ("merchant_id", "state", "operation", "created_at"),
        "state != 'done'",
    ),
    ("events_called_back", "events", ("id",), "kind = 'called-back'"),
)


def upgrade() -> None:
    for table, name, kind in _ADDED:
        op.add_column(table, sa.Column(name, kind))
    # Every token until now was made by a command, for a person who uses it.
    op.execute("UPDATE merchant_tokens SET used_at = created_at")
    _create_tables()
    account = ["store", "provider", "account"]
    op.create_index("merchants_account", "merchants", account, unique=True)
    for name, table, columns in _INDEXES:
        op.create_index(name, table, list(columns))
    for name, table, columns, condition in _PARTIAL:
        where = sa.text(condition)
        op.create_index(name, table, list(columns), sqlite_where=where, postgresql_where=where)


def _create_tables() -> None:
    op.create_table(
        "authorizations",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("token", sa.Text, nullable=False, unique=True),
        sa.Column("return_url", sa.Text, nullable=False),
        sa.Column("store", sa.Text, nullable=False),
        sa.Column("peer", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False, index=True),
        sa.Column("merchant_id", sa.Integer, sa.ForeignKey("merchants.id")),
        sa.Column("token_id", sa.Integer),
        sa.Column("browser", sa.Text),
        sa.Index("authorizations_peer", "peer", "created_at"),
    )
    op.create_table(
        "authorization_codes",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column(
            "authorization_id",
            sa.Integer,
            sa.ForeignKey("authorizations.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("expires_at", sa.Double, nullable=False),
    )
    op.create_table(
        "invitations",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("code", sa.Text, nullable=False, unique=True),
        sa.Column("store", sa.Text),
        sa.Column("provider", sa.Text),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("used_at", sa.Double),
        sa.Column("merchant_id", sa.Integer, sa.ForeignKey("merchants.id")),
    )
    op.create_table(
        "console_links",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("code", sa.Text, nullable=False, unique=True),
        sa.Column("merchant_id", sa.Integer, sa.ForeignKey("merchants.id")),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("used_at", sa.Double),
    )
    op.create_table(
        "console_sessions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False, unique=True),
        sa.Column("merchant_id", sa.Integer, sa.ForeignKey("merchants.id")),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
    )
