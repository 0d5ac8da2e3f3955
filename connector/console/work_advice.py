"""What a person must do for a row of work, and what not. The texts are in `work_texts`.

A row is told by its operation, its company, and the words that the operations record. The first
rule that fits counts. `docs/running.md`, "What a person must do", says the same in English.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from connector.console import work_texts as texts
from connector.console.work_texts import Advice
from connector.domain.operation import ListedRequest, Operation, State
from connector.storage.work_list import WorkRow

_ENDING = frozenset({Operation.CANCEL, Operation.NOTIFICATION})
_REFUND = frozenset({Operation.REFUND})
_SETTLE = frozenset({Operation.SETTLE})
_ALL = frozenset(Operation)


@dataclass(frozen=True)
class Rule:
    """Fits a row whose operation and company are named, and whose words fit the expression.

    `says` is searched in the reason and the message. `code` is searched in the code. No `provider`
    means every company. Some rules fit only `while_looking`: reconcile will look again.
    """

    advice: Advice
    operations: frozenset[Operation] = _ALL
    says: str = ""
    code: str = ""
    provider: str = ""
    while_looking: bool = False

    def fits(self, work: WorkRow) -> bool:
        row = work.request
        is_of_company = self.provider in {"", row.provider}
        is_in_time = work.next_look_at is not None or not self.while_looking
        return (
            row.operation in self.operations and is_of_company and is_in_time and self._reads(row)
        )

    def _reads(self, row: ListedRequest) -> bool:
        words = f"{row.reason or ''}\n{row.message or ''}"
        return bool(re.search(self.says, words) and re.search(self.code, row.code or ""))


# What the operations of `connector/operations` say of a refund, in the order of their urgency.
_OF_REFUNDS = (
    Rule(texts.WALLET, _REFUND, r"refund wallet"),
    Rule(texts.REFUNDED_LATE, _REFUND, code=r"^refunded-late$"),
    Rule(texts.NO_TRACE, _REFUND, r"no trace of this refund", while_looking=True),
    Rule(texts.NOT_REFUNDED, _REFUND, r"This refund was not made"),
    Rule(texts.REFUND_IS_OPEN, _REFUND, r"Do not refund this by hand", while_looking=True),
    Rule(texts.CANNOT_REFUND, _REFUND, r"cannot refund this payment"),
    Rule(texts.WHOLE_REFUNDS_ONLY, _REFUND, r"refunds whole payments only"),
    Rule(texts.REFUND_REFUSED, _REFUND, r"the provider (failed to refund it|refused it)"),
)
# The word of a company in the reason "the provider says ...". They are the same for a refund.
_OF_WORDS = (
    Rule(texts.OTHER_ORDER_OF_IDS, says=r"provider says .* of another order"),
    Rule(texts.PAID_TWICE, says=r"the provider says", provider="tranzzo"),
    Rule(texts.SPLIT, says=r"the provider says CONFIRMED", provider="yandex_pay"),
    Rule(texts.ROLLED_BACK, says=r"the provider says FAILED", provider="yandex_pay"),
    Rule(texts.HOLD_WITHOUT_ID, says=r"the provider says PAID", provider="rustore"),
    Rule(
        texts.CRYPTO_PAID,
        says=r"the provider says (paid|paid_over|wrong_amount)\b",
        provider="cryptomus",
    ),
    Rule(
        texts.CRYPTO_LOCKED,
        says=r"the provider says (locked|system_fail|refund_fail)\b",
        provider="cryptomus",
    ),
    Rule(texts.STUCK, says=r"the provider says"),
)
_OF_ENDINGS = (
    Rule(texts.CAPTURED_AND_RETURNED_IN_PART, _ENDING, r"captured and partly refunded"),
    Rule(texts.CAPTURED, _ENDING, r"the money is already captured"),
    Rule(texts.UNPAID, _ENDING, r"cannot cancel an unpaid payment"),
    Rule(texts.UNSUPPORTED, _ENDING, r"cannot cancel a payment in this state"),
    Rule(texts.PART, _ENDING, r"only the whole payment can be cancelled"),
    Rule(texts.UNKNOWN_ID, _ENDING, r"a payment that VTEX holds an id of"),
    Rule(texts.NO_LOOK, _ENDING, r"cannot look this payment up"),
    Rule(texts.CANCEL_REFUSED, _ENDING, r"the provider (failed to \w+ it|refused it)"),
    Rule(texts.SETTLED_SINCE, _ENDING, r"VTEX settled the payment since"),
    Rule(texts.ANOTHER_AMOUNT, _ENDING, r"The buyer paid another amount"),
    Rule(texts.ANOTHER_ORDER, _ENDING, r"shows this purchase under another order"),
    Rule(texts.SECOND_PURCHASE, _ENDING, r"A second purchase was paid"),
)
_OF_SETTLEMENTS = (Rule(texts.EQUAL_PART, _SETTLE, r"an equal part was settled"),)
# The week of looks is over. Only the code of the last attempt is known.
_OF_CODES = (
    Rule(texts.REFUND_CREDENTIALS, _REFUND, code=r"^provider-credentials$"),
    Rule(texts.CREDENTIALS, code=r"^provider-credentials$"),
    Rule(texts.REFUND_CERTIFICATE, _REFUND, code=r"^provider-certificate$"),
    Rule(texts.CERTIFICATE, code=r"^provider-certificate$"),
    Rule(texts.REFUND_PENDING, _REFUND, code=r"-pending$"),
    Rule(texts.PENDING, code=r"-pending$"),
    Rule(texts.REFUND_UNKNOWN, _REFUND),
    Rule(texts.SETTLE_UNKNOWN, _SETTLE),
    Rule(texts.CANCEL_UNKNOWN),
)
RULES: Sequence[Rule] = (
    *_OF_REFUNDS,
    *_OF_WORDS,
    *_OF_ENDINGS,
    *_OF_SETTLEMENTS,
    *_OF_CODES,
)


def advice_for(work: WorkRow) -> Advice:
    """Return what a person must know of a row of the work."""
    if work.request.state is not State.MANUAL:
        return texts.OPEN_REFUND
    return next(rule.advice for rule in RULES if rule.fits(work))
