"""Whoever can write in the database, but has no key, cannot lend one merchant another's account."""

import pytest
from cryptography.fernet import Fernet

from connector.domain.errors import ConfigurationError
from tests.companies.tranzzo import TranzzoCompany
from tests.rig import SECRET_KEY, Rig


def test_settings_that_were_moved_to_another_merchant_are_not_used(rig_on_both: Rig) -> None:
    rig = rig_on_both
    with TranzzoCompany() as company:
        rig.add(company, name="victim")
        rig.add(company, name="thief", api_key="another-key-4711")
        company.create("P1")
        rig.execute(
            "UPDATE merchants SET settings = "
            "(SELECT settings FROM merchants WHERE name = 'victim') WHERE name = 'thief'"
        )
        answer = rig.cancel("P1", merchant="thief")
        assert (500, "configuration") == (answer.status_code, answer.json["code"])
        assert {} == company.effects
        assert rig.cancel("P1", merchant="victim").status_code == 200
    with pytest.raises(ConfigurationError, match=r"settings of thief;"):
        rig.connector.merchants.check_keys()


def test_an_address_of_an_older_version_moved_into_settings_stops_that_merchant_only(
    rig_on_both: Rig,
) -> None:
    rig = rig_on_both
    for name in ("shop", "thief"):
        rig.add(name=name)
    old = Fernet(SECRET_KEY).encrypt(b"https://shop.example.com/callback").decode()
    rig.execute("UPDATE merchants SET settings = :old WHERE name = 'thief'", old=old)
    assert rig.cancel("P1").status_code == 200
    assert "configuration" == rig.cancel("P1", merchant="thief").json["code"]
