"""Whoever can write in the database, but has no key, cannot lend one merchant another's account."""

import pytest

from connector.domain.errors import ConfigurationError
from tests.companies.tranzzo import TranzzoCompany
from tests.rig import Rig


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
