"""Read the value of a cancellation. VTEX writes the value in cents, or in units."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from connector.attempt import Attempt
from connector.domain.merchant import Merchant
from connector.domain.money import ValueUnit, is_all, only_unit, unit_in_use
from connector.domain.payment import Look
from connector.operations import writes
from connector.operations.job import MONEY_TAKEN, Job

# Records a unit in which VTEX wrote the value of a payment's cancellation.
RecordUnit = Callable[[Merchant, ValueUnit, str], object]


@dataclass(frozen=True, kw_only=True)
class CancellationValueJob(Job):
    """A request whose value may be in cents. `value_unit` is CONNECTOR_CANCEL_VALUE_UNIT."""

    value_unit: ValueUnit = ValueUnit.AUTO
    record_unit: RecordUnit | None = None

    @property
    def unit(self) -> ValueUnit:
        return unit_in_use(self.value_unit, self.merchant.units_seen)

    def is_whole(self, value: Decimal | None, look: Look, attempt: Attempt) -> bool:
        """Whether a value is the whole amount: the company's amount, or the amount of the create.

        The two differ if the buyer paid another amount. VTEX wants to cancel that amount, too.
        """
        if not self.provider.checks_cancel_value:
            return True
        amounts = {look.amount, attempt.payment.amount} - {None} or {None}
        return any(self.is_all(value, amount) for amount in amounts)

    def is_all(self, value: Decimal | None, amount: Decimal | None) -> bool:
        """Whether a value is the whole amount, in a unit that VTEX uses."""
        return is_all(value, amount, self.value_unit, self._units(amount))

    def _units(self, amount: Decimal | None) -> frozenset[ValueUnit]:
        """Return the units of the values in earlier requests, and in this request."""
        value = self.request.value
        unit = None if value is None or amount is None else only_unit(value, amount)
        return self.merchant.units_seen | ({unit} if unit else set())

    def record_units(self, look: Look, attempt: Attempt) -> None:
        """Record the units that VTEX uses, if this request shows them."""
        amounts = _amounts(look, attempt)
        if not (self.record_unit and amounts and self.provider.checks_cancel_value):
            return
        for unit in self._units(max(amounts)) - self.merchant.units_seen:
            self.record_unit(self.merchant, unit, self.request.payment.payment_id)


def released_or_returned(look: Look, attempt: Attempt) -> Decimal:
    """Return the amount of a taken payment that is neither held nor taken any more.

    A settlement of the other part released this amount, or a person returned it.
    """
    amounts = _amounts(look, attempt)
    taken = attempt.payment.settled if look.captured is None else look.captured
    if look.standing not in MONEY_TAKEN or taken is None or not amounts:
        return Decimal()
    return max(amounts) - taken + writes.refunded_by_a_person(look, attempt)


def _amounts(look: Look, attempt: Attempt) -> list[Decimal]:
    """Return the company's amount and the amount of the create, if they are known."""
    return [amount for amount in (look.amount, attempt.payment.amount) if amount is not None]
