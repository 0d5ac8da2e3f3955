"""What VTEX was told of one payment, and whether it may be: it never unlearns a final answer."""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

# What VTEX asks to be paid.
AMOUNT = Decimal(100)
OWN = {
    "cancel": {"cancellationId"},
    "settle": {"settleId", "value"},
    "refund": {"refundId", "value"},
}
IDS = {"cancel": "cancellationId", "settle": "settleId", "refund": "refundId"}
COMMON = {"paymentId", "code", "message", "requestId"}
STATUSES = {"create": {200, 422, 500}, "settle": {200, 422, 500}}
OTHER_STATUSES = {200, 422, 500, 501}
PAYMENT = {"paymentId", "status", "authorizationId", "paymentUrl", "tid", "nsu", "acquirer", "code"}
PAYMENT |= {"message", "delayToAutoSettle", "delayToAutoSettleAfterAntifraud", "delayToCancel"}
# After these words VTEX may hear those.
FOLLOWERS = {
    None: {"undefined", "approved", "denied"},
    "undefined": {"undefined", "approved", "denied"},
    "approved": {"approved", "denied"},
    "denied": {"denied"},
}
FINAL = {"approved", "denied"}


@dataclass(frozen=True)
class Asked:
    """One request of VTEX's. `value` is None where it wrote none."""

    operation: str
    request_id: str = ""
    value: Decimal | None = None


