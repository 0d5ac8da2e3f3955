"""Provider Fields of a merchant whose settings come from VTEX: they win, and are kept."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet

from connector.domain.errors import InvalidRequest
from connector.domain.merchant import Merchant, SettingsFrom
from connector.storage.merchants import Merchants
from connector.storage.stored_merchant import StoredMerchant
from connector.storage.vault import Vault
from connector.vtex.auth import authenticate
from connector.vtex.manifest import field_name
from connector.vtex.provider_fields import MOST_WRITES, ProviderFields
from tests.companies.cryptomus import Cryptomus
from tests.companies.registry import COMPANIES, CompanyEntry
from tests.companies.tranzzo import TranzzoCompany
from tests.rig import SECRET_KEY, Rig, headers

NEW_SECRET = "a-new-secret-of-the-merchant"


@pytest.fixture
def company() -> Iterator[TranzzoCompany]:
    with TranzzoCompany() as company:
        yield company


@pytest.fixture
def shop(rig: Rig, company: TranzzoCompany) -> Rig:
    rig.add(company, settings_from="vtex")
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
    return rig.connector.merchants.find("shop").merchant


def applied(rig: Rig, given: Any, asked: Merchant | None = None) -> Merchant:
    body = {"merchantSettings": given}
    return fields_of(rig).apply(asked or merchant(rig), body, is_create=True)


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


def test_a_process_stores_a_merchants_settings_a_few_times_in_minutes_at_most(
    shop: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Two shops that share an AppKey, each with its own fields."""
    fields = fields_of(shop)
    own = merchant(shop)
    before = revision(shop)[0]
    for number in range(20):
        secret = f"{NEW_SECRET}-{number % 2}"
        given = {"merchantSettings": entries(shop, api_secret=secret)}
        assert secret == fields.apply(merchant(shop), given).settings["api_secret"]
    assert before + MOST_WRITES == revision(shop)[0]
    assert 1 == caplog.text.count("not used as they came")
    monkeypatch.setattr(fields._writes, "_seconds", 0.0)
    fields.apply(own, {"merchantSettings": entries(shop, api_secret="another-secret")})
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
    monkeypatch.setattr("connector.merchants.FRESH_SECONDS", -1.0)
    own = headers(shop.merchants["shop"])
    asked = authenticate(shop.connector.directory, own)
    changed = applied(shop, entries(shop, api_secret=NEW_SECRET), asked)
    assert changed == authenticate(shop.connector.directory, own)
    assert changed == shop.connector.directory.by_id(asked.id)


def test_its_own_change_is_seen_before_the_database_is_asked_again(shop: Rig) -> None:
    own = headers(shop.merchants["shop"])
    asked = authenticate(shop.connector.directory, own)
    changed = applied(shop, entries(shop, api_secret=NEW_SECRET), asked)
    shop.execute("ALTER TABLE merchants RENAME TO gone")
    assert changed == authenticate(shop.connector.directory, own)
    assert changed == shop.connector.directory.by_id(asked.id)


