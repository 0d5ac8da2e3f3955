"""The unit of a cancellation's value: what VTEX once wrote says what `auto` means from then on."""

from typing import Any

import pytest

from connector.cli.check import advice
from tests.companies.tranzzo import TranzzoCompany
from tests.rig import Rig

# Of 100.00 it is all in units, and one hundredth in cents.
UNCLEAR = 100


def cancel(rig: Rig, company: Any, payment_id: str, value: Any) -> int:
    """Cancel one of 100.00 that is held."""
    company.create(payment_id, amount="100.00")
    # What is remembered reaches running servers; here at once.
    rig.configure()
    return rig.cancel(payment_id, value=value).status_code


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (None, {100: 200, 10000: 200}),
        (10000, {100: 501, 10000: 200}),
        (3333, {100: 501, 10000: 200}),
        (33.33, {100: 200}),
        (100, {100: 200, 10000: 200}),
    ],
)
def test_what_can_only_be_one_unit_decides_from_then_on(
    rig_on_both: Rig, first: Any, then: dict[Any, int]
) -> None:
    with TranzzoCompany() as company:
        rig_on_both.add(company)
        if first is not None:
            cancel(rig_on_both, company, "P0", first)
        answers = {value: cancel(rig_on_both, company, f"P{value}", value) for value in then}

    assert then == answers


def test_after_both_units_only_what_can_be_one_alone_is_cancelled(rig_on_both: Rig) -> None:
    rig = rig_on_both
    with TranzzoCompany() as company:
        rig.add(company)
        asked = [33.33, 3333, UNCLEAR, 10000]
        answers = [cancel(rig, company, f"P{number}", one) for number, one in enumerate(asked)]
        told = advice(rig.connector, None)

    assert [501, 501, 501, 200] == answers
    assert [one for one in told if "in cents and units" in one and "VALUE_UNIT" in one]


def test_what_is_configured_counts_whatever_was_seen(rig: Rig) -> None:
    with TranzzoCompany() as company:
        rig.add(company)
        rig.configure(CONNECTOR_CANCEL_VALUE_UNIT="units")
        assert [501, 200] == [cancel(rig, company, f"P{one}", one) for one in (3333, 100)]


def test_check_tells_the_unit_that_was_seen(rig: Rig) -> None:
    with TranzzoCompany() as company:
        rig.add(company)
        before = advice(rig.connector, None)
        cancel(rig, company, "P0", 10000)
        rig.configure()
        told = advice(rig.connector, None)

    assert not [one for one in before if "cancellations in" in one]
    assert [one for one in told if one.endswith("the value of cancellations in cents")]
