"""What the value of a cancellation means: VTEX writes it in cents, or in units."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from connector.attempt import Attempt
from connector.domain.merchant import Merchant
from connector.domain.money import ValueUnit, is_all, narrowed, only_unit
from connector.domain.payment import Look
from connector.operations import writes
from connector.operations.job import TAKEN, Job

# Remembers a unit in which VTEX wrote the value of a payment's cancellation.
SeeUnit = Callable[[Merchant, ValueUnit, str], object]


@dataclass(frozen=True, kw_only=True)
class CancellationValueJob(Job):
    """Acts for a request whose value may be in cents; `value_unit` is what is configured."""

    value_unit: ValueUnit = ValueUnit.AUTO
    see_unit: SeeUnit | None = None

    @property
    def unit(self) -> ValueUnit:
        return narrowed(self.value_unit, self.merchant.units_seen)

    def is_whole(self, value: Decimal | None, look: Look, attempt: Attempt) -> bool:
        """Whether all is to go: of what the company shows, or of what VTEX created.

        These differ where the buyer paid another amount: then VTEX wants that gone, too.
        """
        if not self.provider.checks_cancel_value:
            return True
        known = {look.amount, attempt.payment.amount} - {None} or {None}
        return any(self.is_all(value, amount) for amount in known)

    def is_all(self, value: Decimal | None, amount: Decimal | None) -> bool:
        """Whether a value of VTEX's is all of an amount, in the unit it was seen to write."""
        return is_all(value, amount, self.value_unit, self._units(amount))

    def _units(self, amount: Decimal | None) -> frozenset[ValueUnit]:
        """Return the units VTEX was seen to write, in this request too."""
        value = self.request.value
        unit = None if value is None or amount is None else only_unit(value, amount)
        return self.merchant.units_seen | ({unit} if unit else set())

    def learn_unit(self, look: Look, attempt: Attempt) -> None:
        amounts = [a for a in (look.amount, attempt.payment.amount) if a is not None]
        if not (self.see_unit and amounts and self.provider.checks_cancel_value):
            return
        for unit in self._units(max(amounts)) - self.merchant.units_seen:
            self.see_unit(self.merchant, unit, self.request.payment.payment_id)


def gone(look: Look, attempt: Attempt) -> Decimal:
    """Return what of a taken payment is neither held nor taken any more.

    A settlement in part released it, or a person returned it.
    """
    amounts = [a for a in (attempt.payment.amount, look.amount) if a is not None]
    taken = attempt.payment.settled if look.captured is None else look.captured
    if look.standing not in TAKEN or taken is None or not amounts:
        return Decimal()
    return max(amounts) - taken + writes.refunded_by_a_person(look, attempt)
