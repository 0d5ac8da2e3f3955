"""What VTEX, buyers and companies may do, and where an example begins."""

from decimal import Decimal

from tests.stateful.told import AMOUNT, Asked

CREATE = Asked("create", "", AMOUNT)
PART = Decimal("33.33")
# What VTEX asks for: two requestIds for all, one for a part, two equal ones.
CANCELS = [
    Asked("cancel", "c1"),
    Asked("cancel", "c2", 100 * AMOUNT),
    Asked("cancel", "c3", AMOUNT),
    Asked("cancel", "c-part", PART),
]
SETTLES = [
    Asked("settle", "s1", AMOUNT),
    Asked("settle", "s2", AMOUNT),
    Asked("settle", "s-part", 2 * PART),
]
REFUNDS = [
    Asked("refund", "r1", PART),
    Asked("refund", "r2", PART),
    Asked("refund", "r3", 2 * PART),
    Asked("refund", "r4", AMOUNT),
    Asked("refund", "r5", AMOUNT),
]
ASKS = [CREATE, *CANCELS, *SETTLES, *REFUNDS]
FAULTS = [
    {"kind": "reset_before"},
    {"kind": "reset_after"},
    {"kind": "status_before", "status": 503, "body": b"<html>"},
    {"kind": "status_after", "status": 502, "body": b"<html>"},
    {"kind": "status_after", "status": 500},
    {"kind": "answer", "body": b"<html>"},
    {"kind": "truncated"},
]
BUYER = ["begin_paying", "pay", "decline", "expire"]
TROUBLED = [CREATE, *CANCELS[:2], SETTLES[0], *REFUNDS[:4]]
# Where an example begins, the usual more often than the others.
CREATED = ["create", "start", "tell"]
PAID = [*CREATED, "pay"]
APPROVED = [*PAID, "tell"]
SETTLED = [*APPROVED, "settle_all"]
BEGINNINGS = [
    [],
    *[CREATED] * 2,
    PAID,
    *[APPROVED] * 2,
    *[SETTLED] * 3,
    [*APPROVED, "begin_in_haste"],
    # A worker stands still after its look, while another cancels what it looked at.
    [*CREATED, "cancel_within_a_look", "create", "create"],
    [*APPROVED, "cancel_within_a_look", "settle_all", "create"],
    # VTEX hears by an answer what no callback told it.
    [*PAID, "callbacks_fail", "tell", "create"],
    [*PAID, "callbacks_fail", "tell", "settle_all"],
    # Another amount is paid than VTEX asked for; what it wanted gone is paid after that.
    [*CREATED, "underpay", "reconcile", "create"],
    [*CREATED, "cancel_all", "pay", "tell", "reconcile", "create"],
]
