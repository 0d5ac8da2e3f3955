"""Provider Fields of a merchant whose settings are stored here: ignored, and told."""

from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from connector.domain.errors import StorageUnavailable
from connector.vtex.manifest import field_name
from tests.companies.cryptomus import Cryptomus
from tests.companies.tranzzo import TranzzoCompany
from tests.rig import Rig

ATTACKERS = "a-secret-of-the-attacker"


@pytest.fixture
def company() -> Iterator[TranzzoCompany]:
    with TranzzoCompany() as company:
        yield company


@pytest.fixture
def shop(rig_on_both: Rig, company: TranzzoCompany) -> Rig:
    rig_on_both.add(company)
    return rig_on_both


def entries(rig: Rig, name: str = "tranzzo", **values: Any) -> list[dict[str, Any]]:
    provider = rig.connector.providers[name]
    fields = {one.key: field_name(provider, one) for one in provider.settings}
    return [{"name": fields[key], "value": value} for key, value in values.items()]


def counted() -> float:
    labels = {"provider": "tranzzo", "outcome": "ignored"}
    return REGISTRY.get_sample_value("connector_provider_fields_total", labels) or 0.0


def test_whoever_has_a_token_cannot_take_the_account_over(
    shop: Rig, company: TranzzoCompany
) -> None:
    before = shop.connector.merchants.find("shop").merchant.settings
    theirs = {key: f"{ATTACKERS}-{key}" for key in before if key != "stage"}
    given = entries(shop, **theirs)
    for payment_id in ("P1", "P2"):
        company.create(payment_id)
    assert shop.cancel("P1", merchantSettings=given).status_code == 200
    assert shop.settle("P2", 10, merchantSettings=given).status_code == 200
    assert shop.refund("P2", 10, merchantSettings=given).status_code == 200
    assert shop.create("P3", merchantSettings=given).status_code == 200
    # All of it at the merchant's own account, whose stand-in knows no other keys.
    assert {"void:P1", "capture:P2", "refund:P2"} <= set(company.effects)
    assert before == shop.connector.merchants.find("shop").merchant.settings
    assert shop.notify(company, "P3").status_code == 200


@pytest.mark.parametrize("value", ["se cret", "ke\ny", "x" * 5000])
def test_not_even_a_create_is_refused_for_a_field_that_nobody_uses(shop: Rig, value: str) -> None:
    answer = shop.create("P1", merchantSettings=entries(shop, api_secret=value))
    assert (200, "undefined") == (answer.status_code, answer.json["status"])


def test_a_refund_wallet_is_not_a_requests_to_say(rig: Rig) -> None:
    with Cryptomus() as company:
        wallet = "TDD97yguPESTpcrJMqU6h2ozZbibv4Vaqm"
        rig.add(company, refund_address=wallet)
        given = entries(rig, "cryptomus", refund_address="TThief7yguPESTpcrJMqU6h2ozZbibv4Va")
        rig.cancel("P1", merchantSettings=given)
        assert ("refund_address",) == rig.connector.merchants.find("shop").fields_differ
        assert wallet == rig.connector.merchants.find("shop").merchant.settings["refund_address"]


def test_what_differs_is_kept_as_fingerprints_and_told(shop: Rig) -> None:
    merchants = shop.connector.merchants
    assert () == merchants.find("shop").fields_differ
    assert merchants.detail("shop").fields_seen_at is None
    own = merchants.find("shop").merchant.settings
    shop.cancel("P1", merchantSettings=entries(shop, api_secret=ATTACKERS, api_key=own["api_key"]))
    assert ("api_secret",) == merchants.find("shop").fields_differ
    assert merchants.detail("shop").fields_seen_at
    stored = str(shop.execute("SELECT * FROM merchants"))
    assert ATTACKERS not in stored
    # The operator gives the same value: nothing differs any more, whatever VTEX sent last.
    merchants.update("shop", {**own, "api_secret": ATTACKERS})
    assert () == merchants.find("shop").fields_differ


def test_it_is_counted_each_time_and_said_once_without_a_value(
    shop: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    before = counted()
    for _ in range(5):
        shop.cancel("P1", merchantSettings=entries(shop, api_secret=ATTACKERS))
    assert before + 5 == counted()
    (warning,) = [one for one in caplog.records if one.msg.startswith("Provider Fields")]
    assert ("WARNING", "shop", "api_secret") == (
        warning.levelname,
        warning.__dict__["merchant"],
        warning.__dict__["reason"],
    )
    assert ATTACKERS not in caplog.text


def test_what_is_as_stored_is_no_warning(shop: Rig, caplog: pytest.LogCaptureFixture) -> None:
    before = counted()
    own = shop.connector.merchants.find("shop").merchant.settings
    shop.cancel("P1", merchantSettings=entries(shop, **own))
    assert before == counted()
    assert "Provider Fields" not in caplog.text
    assert () == shop.connector.merchants.find("shop").fields_differ


def test_a_flood_of_fields_is_a_few_writes(shop: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []
    merchants = shop.connector.merchants
    note = merchants.note_fields
    monkeypatch.setattr(merchants, "note_fields", lambda *given: (written.append(1), note(*given)))
    revision = merchants.revision()
    for number in range(30):
        shop.cancel("P1", merchantSettings=entries(shop, api_secret=f"{ATTACKERS}-{number}"))
    assert [1] == written
    assert revision == merchants.revision()


def test_what_cannot_be_noted_changes_no_answer(
    shop: Rig,
    company: TranzzoCompany,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object) -> None:
        raise StorageUnavailable

    monkeypatch.setattr(shop.connector.merchants, "note_fields", fail)
    company.create("P1")
    answer = shop.cancel("P1", merchantSettings=entries(shop, api_secret=ATTACKERS))
    assert (200, None) == (answer.status_code, answer.json["code"])
    assert "Provider Fields were not noted" in caplog.text
