"""Provider Fields: what the merchant gives in VTEX's Admin wins, and is kept."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from connector.domain.errors import InvalidRequest
from connector.domain.merchant import Merchant
from connector.vtex import provider_fields
from connector.vtex.manifest import field_name
from connector.vtex.provider_fields import ProviderFields
from tests.companies.tranzzo import TranzzoCompany
from tests.rig import Rig, headers

NEW_SECRET = "a-new-secret-of-the-merchant"


@pytest.fixture
def company() -> Iterator[TranzzoCompany]:
    with TranzzoCompany() as company:
        yield company


@pytest.fixture
def shop(rig: Rig, company: TranzzoCompany) -> Rig:
    rig.add(company)
    return rig


def names(rig: Rig) -> dict[str, str]:
    provider = rig.connector.providers["tranzzo"]
    return {setting.key: field_name(provider, setting) for setting in provider.settings}


def entries(rig: Rig, **values: Any) -> list[dict[str, Any]]:
    return [{"name": names(rig)[key], "value": value} for key, value in values.items()]


def fields_of(rig: Rig) -> ProviderFields:
    connector = rig.connector
    return ProviderFields(connector.directory, connector.merchants, connector.providers)


def merchant(rig: Rig) -> Merchant:
    return rig.connector.merchants.entry("shop").merchant


def applied(rig: Rig, given: Any, asked: Merchant | None = None) -> Merchant:
    return fields_of(rig).applied(asked or merchant(rig), {"merchantSettings": given})


def revision(rig: Rig) -> tuple[int, int]:
    return rig.connector.merchants.revision()


def test_a_given_value_wins_and_is_stored(shop: Rig) -> None:
    before = merchant(shop).settings
    changed = applied(shop, entries(shop, api_secret=NEW_SECRET))
    assert {**before, "api_secret": NEW_SECRET} == changed.settings
    assert changed == merchant(shop)


def test_the_company_is_asked_with_the_given_values(shop: Rig, company: TranzzoCompany) -> None:
    company.create("P1")
    company.settings["api_secret"] = NEW_SECRET
    assert shop.cancel("P1").get_json()["code"] == "provider-credentials"
    given = entries(shop, api_secret=NEW_SECRET)
    assert shop.cancel("P1", merchantSettings=given).status_code == 200
    assert 1 == company.effects["void:P1"]
    company.create("P2")
    # Stored by now, known to this process at once, and sent by VTEX no more.
    assert shop.cancel("P2").status_code == 200


def test_what_is_as_stored_is_not_written(shop: Rig) -> None:
    before = revision(shop)
    own = merchant(shop)
    assert applied(shop, entries(shop, **own.settings)) is not None
    assert applied(shop, []) == own
    assert before == revision(shop)


@pytest.mark.parametrize(
    "given",
    [
        None,
        {},
        "x",
        7,
        [],
        [None, 7, "x", []],
        [{}],
        [{"name": "Public Merchant ID Test.", "value": "1"}],
        [{"name": None, "value": "1"}],
        [{"name": {}, "value": "1"}],
        [{"name": "Tranzzo API_SECRET"}],
        [{"name": "Tranzzo API_SECRET", "value": ""}],
        [{"name": "Tranzzo API_SECRET", "value": None}],
        [{"name": "Tranzzo API_SECRET", "value": "  "}],
        [{"name": "Tranzzo API_SECRET", "value": True}],
        [{"name": "Tranzzo API_SECRET", "value": ["x"]}],
        [{"name": "Yandex Pay API key", "value": "x"}],
        [{"name": "api_secret", "value": "x"}],
    ],
)
def test_what_is_no_value_of_ours_is_ignored(shop: Rig, given: Any) -> None:
    own = merchant(shop)
    before = revision(shop)
    assert own == applied(shop, given)
    assert before == revision(shop)


def test_a_value_that_cannot_be_used_is_named_and_not_shown(shop: Rig) -> None:
    before = revision(shop)
    with pytest.raises(InvalidRequest) as refused:
        applied(shop, entries(shop, api_secret="se cret", api_key="ke\ny"))
    message = str(refused.value)
    assert names(shop)["api_secret"] in message
    assert names(shop)["api_key"] in message
    assert names(shop)["pos_id"] not in message
    assert "cret" not in message.replace(names(shop)["api_secret"], "")
    assert before == revision(shop)


def test_incomplete_settings_are_completed(shop: Rig) -> None:
    whole = dict(merchant(shop).settings)
    shop.connector.merchants.update("shop", {})
    with pytest.raises(InvalidRequest, match=names(shop)["pos_id"]):
        applied(shop, entries(shop, api_secret=NEW_SECRET))
    assert whole == applied(shop, entries(shop, **whole)).settings
    assert whole == merchant(shop).settings


def test_a_provider_that_is_switched_off_has_no_fields(shop: Rig) -> None:
    given = entries(shop, api_secret=NEW_SECRET)
    shop.configure(CONNECTOR_PROVIDERS="sandbox")
    own = merchant(shop)
    assert own == applied(shop, given)
    assert shop.cancel("P1", merchantSettings=given).get_json()["code"] == "provider-unavailable"


def test_a_process_writes_a_merchants_settings_every_few_seconds_at_most(
    shop: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two shops that share an AppKey, each with its own fields."""
    fields = fields_of(shop)
    own = merchant(shop)
    before = revision(shop)[0]
    for number in range(20):
        secret = f"{NEW_SECRET}-{number % 2}"
        given = {"merchantSettings": entries(shop, api_secret=secret)}
        assert secret == fields.applied(own, given).settings["api_secret"]
    assert before + 1 == revision(shop)[0]
    monkeypatch.setattr(provider_fields, "WRITE_SECONDS", 0.0)
    fields.applied(own, {"merchantSettings": entries(shop, api_secret="another-secret")})
    assert merchant(shop).settings["api_secret"] == "another-secret"


