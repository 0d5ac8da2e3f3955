"""`connector merchants` changes what is stored of them."""

import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.fernet import Fernet

from connector.domain.merchant import CapturedPolicy
from tests.cli.shell import CREDENTIALS, SETTINGS, Operator
from tests.companies.tranzzo import TranzzoCompany

# merchants update


def test_update_changes_what_is_given_and_leaves_the_rest(operator_on_both: Operator) -> None:
    operator = operator_on_both
    operator.add_tranzzo()
    arguments = ("merchants", "update", "shop", "--settings", "-")
    shown = operator.json(*arguments, stdin=json.dumps({"api_key": "new-4714"}))
    assert [{"merchant": "shop", "updated": "api_key"}] == shown
    stored = operator.rig.connector.merchants.find("shop").merchant.settings
    assert SETTINGS | {"api_key": "new-4714"} == stored


@pytest.mark.parametrize(
    "settings", [{"colour": "red"}, {"api_key": ""}, {"api_key": "a b", "pos_id": "new"}, []]
)
def test_an_update_that_is_refused_changes_nothing(operator: Operator, settings: Any) -> None:
    operator.add_tranzzo()
    arguments = ("merchants", "update", "shop", "--settings", "-")
    operator.fails(*arguments, stdin=json.dumps(settings))
    assert SETTINGS == operator.rig.connector.merchants.find("shop").merchant.settings


def test_an_update_of_nothing_encrypts_anew_with_the_newest_key(operator: Operator) -> None:
    operator.add_tranzzo()
    newest = Fernet.generate_key().decode()
    oldest = operator.rig.environment["CONNECTOR_SECRET_KEYS"]
    operator.rig.configure(CONNECTOR_SECRET_KEYS=f"{newest},{oldest}")
    operator.json("merchants", "update", "shop", "--settings", "-", stdin="{}")
    operator.rig.configure(CONNECTOR_SECRET_KEYS=newest)
    assert SETTINGS == operator.rig.connector.merchants.find("shop").merchant.settings


def test_update_of_nothing_is_refused_with_what_may_be_given(operator: Operator) -> None:
    operator.add()
    message = operator.fails("merchants", "update", "shop")
    for option in ("--settings FILE", "--captured", "--sandbox", "--no-sandbox"):
        assert option in message


@pytest.mark.parametrize(
    ("arguments", "updated", "sandbox", "captured"),
    [
        (["--captured", "manual"], "captured", True, "manual"),
        (["--no-sandbox"], "sandbox", False, "refund"),
        (["--sandbox", "--captured", "refund"], "captured, sandbox", True, "refund"),
    ],
)
def test_update_changes_an_option_and_nothing_else(
    operator_on_both: Operator, arguments: list[str], updated: str, sandbox: bool, captured: str
) -> None:
    operator = operator_on_both
    merchants = operator.rig.connector.merchants
    merchants.add("shop", "tranzzo", SETTINGS, sandbox=True, captured=CapturedPolicy.REFUND)
    operator.add("another")
    (another, before) = merchants.all()
    shown = operator.json("merchants", "update", "shop", *arguments)
    assert [{"merchant": "shop", "updated": updated}] == shown
    merchant = replace(before.merchant, sandbox=sandbox, captured=CapturedPolicy(captured))
    assert [another, replace(before, merchant=merchant)] == merchants.all()


def test_settings_and_options_are_changed_together_or_not_at_all(operator: Operator) -> None:
    operator.add_tranzzo()
    arguments = ("merchants", "update", "shop", "--captured", "refund", "--settings", "-")
    operator.fails(*arguments, stdin=json.dumps({"colour": "red"}))
    (listed,) = operator.json("merchants", "list")
    assert "manual" == listed["captured"]
    shown = operator.json(*arguments, stdin=json.dumps({"api_key": "new-4714"}))
    assert [{"merchant": "shop", "updated": "api_key, captured"}] == shown
    (listed,) = operator.json("merchants", "list")
    assert "refund" == listed["captured"]
    stored = operator.rig.connector.merchants.find("shop").merchant.settings
    assert SETTINGS | {"api_key": "new-4714"} == stored


