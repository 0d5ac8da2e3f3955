"""What is remembered of a payment's cancellations."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

# A cancelled payment is denied without the company's word for its authorization.
_FORGET_WORDS = "UPDATE payments SET code = NULL WHERE status = 'CANCELLED' AND message IS NULL"

# An answer that asks for a person is not kept any more, whichever HTTP status it had. A text from
# outside has its quotes escaped, so that nothing else in a reply looks like this.
_CODE = '"code": "cancel-manually"'
_IS_MANUAL = {
    "sqlite": f"instr(reply_body, CAST('{_CODE}' AS BLOB)) > 0",
    "postgresql": f"position(convert_to('{_CODE}', 'UTF8') in reply_body) > 0",
}

# What such a person was told to return is not returned beside them.
_LEAVE_TO_THE_PERSON = """
    UPDATE payments SET is_manual = TRUE
    WHERE EXISTS (
        SELECT 1 FROM requests
        WHERE requests.merchant_id = payments.merchant_id
            AND requests.payment_id = payments.payment_id AND operation = 'cancel' AND {})"""
_FORGET_REPLIES = """
    UPDATE requests SET reply_status = NULL, reply_body = NULL
    WHERE operation = 'cancel' AND {}"""


def upgrade() -> None:
    for name in ("is_manual", "uses_payment_id"):
        flag = sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())
        op.add_column("payments", flag)
    for name in ("cents_seen", "units_seen"):
        op.add_column("merchants", sa.Column(name, sa.Text))
    op.execute(_FORGET_WORDS)
    is_manual = _IS_MANUAL[op.get_bind().dialect.name]
    op.execute(_LEAVE_TO_THE_PERSON.format(is_manual))
    op.execute(_FORGET_REPLIES.format(is_manual))