def test_no_value_is_shown_or_stored_in_the_clear(
    shop: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    shown = [
        shop.cancel("P1", merchantSettings=entries(shop, api_secret=secret)).text
        for secret in (NEW_SECRET, f"{NEW_SECRET} broken")
    ]
    tables = ("merchants", "admin_events", "requests", "events", "payments")
    rows = [shop.execute(f"SELECT * FROM {table}") for table in tables]  # noqa: S608
    assert NEW_SECRET not in f"{shown} {caplog.text} {rows}"


# What cannot be used


def test_a_field_that_cannot_be_used_stops_only_a_create(
    shop: Rig, company: TranzzoCompany
) -> None:
    stale = entries(shop, api_secret="se cret")
    company.create("P1")
    assert shop.cancel("P1", merchantSettings=stale).status_code == 200
    assert 1 == company.effects["void:P1"]
    company.create("P2")
    assert shop.settle("P2", 10, merchantSettings=stale).status_code == 200
    assert shop.refund("P2", 10, merchantSettings=stale).status_code == 200
    refused = shop.create("P3", merchantSettings=stale)
    assert (400, "invalid-request") == (refused.status_code, refused.json["code"])
    assert names(shop)["api_secret"] in refused.json["message"]
    assert "cret" not in refused.json["message"].replace(names(shop)["api_secret"], "")


def test_the_stored_settings_serve_whole_where_one_field_cannot_be_used(shop: Rig) -> None:
    """Half of one account and half of another is neither."""
    given = {"merchantSettings": entries(shop, api_secret="se cret", pos_id="another-pos")}
    assert merchant(shop) == fields_of(shop).apply(merchant(shop), given)


def test_a_merchant_without_settings_gets_them_from_the_first_request(
    rig: Rig, company: TranzzoCompany
) -> None:
    rig.add(company, settings_from="vtex")
    whole = dict(merchant(rig).settings)
    rig.connector.merchants.update("shop", {})
    company.create("P1")
    refused = rig.cancel("P1")
    assert (500, "provider-credentials") == (refused.status_code, refused.json["code"])
    assert "The merchant's settings are not complete (missing: pos_id" in refused.json["message"]
    assert rig.cancel("P1", merchantSettings=entries(rig, **whole)).status_code == 200
    assert whole == merchant(rig).settings


@pytest.mark.parametrize("entry", COMPANIES, ids=str)
def test_without_settings_nothing_is_created_and_nothing_kept(
    rig: Rig, entry: CompanyEntry
) -> None:
    """RuStore's purchases too: their notifications could not be proven."""
    with entry.open() as company:
        rig.add(company, settings_from="vtex")
        rig.connector.merchants.update("shop", {})
        refused = rig.create("P1")
        assert (500, "provider-credentials") == (refused.status_code, refused.json["code"])
        assert [] == company.calls
    for table in ("payments", "requests", "events"):
        assert [] == rig.execute(f"SELECT * FROM {table}")  # noqa: S608 - names above


@pytest.mark.parametrize("value", ["off", "on"])
def test_a_secret_of_a_request_counts_unless_secrets_are_off(
    shop: Rig, caplog: pytest.LogCaptureFixture, value: str
) -> None:
    shop.configure(CONNECTOR_PROVIDER_FIELDS=value)
    before = dict(merchant(shop).settings)
    given = entries(shop, api_secret=NEW_SECRET, pos_id="another-pos")
    shop.cancel("P1", merchantSettings=given)
    taken = {"pos_id": "another-pos"} | ({"api_secret": NEW_SECRET} if value == "on" else {})
    assert before | taken == merchant(shop).settings
    warnings = [one for one in caplog.records if one.msg.startswith("Provider Fields")]
    reasons = [(one.__dict__["outcome"], one.__dict__["reason"]) for one in warnings]
    assert reasons == ([] if value == "on" else [("ignored", "api_secret")])
    assert NEW_SECRET not in caplog.text


# Its history


def test_each_change_is_an_event_with_fingerprints(shop: Rig) -> None:
    before = shop.connector.merchants.detail("shop").fingerprints["api_secret"]
    shop.cancel("P1", merchantSettings=entries(shop, api_secret=NEW_SECRET))
    shop.cancel("P1", merchantSettings=entries(shop, api_secret=NEW_SECRET))
    detail = shop.connector.merchants.detail("shop")
    newest, added = detail.events
    assert ("VTEX's Provider Fields", "request") == (newest.actor, newest.command)
    assert {"api_secret": (before, detail.fingerprints["api_secret"])} == newest.settings
    assert before != detail.fingerprints["api_secret"]
    assert newest.is_undoable
    assert "add" == added.command


def test_what_two_processes_take_at_once_is_one_event(
    shop: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one stores the same after this one has looked."""
    merchants, look = shop.connector.merchants, shop.connector.merchants.find

    def late(name: str) -> StoredMerchant:
        seen = look(name)
        monkeypatch.setattr(merchants, "find", look)
        assert merchants.take_fields(name, {"api_secret": NEW_SECRET})
        return seen

    monkeypatch.setattr(merchants, "find", late)
    assert merchants.take_fields("shop", {"api_secret": NEW_SECRET})
    assert ["request", "add"] == [one.command for one in merchants.detail("shop").events]


def test_the_settings_before_each_change_are_kept(shop: Rig) -> None:
    first = dict(merchant(shop).settings)
    for secret in ("second-secret", "third-secret"):
        applied(shop, entries(shop, api_secret=secret))
    merchants = shop.connector.merchants
    last, older, _ = merchants.detail("shop").events
    assert first | {"api_secret": "second-secret"} == merchants.replaced("shop", None)[1]
    assert (last.id, older.id) == (
        merchants.replaced("shop", None)[0],
        merchants.replaced("shop", older.id)[0],
    )
    assert first == merchants.replaced("shop", older.id)[1]


# Where money goes


def test_a_payout_address_is_neither_offered_nor_taken(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    with Cryptomus() as company:
        wallet = "TDD97yguPESTpcrJMqU6h2ozZbibv4Vaqm"
        rig.add(company, settings_from="vtex", refund_address=wallet)
        provider = rig.connector.providers["cryptomus"]
        (payout,) = (one for one in provider.settings if one.is_payout)
        assert "refund_address" == payout.key
        name = field_name(provider, payout)
        assert name not in rig.client.get("/manifest").text
        company.create("P1", "paid")
        stolen = [{"name": name, "value": "TThief7yguPESTpcrJMqU6h2ozZbibv4Va"}]
        stolen.append({"name": "Cryptomus Refund fee", "value": "customer"})
        answer = rig.cancel("P1", merchantSettings=stolen)
        assert answer.status_code == 501
    assert wallet == merchant(rig).settings["refund_address"]
    (warning,) = [one for one in caplog.records if one.msg.startswith("Provider Fields")]
    assert ("ignored", "refund_address") == (
        warning.__dict__["outcome"],
        warning.__dict__["reason"],
    )


def test_a_stale_process_brings_back_nothing_old(rig: Rig) -> None:
    """The fields of a request are merged with what is stored by now, not with what it knew."""
    with Cryptomus() as company:
        rig.add(company, settings_from="vtex")
        stale = merchant(rig)
        wallet = "TDD97yguPESTpcrJMqU6h2ozZbibv4Vaqm"
        settings = {**stale.settings, "refund_address": wallet}
        rig.connector.merchants.update("shop", settings)
        given = [{"name": "Cryptomus Payment API key", "value": NEW_SECRET}]
        applied(rig, given, stale)
        assert settings | {"payment_key": NEW_SECRET} == merchant(rig).settings


def test_a_stale_process_does_not_undo_a_restore(rig_on_both: Rig, company: TranzzoCompany) -> None:
    """Whoever still has the AppToken goes on, at a process that has not heard of it yet."""
    rig = rig_on_both
    rig.add(company, settings_from="vtex")
    stale, merchants = merchant(rig), rig.connector.merchants
    merchants.update("shop", settings_from=SettingsFrom.CONNECTOR, command="restore")
    before = merchants.detail("shop").events
    given = entries(rig, api_secret=NEW_SECRET)
    assert stale == applied(rig, given, stale)
    assert stale.settings == merchant(rig).settings
    assert before == merchants.detail("shop").events


def test_a_process_without_the_newest_key_stores_nothing_half(rig: Rig) -> None:
    """While keys are replaced: what it cannot read must stand beside the fields."""
    with Cryptomus() as company:
        rig.add(company, settings_from="vtex", refund_address="TDD97yguPESTpcrJMqU6h2ozZbibv4Vaqm")
        known, old = merchant(rig), rig.connector.merchants
        newest = Fernet.generate_key().decode()
        newer = Merchants(rig.connector.database, Vault([newest, SECRET_KEY]))
        newer.reencrypt()
        given = {"payment_key": NEW_SECRET}
        assert not old.take_fields("shop", given)
        assert known.settings == newer.find("shop").merchant.settings
        assert newer.take_fields("shop", given)
        assert known.settings | given == newer.find("shop").merchant.settings
