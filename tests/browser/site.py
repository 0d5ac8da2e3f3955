"""A connector as it is after a busy day, served for the browser, with the companies' stand-ins."""

import itertools
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli.shell import Operator, logging_as_it_was
from tests.companies.registry import CRYPTOMUS, RUSTORE, TRANZZO, YANDEX_PAY, CompanyEntry
from tests.rig import Served, free_port
from tests.server.cancellations import new_id
from tests.server.shops import Shops
from tests.sink import Sink

# The merchants by name, each at its company. DEMO pays at the sandbox.
SHOPS: Mapping[str, CompanyEntry] = {
    "toys": TRANZZO,
    "books": YANDEX_PAY,
    "games": RUSTORE,
    "coins": CRYPTOMUS,
}
DEMO = "demo"
# A company that hangs costs a page this long, and no test may wait for VTEX's 18 s.
SECONDS = {"CONNECTOR_ANSWER_SECONDS": "2", "CONNECTOR_PROVIDER_SECONDS": "1"}
# The buyer of a RuStore purchase begins it in the app, which knows one price.
PRICE = 100

CALLED_IN_VAIN = "SELECT 1 FROM payments WHERE payment_id = :id AND callback_attempts > 0"


@dataclass
class Payment:
    """One payment, as VTEX, the buyer and the company lead it on."""

    site: "Site"
    merchant: str
    id: str
    amount: Any = PRICE

    @property
    def path(self) -> str:
        return f"/console/payments/{self.merchant}/{self.id}"

    @property
    def company(self) -> Any:
        return self.site.company(self.merchant)

    @property
    def there(self) -> Any:
        return SHOPS[self.merchant].payment(self.company, self.id)

    def create(self, **fields: Any) -> "Payment":
        entry = SHOPS.get(self.merchant)
        more = {"callbackUrl": self.site.sink.url, "transactionId": new_id(), "orderId": self.order}
        more["currency"] = entry.currency if entry else "BRL"
        self._ok(self.site.served.create(self.id, self.amount, self.merchant, **more | fields))
        return self

    @property
    def order(self) -> str:
        return f"v{int(self.id[:6], 16)}str-01"

    def pay(self) -> "Payment":
        """The buyer pays, and the company tells."""
        if not SHOPS[self.merchant].has_page:
            self.there.start()
        self.there.pay()
        return self.tell()

    def tell(self) -> "Payment":
        self._ok(self.site.served.notify(self.company, self.id, self.merchant))
        return self

    def settle(self, amount: Any = None) -> "Payment":
        value = self.amount if amount is None else amount
        self._ok(self.site.served.settle(self.id, value, f"S-{value}", self.merchant))
        return self

    def refund(self, amount: Any = None, status: int = 200) -> "Payment":
        value = self.amount if amount is None else amount
        answer = self.site.served.refund(self.id, value, f"R-{value}", self.merchant)
        assert answer.status_code == status, answer.text
        return self

    def cancel(self, status: int = 200) -> "Payment":
        answer = self.site.served.cancel(self.id, "C-1", merchant=self.merchant)
        assert answer.status_code == status, answer.text
        return self

    def _ok(self, answer: Any) -> None:
        assert answer.status_code == 200, answer.text


class Site(Shops):
    """Serves the connector at `url`. `payments` are those that a test may look for, by a word."""

    def __init__(self, url: str, folder: Path) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.sink = Sink()
        self.payments: dict[str, Payment] = {}
        self._count = itertools.count(1)
        on = {"CONNECTOR_CONSOLE": "on", "CONNECTOR_PUBLIC_URL": self.url}
        on["CONNECTOR_PROXIES"] = "127.0.0.1"
        super().__init__(url, folder, **SECONDS, **on)

    def count(self) -> int:
        """Return a number that was never returned before."""
        return next(self._count)

    def _open(self, stack: ExitStack) -> None:
        stack.enter_context(self.sink)
        self.rig.configure(CONNECTOR_CALLBACK_HOSTS=self.sink.host)
        for name, entry in SHOPS.items():
            self.rig.add(self.at(entry, stack), name=name, **entry.settings)
        self.rig.add(name=DEMO, sandbox=True)
        self.operator = Operator(self.rig)
        self.served = stack.enter_context(Served(self.rig, port=self._port, threads=8))

    def company(self, merchant: str) -> Any:
        """Return the stand-in of the company of a merchant."""
        return self._companies[SHOPS[merchant]]

    def run(self, *arguments: str) -> Any:
        """Run a command that prints JSON."""
        with logging_as_it_was():
            return self.operator.json(*arguments)

    def payment(self, merchant: str, amount: Any = PRICE, **fields: Any) -> Payment:
        """Make a payment at a merchant."""
        return Payment(self, merchant, new_id(), amount).create(**fields)

    def fill(self) -> None:
        """Let a payment of each kind be there, and each kind of work."""
        for word, make in KINDS.items():
            self.payments[word] = make(self)


def until(holds: Callable[[], object]) -> None:
    """Wait for what the server does after its answer."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _cut_off(site: Site) -> Payment:
    """A settlement whose answer is lost, and no look shows what became of it."""
    payment = site.payment("toys", 310.2).pay()
    payment.company.hide("capture")
    payment.company.inject("reset_after", "capture")
    answer = site.served.settle(payment.id, 310.2, "S-1", "toys")
    assert answer.status_code == 500, answer.text
    payment.company.show()
    return payment


def _untold(site: Site) -> Payment:
    """VTEX takes no callback, so that one stays due."""
    site.sink.inject("status_before", status=503, times=10**9)
    payment = site.payment("books", 77).pay()
    until(lambda: [call for call in site.sink.calls if payment.id in call.body.decode()])
    until(lambda: site.rig.execute(CALLED_IN_VAIN, id=payment.id))
    site.sink.show()
    return payment


def _by_hand(site: Site) -> Payment:
    payment = site.payment("toys", 64).pay().settle().cancel(501)
    with logging_as_it_was():
        site.operator.run("operations", "close", "toys", payment.id)
    return payment


def _of_markup(site: Site) -> Payment:
    """What VTEX and a buyer may send, as long and as evil as may be."""
    evil = "<script>alert(1)</script>\u202e\u0007'\"&" + "w" * 60
    return Payment(site, "books", "A" * 100, 5).create(orderId=evil, transactionId=evil).pay()


def _declined(site: Site) -> Payment:
    payment = site.payment("books", 19.99)
    payment.there.decline()
    return payment.tell()


KINDS = {
    "markup": _of_markup,
    "waiting": lambda site: site.payment("toys", 1250.5),
    "held": lambda site: site.payment("books", 899).pay(),
    "settled": lambda site: site.payment("games").pay().settle(),
    "settled in part": lambda site: site.payment("toys", 420).pay().settle(300),
    "returned in part": lambda site: site.payment("books", 2300).pay().settle().refund(800),
    "returned": lambda site: site.payment("toys", 58.4).pay().settle().refund(),
    "cancelled": lambda site: site.payment("toys", 700).pay().cancel(),
    "declined": _declined,
    "manual": lambda site: site.payment("toys", 96).pay().settle().cancel(501),
    "refund open": lambda site: site.payment("coins", 35).pay().refund(status=500),
    "closed by hand": _by_hand,
    "cut off": _cut_off,
    "untold": _untold,
    "sandbox": lambda site: site.payment(DEMO, 12).cancel(),
}
