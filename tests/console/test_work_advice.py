"""Each reason for which the operations leave a request to a person has an advice of its own."""

import ast
import inspect
from dataclasses import dataclass
from itertools import product
from types import ModuleType

import pytest

from connector.console import work_advice, work_texts
from connector.console.work_advice import advice_for
from connector.console.work_texts import Advice
from connector.domain.operation import ListedRequest, Operation, State
from connector.operations import cancellation, notify, refund, refund_outcomes, settle
from connector.providers import cryptomus
from connector.storage.work_list import WorkRow

PROVIDERS = ("tranzzo", "yandex_pay", "rustore", "cryptomus")


def row(
    operation: str,
    message: str = "",
    *,
    reason: str | None = None,
    code: str = "cancel-manually",
    provider: str = "tranzzo",
    state: State = State.MANUAL,
    next_look_at: float | None = 1.0,
) -> WorkRow:
    request = ListedRequest(
        merchant="shop",
        provider=provider,
        operation=operation,
        payment_id="P1",
        request_id="r-1",
        state=state,
        code=code,
        reference=None,
        attempts=1,
        created_at=0.0,
        updated_at=0.0,
        message=message,
        reason=reason,
    )
    return WorkRow("0" * 64, 1, request, None, None, None, next_look_at)


@dataclass(frozen=True)
class Said:
    """A text that an operation gives to a person."""

    operation: Operation
    text: str


def texts_in(module: ModuleType, *names: str) -> list[str]:
    """Return the texts that a module gives to the functions of these names, or to such values."""
    found = []
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(names):
            found += [text_of(node.args[0])] if node.args else []
    return [text for text in found if text]


def text_of(node: ast.expr) -> str:
    """Return the text of an expression. A value in it is the word of a company."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    parts = node.values if isinstance(node, ast.JoinedStr) else []
    return "".join(p.value if isinstance(p, ast.Constant) else "release" for p in parts)


CANCELLED = [
    *texts_in(cancellation, "_manual"),
    *cancellation._MANUAL_REASONS.values(),
    cancellation._UNSUPPORTED,
]
REFUNDED = texts_in(refund, "_manual", "outcomes.manual")
SAID = [
    *(Said(Operation.CANCEL, text) for text in CANCELLED),
    *(Said(Operation.NOTIFICATION, text) for text in (*CANCELLED, *texts_in(notify, "_manual"))),
    *(Said(Operation.REFUND, text) for text in REFUNDED),
    Said(Operation.REFUND, refund_outcomes._NO_TRACE),
    Said(Operation.REFUND, refund_outcomes._NOT_MADE),
    Said(Operation.REFUND, cryptomus.Cryptomus.after_refund),
    Said(Operation.SETTLE, settle._MAY_BE_SECOND),
]


def is_general(advice: Advice) -> bool:
    return any(advice is rule.advice for rule in work_advice._OF_CODES)


def test_the_texts_of_the_operations_are_found() -> None:
    assert len(CANCELLED) >= 10
    assert "the provider cannot refund this payment" in REFUNDED
    assert [] != texts_in(notify, "_manual")


@pytest.mark.parametrize("said", SAID, ids=str)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_reason_has_an_advice_of_its_own(said: Said, provider: str) -> None:
    as_reason = row(said.operation, f"It must be done by hand: {said.text}", reason=said.text)
    as_message = row(said.operation, said.text, provider=provider)
    assert not is_general(advice_for(as_reason))
    assert not is_general(advice_for(as_message))


def says(provider: str, word: str, operation: str = "cancel") -> Advice:
    return advice_for(row(operation, reason=f"the provider says {word}", provider=provider))


@pytest.mark.parametrize("operation", ["cancel", "notification", "refund"])
def test_the_word_of_a_company_is_understood(operation: str) -> None:
    assert work_texts.PAID_TWICE is says("tranzzo", "success", operation)
    assert work_texts.SPLIT is says("yandex_pay", "CONFIRMED", operation)
    assert work_texts.ROLLED_BACK is says("yandex_pay", "FAILED", operation)
    assert work_texts.HOLD_WITHOUT_ID is says("rustore", "PAID", operation)
    assert work_texts.OTHER_ORDER_OF_IDS is says("rustore", "PAID of another order", operation)
    for word in ("paid", "paid_over", "wrong_amount"):
        assert work_texts.CRYPTO_PAID is says("cryptomus", word, operation)
    for word in ("locked", "system_fail", "refund_fail"):
        assert work_texts.CRYPTO_LOCKED is says("cryptomus", word, operation)
    assert work_texts.STUCK is says("yandex_pay", "NEW_WORD", operation)


CODES = ["outcome-unknown", "provider-unavailable", "provider-refused", "provider-credentials"]
CODES += ["provider-certificate", "cancel-pending", "settle-pending", "refund-pending"]
CODES += ["internal-error", "payment-busy", "storage-unavailable"]


@pytest.mark.parametrize(("operation", "code"), list(product(Operation, CODES)))
def test_each_code_has_an_advice(operation: str, code: str) -> None:
    assert is_general(advice_for(row(operation, "A message", code=code)))


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("next_look_at", [None, 1.0])
def test_a_refund_that_may_still_come_is_never_to_be_made_by_hand(
    code: str, next_look_at: float | None
) -> None:
    message = "Do not refund this by hand: the provider did not say"
    refund_row = row("refund", message, code=code, next_look_at=next_look_at)
    assert work_texts._NOT_WHILE_OPEN is advice_for(refund_row).avoid
    is_looked_at = advice_for(refund_row) is work_texts.REFUND_IS_OPEN
    assert is_looked_at is (next_look_at is not None)


@pytest.mark.parametrize("state", [State.RUNNING, State.UNKNOWN, State.WAITING])
def test_an_open_refund_is_told_so_whatever_was_recorded(state: State) -> None:
    assert work_texts.OPEN_REFUND is advice_for(row("refund", "refund wallet", state=state))


def test_a_late_refund_is_not_to_be_repeated() -> None:
    late = row("refund", "VTEX was told that this refund failed; it is done", code="refunded-late")
    assert work_texts.REFUNDED_LATE is advice_for(late)
    wallet = row("refund", f"Refunded. {cryptomus.Cryptomus.after_refund}", code="refunded-late")
    assert work_texts.WALLET is advice_for(wallet)


def test_every_text_of_the_advice_is_used() -> None:
    used = [id(rule.advice) for rule in work_advice.RULES] + [id(work_texts.OPEN_REFUND)]
    kept = [value for value in vars(work_texts).values() if isinstance(value, Advice)]
    assert not [advice for advice in kept if id(advice) not in used]
