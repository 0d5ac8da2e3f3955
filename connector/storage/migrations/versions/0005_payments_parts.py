"""What is remembered of a payment's amounts."""

from alembic import op

revision = "0005"
down_revision = "0004"

# A cancelled payment is denied without the company's word for its authorization.
_FORGET_WORDS = "UPDATE payments SET code = NULL WHERE status = 'CANCELLED' AND message IS NULL"


def upgrade() -> None:
    op.execute(_FORGET_WORDS)