@dataclass
class Told:
    """Everything VTEX heard."""

    is_adopting: bool
    status: str | None = None
    tid: str | None = None
    authorization_id: str | None = None
    has_page: bool = False
    cancellation_id: str | None = None
    settle_id: str | None = None
    settled: Decimal | None = None
    refunds: dict[str, Decimal] = field(default_factory=dict)
    # Each request asked; and by operation and requestId the final answer, and for what value.
    asked: set[Asked] = field(default_factory=set)
    kept: dict[tuple[str, str], tuple[Decimal | None, bytes]] = field(default_factory=dict)
    # Cancellations of a part of what is still there.
    parts: set[Asked] = field(default_factory=set)
    # Refunds that a person was asked to make.
    manual: set[str] = field(default_factory=set)
    # The id told of a part that is gone while the payment is not.
    part_cancellation_id: str | None = None
    callback: dict[str, Any] | None = None
    callbacks: int = 0
    callbacks_before_final: int | None = None

    @property
    def is_cancelled(self) -> bool:
        return self.cancellation_id is not None

    @property
    def refunded(self) -> Decimal:
        return sum(self.refunds.values(), Decimal())

    def of(self, operation: str) -> list[Asked]:
        return [one for one in self.asked if one.operation == operation]

    def unfinished(self) -> list[Asked]:
        """What VTEX repeats: every request without a final answer."""
        left = [one for one in self.asked if not self.has_kept(one)]
        return sorted(left, key=lambda one: (one.operation, one.request_id, one.value or 0))

    def has_kept(self, asked: Asked) -> bool:
        return (asked.operation, asked.request_id) in self.kept

    def hear(self, asked: Asked, answer: Any, *, was_kept: bool = False) -> None:
        """Take an answer, and see that it contradicts no earlier one.

        `was_kept` says that there was a final answer to the request before it was made.
        """
        allowed = STATUSES.get(asked.operation, OTHER_STATUSES)
        assert answer.status_code in allowed, (asked, answer.status_code, answer.data)
        body = json.loads(answer.data, parse_float=Decimal, parse_int=Decimal)
        if asked.operation == "create":
            self._hear_creation(answer, body)
            return
        fields = COMMON | OWN[asked.operation]
        assert set(body) == fields, (asked, body)
        assert isinstance(body["message"], str), body
        assert body["requestId"] == asked.request_id, (asked, body)
        if self.has_kept(asked) and not was_kept and answer.status_code == 500:
            # Another one of the same was quicker, and this one lost its turn.
            return
        if not self._is_kept(asked, answer):
            getattr(self, f"_hear_{asked.operation}")(asked, answer.status_code, body)
            self._keep(asked, answer.status_code, answer.data)

    def _is_kept(self, asked: Asked, answer: Any) -> bool:
        """A final answer is given again, byte for byte; nothing else is asked under its id."""
        kept = self.kept.get((asked.operation, asked.request_id))
        if kept is None:
            assert answer.status_code != 422, (asked, answer.data)
            return False
        if kept[0] == asked.value:
            assert answer.data == kept[1], (asked, kept, answer.data)
        else:
            assert answer.status_code == 422, (asked, kept, answer.data)
        return True

    def _keep(self, asked: Asked, status: int, answer: bytes) -> None:
        """Remember what is final: done; or a refund that is a person's."""
        is_persons = status == 501 and asked.operation == "refund"
        if status == 200 or is_persons:
            self.kept[asked.operation, asked.request_id] = asked.value, answer

    def _hear_creation(self, answer: Any, body: dict[str, Any]) -> None:
        if answer.status_code != 200:
            assert set(body) == {"status", "code", "message", "paymentId"}, body
            assert body["status"] == "error", body
            return
        assert set(body) >= PAYMENT, body
        self.hear_status(body)
        if self.callback and self.callback["status"] == body["status"]:
            self._compare_with_callback(body)
        if body["status"] in FINAL:
            self._know_the_end()

    def _compare_with_callback(self, body: dict[str, Any]) -> None:
        callback = self.callback or {}
        differing = {name for name in callback if callback[name] != body.get(name)}
        if self._may_be_bound_anew:
            differing -= {"tid", "nsu"}
        assert not differing, (callback, body)

    def hear_status(self, body: dict[str, Any]) -> None:
        """Take how the payment stands, in an answer or a callback."""
        word = body["status"]
        assert word in FOLLOWERS[self.status], f"{self.status} became {word}"
        if (self.status, word) == ("approved", "denied"):
            # A cancellation that a person was asked for may be done by now.
            assert self.of("cancel"), "denied what was approved, though not to be cancelled"
        if self.is_cancelled:
            is_refunded = word == "approved" and self.of("refund")
            assert word == "denied" or is_refunded, f"cancelled became {word}"
        self._keep_ids(body, word)
        self.status = word
        self.has_page |= bool(body["paymentUrl"])

    def _keep_ids(self, body: dict[str, Any], word: str) -> None:
        if self.tid is not None and not self._may_be_bound_anew:
            assert self.tid == body["tid"], (self.tid, body)
        self.tid = body["tid"]
        if word != "approved":
            return
        assert self.authorization_id in {None, body["authorizationId"]}, body
        assert body["authorizationId"], body
        self.authorization_id = body["authorizationId"]

    @property
    def _may_be_bound_anew(self) -> bool:
        """An adopted purchase gives its id when it is bound; until one is paid, another may be."""
        return self.is_adopting and self.status != "approved"

    def hear_callback(self, body: dict[str, Any]) -> None:
        self.callbacks += 1
        assert self.callbacks == 1, "VTEX took two callbacks of one payment"
        assert self.callbacks_before_final is None, "VTEX knew already"
        assert body["status"] in FINAL, body
        self.hear_status(body)
        self.callback = body

    def _know_the_end(self) -> None:
        if self.callbacks_before_final is None:
            self.callbacks_before_final = self.callbacks

    def _hear_cancel(self, asked: Asked, status: int, body: dict[str, Any]) -> None:
        is_part = asked in self.parts
        own = body["cancellationId"]
        assert (own is not None) is (status == 200), body
        assert status != 501 or body["code"] == "cancel-manually", body
        if own is None:
            return
        assert {self.cancellation_id, self.part_cancellation_id} <= {None, own}, body
        if is_part:
            self.part_cancellation_id = own
            return
        self.cancellation_id = own
        self._know_the_end()

    def _hear_settle(self, asked: Asked, status: int, body: dict[str, Any]) -> None:
        assert not (body["code"] or "").endswith("-manually"), body
        assert (body["settleId"] is not None) is (status == 200), body
        if status != 200:
            assert body["value"] == 0, body
            return
        assert self.settle_id in {None, body["settleId"]}, body
        assert self.settled in {None, body["value"]}, (self.settled, body)
        self.settle_id, self.settled = body["settleId"], body["value"]
        self._know_the_end()

    def _hear_refund(self, asked: Asked, status: int, body: dict[str, Any]) -> None:
        assert (body["refundId"] is not None) is (status == 200), body
        assert status != 501 or body["code"] == "refund-manually", body
        if status == 501:
            self.manual.add(asked.request_id)
        if status != 200:
            assert body["value"] == 0, body
            return
        assert body["value"] == asked.value, (asked, body)
        assert asked.request_id not in self.manual, "refunded what a person was to refund"
        self.refunds[asked.request_id] = body["value"]
        if self.status == "approved":
            # Only what VTEX knows to be approved has its end told by a refund.
            self._know_the_end()