def test_an_option_is_changed_without_the_settings_key(operator: Operator) -> None:
    operator.add_tranzzo()
    kept = operator.rig.environment["CONNECTOR_SECRET_KEYS"]
    operator.rig.configure(CONNECTOR_SECRET_KEYS=Fernet.generate_key().decode())
    operator.json("merchants", "update", "shop", "--captured", "refund")
    operator.rig.configure(CONNECTOR_SECRET_KEYS=kept)
    merchant = operator.rig.connector.merchants.find("shop").merchant
    assert (SETTINGS, CapturedPolicy.REFUND) == (merchant.settings, merchant.captured)


def test_payments_stay_where_they_were_made_when_the_sandbox_is_changed(
    operator: Operator,
) -> None:
    rig = operator.rig
    with TranzzoCompany() as company:
        rig.add(company)
        rig.cancel(company.create("before"))
        operator.json("merchants", "update", "shop", "--sandbox")
        rig.configure()
        rig.cancel("before", "request-2")
        rig.cancel(company.create("after"))
    recorded = rig.execute("SELECT payment_id, sandbox FROM payments")
    assert {"before": False, "after": True} == {name: bool(is_there) for name, is_there in recorded}


def test_an_empty_value_takes_a_setting_out_that_may_be_left_out(operator: Operator) -> None:
    operator.add_tranzzo(SETTINGS | {"stage": "purchase"})
    operator.json("merchants", "update", "shop", "--settings", "-", stdin='{"stage": ""}')
    assert SETTINGS == operator.rig.connector.merchants.find("shop").merchant.settings


def test_an_update_without_the_key_wipes_nothing(operator: Operator) -> None:
    operator.add_tranzzo()
    operator.json("merchants", "update", "shop", "--settings-from", "vtex")
    before = operator.rig.execute("SELECT settings FROM merchants")
    operator.rig.configure(CONNECTOR_SECRET_KEYS=Fernet.generate_key().decode())
    arguments = ("merchants", "update", "shop", "--settings", "-")
    assert "CONNECTOR_SECRET_KEYS" in operator.fails(*arguments, stdin="{}")
    assert before == operator.rig.execute("SELECT settings FROM merchants")


# merchants reencrypt


def test_reencrypt_lets_the_old_key_go(operator_on_both: Operator) -> None:
    operator = operator_on_both
    operator.add_tranzzo()
    operator.add("another")
    newest = Fernet.generate_key().decode()
    oldest = operator.rig.environment["CONNECTOR_SECRET_KEYS"]
    operator.rig.configure(CONNECTOR_SECRET_KEYS=f"{newest},{oldest}")
    expected = [{"merchant": name, "reencrypted": True} for name in ("another", "shop")]
    assert expected == operator.json("merchants", "reencrypt")
    assert [] == operator.json("merchants", "reencrypt")
    events = operator.json("merchants", "show", "shop")["events"]
    assert ["reencrypt", "add"] == [event["command"] for event in events]
    operator.rig.configure(CONNECTOR_SECRET_KEYS=newest)
    assert SETTINGS == operator.rig.connector.merchants.find("shop").merchant.settings


def test_reencrypt_binds_what_an_older_version_wrote(operator_on_both: Operator) -> None:
    operator = operator_on_both
    operator.add_tranzzo()
    key = operator.rig.environment["CONNECTOR_SECRET_KEYS"]
    older = Fernet(key).encrypt(json.dumps(SETTINGS).encode()).decode()
    operator.rig.execute("UPDATE merchants SET settings = :older", older=older)
    assert SETTINGS == operator.rig.connector.merchants.find("shop").merchant.settings
    operator.json("merchants", "reencrypt")
    ((sealed,),) = operator.rig.execute("SELECT settings FROM merchants")
    assert sealed.startswith("2.")
    assert SETTINGS == operator.rig.connector.merchants.find("shop").merchant.settings


