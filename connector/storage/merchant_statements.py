"""The statements of merchants and their AppTokens."""

INSERT = """
    INSERT INTO merchants (
        name, provider, app_key, settings, sandbox, captured, disabled, settings_from, revision,
        created_at, updated_at, store, account)
    VALUES (
        :name, :provider, :app_key, :settings, :sandbox, :captured, false, :settings_from, 0,
        NOW, NOW, :store, :account)
    ON CONFLICT DO NOTHING
    RETURNING id"""

_COLUMNS = (
    "id, name, provider, settings, sandbox, captured, app_key, disabled, settings_from, "
    "fields_seen, cents_seen, units_seen, store, account"
)
ALL = f"SELECT {_COLUMNS} FROM merchants ORDER BY name"  # noqa: S608 - the column list above
NAMED = f"SELECT {_COLUMNS} FROM merchants WHERE name = :name"  # noqa: S608 - likewise
OF_ACCOUNT = f"""
    SELECT {_COLUMNS} FROM merchants
    WHERE store = :store AND provider = :provider AND account = :account"""  # noqa: S608 - likewise
OF_STORE = "SELECT id FROM merchants WHERE store = :store AND provider = :provider LIMIT 1"

# Running servers notice a change of any merchant by the sum of the revisions. This statement is the
# first of a transaction, because it locks the row against other transactions.
TOUCH = f"""
    UPDATE merchants SET
        revision = (SELECT max(revision) + 1 FROM merchants), updated_at = NOW
    WHERE name = :name
    RETURNING {_COLUMNS}"""  # noqa: S608 - likewise
# The sum, not the maximum, because two changes at the same time may get the same revision.
REVISION = """
    SELECT coalesce(sum(revision), -1) AS revision, count(*) AS merchants FROM merchants"""

# A command shows its token to a person, who gives the token to VTEX. So it counts as used.
INSERT_LIVE = """
    INSERT INTO merchant_tokens (merchant_id, digest, created_at, used_at)
    VALUES (:id, :digest, NOW, NOW)"""
INSERT_UNUSED = """
    INSERT INTO merchant_tokens (merchant_id, digest, created_at) VALUES (:id, :digest, NOW)"""
NEWER = "SELECT 1 FROM merchant_tokens WHERE merchant_id = :id AND id > :newest"
INSERT_SEALED = """
    INSERT INTO merchant_tokens (merchant_id, digest, created_at, sealed, sealed_until)
    VALUES (:id, :digest, NOW, :sealed, CAST(:until AS DOUBLE PRECISION))
    RETURNING id"""
# Live are the newest two tokens, the newest that was used, and the newest that VTEX fetched. So a
# flow that a merchant drops never ends a token that VTEX may have.
DROP = """
    DELETE FROM merchant_tokens
    WHERE merchant_id = :id
        AND id NOT IN (
            SELECT id FROM merchant_tokens WHERE merchant_id = :id ORDER BY id DESC LIMIT 2)
        AND id != coalesce((
            SELECT max(id) FROM merchant_tokens
            WHERE merchant_id = :id AND used_at IS NOT NULL), 0)
        AND id != coalesce((
            SELECT max(id) FROM merchant_tokens
            WHERE merchant_id = :id AND (fetched_at IS NOT NULL OR used_at IS NOT NULL)), 0)"""
TOKENS = "SELECT merchant_id, digest, used_at IS NULL AS is_unused FROM merchant_tokens"
TOKEN_TIMES = "SELECT created_at FROM merchant_tokens WHERE merchant_id = :id ORDER BY id DESC"  # noqa: S105 - no secret
# The first use ends the time in which VTEX may fetch the token.
USE = """
    UPDATE merchant_tokens SET used_at = NOW, sealed = NULL, sealed_until = NULL
    WHERE merchant_id = :id AND digest = :digest AND used_at IS NULL"""

TIMES = "SELECT created_at, updated_at, fields_seen_at FROM merchants WHERE id = :id"
UPDATE = """
    UPDATE merchants SET
        settings = coalesce(:settings, settings), sandbox = coalesce(:sandbox, sandbox),
        captured = coalesce(:captured, captured),
        settings_from = coalesce(:settings_from, settings_from),
        store = coalesce(:store, store), account = :account
    WHERE id = :id"""
DISABLE = "UPDATE merchants SET disabled = :disabled WHERE id = :id"

SEALED = "SELECT id, name, settings FROM merchants ORDER BY name"
# If the settings changed after they were read, they are already encrypted with the newest key.
RESEAL = "UPDATE merchants SET settings = :sealed WHERE id = :id AND settings = :before"

IS_SEEN = "SELECT 1 FROM merchants WHERE id = :id AND fields_seen = :seen"
SEE = "UPDATE merchants SET fields_seen = :seen, fields_seen_at = NOW WHERE id = :id"

# The column keeps the first payment whose cancellation could only be in this unit.
SEE_CENTS = "UPDATE merchants SET cents_seen = :payment_id WHERE id = :id AND cents_seen IS NULL"
SEE_UNITS = "UPDATE merchants SET units_seen = :payment_id WHERE id = :id AND units_seen IS NULL"