def test_two_requests_at_once_with_new_values_both_use_them(
    shop: Rig, company: TranzzoCompany
) -> None:
    company.settings["api_secret"] = NEW_SECRET
    given = entries(shop, api_secret=NEW_SECRET)
    payments = [f"P{number}" for number in range(8)]
    for payment in payments:
        company.create(payment)
    client = shop.client
    ready, statuses = threading.Barrier(len(payments)), []

    def cancel(payment: str) -> None:
        ready.wait()
        answer = shop.cancel(payment, client=client, merchantSettings=given)
        statuses.append(answer.status_code)

    before = revision(shop)[0]
    threads = [threading.Thread(target=cancel, args=(payment,)) for payment in payments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [200] * len(payments) == statuses
    assert before + 1 == revision(shop)[0]
    assert NEW_SECRET == merchant(shop).settings["api_secret"]


def test_another_process_learns_of_it(shop: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.vtex.auth.FRESH_SECONDS", -1.0)
    own = headers(shop.merchants["shop"])
    asked = shop.connector.directory.authenticate(own)
    changed = applied(shop, entries(shop, api_secret=NEW_SECRET), asked)
    assert changed == shop.connector.directory.authenticate(own)
    assert changed == shop.connector.directory.merchant(asked.id)


def test_its_own_change_is_seen_before_the_database_is_asked_again(shop: Rig) -> None:
    own = headers(shop.merchants["shop"])
    asked = shop.connector.directory.authenticate(own)
    changed = applied(shop, entries(shop, api_secret=NEW_SECRET), asked)
    shop.execute("ALTER TABLE merchants RENAME TO gone")
    assert changed == shop.connector.directory.authenticate(own)
    assert changed == shop.connector.directory.merchant(asked.id)


def test_no_value_is_shown_or_stored_in_the_clear(
    shop: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    shown = [
        shop.cancel("P1", merchantSettings=entries(shop, api_secret=secret)).text
        for secret in (NEW_SECRET, f"{NEW_SECRET} broken")
    ]
    tables = ("merchants", "requests", "events", "payments")
    rows = [shop.execute(f"SELECT * FROM {table}") for table in tables]  # noqa: S608
    assert NEW_SECRET not in f"{shown} {caplog.text} {rows}"