def test_reencrypt_says_which_key_is_missing_and_changes_nothing(operator: Operator) -> None:
    operator.add_tranzzo()
    before = operator.rig.execute("SELECT settings FROM merchants")
    operator.rig.configure(CONNECTOR_SECRET_KEYS=Fernet.generate_key().decode())
    assert "CONNECTOR_SECRET_KEYS" in operator.fails("merchants", "reencrypt")
    assert before == operator.rig.execute("SELECT settings FROM merchants")


def test_check_says_that_no_key_decrypts_the_settings(operator: Operator) -> None:
    operator.add_tranzzo()
    operator.rig.configure(CONNECTOR_SECRET_KEYS=Fernet.generate_key().decode())
    checked = operator.run("check")
    assert 1 == checked.exit_code
    assert "settings of shop" in checked.stdout
    assert "none of the keys in CONNECTOR_SECRET_KEYS decrypts them" in checked.stdout
    assert "reencrypt" not in checked.stdout


# merchants rotate-token, disable, enable


def test_rotate_prints_what_add_does_and_both_tokens_work(operator: Operator) -> None:
    first = operator.add()
    second = operator.json("merchants", "rotate-token", "shop")
    assert CREDENTIALS == list(second)
    assert first["appKey"] == second["appKey"]
    client = operator.rig.client
    for made in (first, second):
        own = {"X-VTEX-API-AppKey": made["appKey"], "X-VTEX-API-AppToken": made["appToken"]}
        answer = client.post("/payments/P1/cancellations", data=b"[", headers=own)
        assert answer.status_code == 400


def test_a_disabled_merchant_is_refused_by_servers_that_start_then(operator: Operator) -> None:
    made = operator.add()
    assert [{"merchant": "shop", "disabled": True}] == operator.json("merchants", "disable", "shop")
    own = {"X-VTEX-API-AppKey": made["appKey"], "X-VTEX-API-AppToken": made["appToken"]}
    answer = operator.rig.client.post("/payments/P1/cancellations", data=b"[", headers=own)
    assert answer.status_code == 401


def test_a_merchant_is_enabled_again_with_the_token_it_had(operator_on_both: Operator) -> None:
    operator = operator_on_both
    made = operator.add()
    operator.add("another")
    before = operator.rig.connector.merchants.all()
    for name in ("shop", "another"):
        operator.json("merchants", "disable", name)
    for _ in range(2):
        shown = operator.json("merchants", "enable", "shop")
        assert [{"merchant": "shop", "disabled": False}] == shown
    assert [replace(before[0], is_disabled=True), before[1]] == (
        operator.rig.connector.merchants.all()
    )
    own = {"X-VTEX-API-AppKey": made["appKey"], "X-VTEX-API-AppToken": made["appToken"]}
    answer = operator.rig.client.post("/payments/P1/cancellations", data=b"[", headers=own)
    assert answer.status_code == 400


@pytest.mark.parametrize("verb", ["update", "rotate-token", "disable", "enable"])
@pytest.mark.parametrize("name", ["nobody", "", "é", "\udcff", "'; DROP TABLE merchants; --"])
def test_a_merchant_that_is_not_there_is_said(operator: Operator, verb: str, name: str) -> None:
    operator.add()
    arguments = ["--settings", "-"] if verb == "update" else []
    message = operator.fails("merchants", verb, *arguments, "--", name, stdin='{"a": "b"}')
    assert "There is no merchant named" in message


def test_a_new_policy_refunds_nothing_that_a_person_was_told_to_return(operator: Operator) -> None:
    rig = operator.rig
    with TranzzoCompany() as company:
        rig.add(company)
        for payment_id in ("listed", "closed"):
            rig.cancel(company.create(payment_id, state="captured"))
        operator.json("operations", "close", "shop", "closed")
        operator.json("merchants", "update", "shop", "--captured", "refund")
        rig.configure()
        assert 1 == rig.reconcile()
        assert {} == company.effects
        assert ["manual", "done"] == rig.states()
