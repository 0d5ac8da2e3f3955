"""Every table on one page. Instants are seconds since 1970, by the database's clock."""

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    column,
    false,
    text,
)

# The migration that this code needs. `/readyz` compares it with the migration of the database.
REVISION = "0006"

# PostgreSQL refuses a row with a value of more than 2,704 bytes for an index. The ids of a company
# have no limit, and must not stop a cancellation: only those of so many characters are indexed.
MOST_INDEXED = 256

metadata = MetaData()


def _where_set(name: str, *columns: str) -> Index:
    """Make an index of the rows in which its first column has a value."""
    is_set = column(columns[0]).is_not(None)
    return Index(name, *columns, sqlite_where=is_set, postgresql_where=is_set)


def _where_short(name: str, id_column: str) -> Index:
    """Make an index of the ids that have at most MOST_INDEXED characters."""
    is_short = text(f"length({id_column}) <= {MOST_INDEXED}")
    return Index(name, id_column, sqlite_where=is_short, postgresql_where=is_short)


# One row for each shop. `revision` grows with every change, so that running servers notice a change
# by one small query. `settings` is encrypted. `fields_seen` is JSON: fingerprints of VTEX's last
# Provider Fields, for a merchant whose settings do not come from VTEX.
# `cents_seen` and `units_seen` name a payment whose cancellation was certainly in that unit.
# `store` is the VTEX account of a merchant that connected itself, and `account` its account at the
# company. Both are null for a merchant without a store.
merchants = Table(
    "merchants",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("provider", Text, nullable=False),
    Column("app_key", Text, nullable=False, unique=True),
    Column("settings", Text, nullable=False),
    Column("sandbox", Boolean, nullable=False),
    Column("captured", Text, nullable=False),
    Column("cents_seen", Text),
    Column("units_seen", Text),
    Column("disabled", Boolean, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("settings_from", Text, nullable=False, server_default="connector"),
    Column("fields_seen", Text),
    Column("fields_seen_at", Double),
    Column("store", Text),
    Column("account", Text),
    Index("merchants_account", "store", "provider", "account", unique=True),
)

# The changes of merchants: one row for each administrative command, and for each change by VTEX's
# Provider Fields. `changed` is JSON, with fingerprints for secrets. `settings` holds the replaced
# settings, encrypted. `payment_id` is set if the change is about a payment. Rows are only added.
admin_events = Table(
    "admin_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("merchant_id", ForeignKey("merchants.id"), index=True),
    Column("at", Double, nullable=False),
    Column("actor", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("changed", Text, nullable=False),
    Column("settings", Text),
    Column("payment_id", Text),
    _where_set("admin_events_of_payment", "payment_id", "merchant_id"),
)

# SHA-256 of the AppTokens. Live are the newest two of a merchant, the newest that was used, and the
# newest that VTEX fetched. `sealed` is an AppToken that VTEX may still fetch, encrypted. It is null
# after `sealed_until`, or when the token was used. `used_at` is null until then; a command's token
# counts as used at once.
merchant_tokens = Table(
    "merchant_tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("merchant_id", ForeignKey("merchants.id"), nullable=False, index=True),
    Column("digest", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("sealed", Text),
    Column("sealed_until", Double),
    Column("fetched_at", Double),
    Column("used_at", Double),
)

# One row for each configuration flow that VTEX began. `return_url` is encrypted. `peer` is the
# network of the caller. `merchant_id`, `token_id` and `browser` are set when the merchant is
# connected; `browser` is the SHA-256 of a secret of the browser that did it.
authorizations = Table(
    "authorizations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token", Text, nullable=False, unique=True),
    Column("return_url", Text, nullable=False),
    Column("store", Text, nullable=False),
    Column("peer", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
    Column("merchant_id", ForeignKey("merchants.id")),
    Column("token_id", Integer),
    Column("browser", Text),
    Index("authorizations_peer", "peer", "created_at"),
)

# SHA-256 of the authorization codes of a flow. Each shows the same AppKey and AppToken.
authorization_codes = Table(
    "authorization_codes",
    metadata,
    Column("digest", Text, primary_key=True),
    Column(
        "authorization_id",
        ForeignKey("authorizations.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("expires_at", Double, nullable=False),
)

# Invitations to connect. `code` is a SHA-256. `store` and `provider` limit an invitation.
invitations = Table(
    "invitations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("store", Text),
    Column("provider", Text),
    Column("actor", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("used_at", Double),
    Column("merchant_id", ForeignKey("merchants.id")),
)

# Links into the console, each good once. `code` is a SHA-256. Without a merchant, the link is an
# operator's. `name` is the person.
console_links = Table(
    "console_links",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("merchant_id", ForeignKey("merchants.id")),
    Column("name", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("used_at", Double),
)

# Sessions of people in the console. `digest` is the SHA-256 of the cookie's value.
console_sessions = Table(
    "console_sessions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("merchant_id", ForeignKey("merchants.id")),
    Column("name", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("ended_at", Double),
)


# One row for each payment, with the lease by which one request at a time acts on the payment. The
# ids come from the company or from VTEX. Texts from outside are JSON texts without their quotes, so
# that a column holds any character. `sandbox` is null until the place of the payment is known.
# `sends` counts the payment's writes. Amounts are decimal texts, in units. `callback`
# is VTEX's address, encrypted. A callback is due while `callback_at` is set. Most indexes are for
# the console's search of payments. `transaction_id` and `order_id` are VTEX's.
payments = Table(
    "payments",
    metadata,
    Column("merchant_id", ForeignKey("merchants.id"), nullable=False),
    Column("payment_id", Text, nullable=False),
    Column("authorization_id", Text),
    Column("provider_payment_id", Text),
    Column("uses_payment_id", Boolean, nullable=False, server_default=false()),
    Column("status", Text, nullable=False),
    Column("sandbox", Boolean),
    Column("cancellation_id", Text),
    Column("sends", Integer, nullable=False),
    Column("memo", Text),
    Column("amount", Text),
    Column("currency", Text),
    Column("payment_url", Text),
    Column("code", Text),
    Column("message", Text),
    Column("settled", Text),
    Column("is_cancel_asked", Boolean, nullable=False, server_default=false()),
    Column("is_manual", Boolean, nullable=False, server_default=false()),
    Column("callback", Text),
    Column("callback_at", Double),
    Column("callback_attempts", Integer, nullable=False, server_default="0"),
    Column("lease_claim", Text),
    Column("lease_token", Text),
    Column("lease_until", Double),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("transaction_id", Text),
    Column("order_id", Text),
    PrimaryKeyConstraint("merchant_id", "payment_id"),
    Index("payments_callback", "callback_at"),
    Index("payments_of_status", "status", "created_at", "merchant_id", "payment_id"),
    Index("payments_of_merchant_status", "merchant_id", "status", "created_at", "payment_id"),
    _where_short("payments_by_authorization", "authorization_id"),
    _where_short("payments_by_provider_id", "provider_payment_id"),
    _where_set("payments_by_transaction", "transaction_id"),
    _where_set("payments_by_order", "order_id"),
)

# One row for each request: its claim, and its final reply. The two ids are the company's, from a
# notification. `looks` counts the attempts of reconcile since VTEX's last request.
requests = Table(
    "requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("merchant_id", ForeignKey("merchants.id"), nullable=False),
    Column("operation", Text, nullable=False),
    Column("payment_id", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("sandbox", Boolean, nullable=False),
    Column("value", Text),
    Column("authorization_id", Text),
    Column("provider_payment_id", Text),
    Column("state", Text, nullable=False),
    Column("code", Text),
    Column("message", Text),
    Column("reference", Text),
    Column("attempts", Integer, nullable=False),
    Column("reply_status", Integer),
    Column("reply_body", LargeBinary),
    Column("looks", Integer, nullable=False),
    Column("next_look_at", Double),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("reason", Text),
    Index("requests_due", "next_look_at"),
    Index("requests_of_payment", "merchant_id", "payment_id"),
    Index("requests_newest", "operation", "created_at"),
    Index("requests_of_merchant", "merchant_id", "operation", "created_at"),
    Index(
        "requests_open",
        "state",
        "operation",
        "created_at",
        sqlite_where=column("state") != "done",
        postgresql_where=column("state") != "done",
    ),
    Index(
        "requests_open_of_merchant",
        "merchant_id",
        "state",
        "operation",
        "created_at",
        sqlite_where=column("state") != "done",
        postgresql_where=column("state") != "done",
    ),
)

# One row for each write to a company, recorded before the write is sent. `state` is a `WriteState`.
sends = Table(
    "sends",
    metadata,
    Column("merchant_id", Integer, nullable=False),
    Column("payment_id", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("reference", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("failures_before", Integer, nullable=False),
    Column("claim_id", Text),
    Column("amount", Text),
    Column("refunded_before", Text),
    Column("sent_at", Double, nullable=False),
    PrimaryKeyConstraint("merchant_id", "payment_id", "action", "number"),
)

# The audit trail, and the stories of payments: one row for each `Step`. A connector of revision
# 0002, which may still run, writes one row at the end of each attempt.
events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("request", ForeignKey("requests.id"), nullable=False, index=True),
    Column("at", Double, nullable=False),
    Column("state", Text, nullable=False),
    Column("code", Text),
    Column("message", Text),
    Column("reason", Text),
    Column("kind", Text, nullable=False, server_default="ended"),
    Column("attempt", Integer),
    Column("action", Text),
    Column("reference", Text),
    Column("amount", Text),
    Column("word", Text),
    Column("http_status", Integer),
    Column("who", Text),
    Column("note", Text),
    Index(
        "events_called_back",
        "id",
        sqlite_where=column("kind") == "called-back",
        postgresql_where=column("kind") == "called-back",
    ),
)
