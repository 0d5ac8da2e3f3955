"""The statements of merchants and their AppTokens."""

INSERT = """
    INSERT INTO merchants (
        name, provider, app_key, settings, sandbox, captured, disabled, settings_from, revision,
        created_at, updated_at)
    VALUES (
        :name, :provider, :app_key, :settings, :sandbox, :captured, false, :settings_from, 0,
        NOW, NOW)
    ON CONFLICT (name) DO NOTHING
    RETURNING id"""

_COLUMNS = (
    "id, name, provider, settings, sandbox, captured, app_key, disabled, settings_from, "
    "fields_seen, cents_seen, units_seen"
)
ALL = f"SELECT {_COLUMNS} FROM merchants ORDER BY name"  # noqa: S608 - the column list above
NAMED = f"SELECT {_COLUMNS} FROM merchants WHERE name = :name"  # noqa: S608 - likewise

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

INSERT_DIGEST = """
    INSERT INTO merchant_tokens (merchant_id, digest, created_at) VALUES (:id, :digest, NOW)"""
DROP_TOKENS = """
    DELETE FROM merchant_tokens WHERE merchant_id = :id AND id NOT IN (
        SELECT id FROM merchant_tokens WHERE merchant_id = :id ORDER BY id DESC LIMIT :live)"""
TOKENS = "SELECT merchant_id, digest FROM merchant_tokens"
TOKEN_TIMES = "SELECT created_at FROM merchant_tokens WHERE merchant_id = :id ORDER BY id DESC"  # noqa: S105 - no secret

TIMES = "SELECT created_at, updated_at, fields_seen_at FROM merchants WHERE id = :id"
UPDATE = """
    UPDATE merchants SET
        settings = coalesce(:settings, settings), sandbox = coalesce(:sandbox, sandbox),
        captured = coalesce(:captured, captured),
        settings_from = coalesce(:settings_from, settings_from)
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
