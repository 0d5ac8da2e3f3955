"""A company or VTEX is called only when an authority that we trust vouches for it."""

from pathlib import Path

import pytest

from tests import certificates
from tests.companies.tranzzo import TranzzoCompany
from tests.rig import Rig
from tests.sink import Sink

# A card with which the sandbox approves at once.
APPROVED = "4444333322221111"


def secure(rig: Rig, company: TranzzoCompany, certificate: Path) -> None:
    rig.add(company)
    certificates.serve(company, certificate)
    rig.configure(CONNECTOR_TRANZZO_URL=company.url.replace("http:", "https:"))


def test_a_company_whose_certificate_is_not_trusted_is_sent_nothing(
    rig: Rig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with TranzzoCompany() as company:
        secure(rig, company, certificates.make(tmp_path / "own.pem"))
        company.create("P1")
        answer = rig.cancel("P1")
        assert (500, "provider-certificate") == (answer.status_code, answer.json["code"])
        assert "provider-certificate" == rig.create("P2").json["code"]
        assert ([], {}) == (company.calls, company.effects)
        assert ["failed", "failed"] == rig.states()
        reasons = {one.__dict__["reason"] for one in caplog.records if one.msg == "provider call"}
        assert {"ProviderCertificate: SSLCertVerificationError: self-signed certificate"} == reasons
        # The operator mends it, and VTEX repeats.
        rig.configure(CONNECTOR_CA_FILE=str(tmp_path / "own.pem"))
        assert rig.cancel("P1").status_code == 200
        assert 1 == company.effects["void:P1"]


def test_the_given_authorities_take_the_place_of_the_systems(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TranzzoCompany() as company:
        own = certificates.make(tmp_path / "own.pem")
        secure(rig, company, own)
        monkeypatch.setenv("SSL_CERT_FILE", str(own))
        rig.configure(CONNECTOR_CA_FILE=str(certificates.make(tmp_path / "another.pem")))
        assert "provider-certificate" == rig.cancel("P1").json["code"]
        assert [] == company.calls


def test_vtex_is_called_back_only_when_it_is_trusted_too(rig: Rig, tmp_path: Path) -> None:
    with Sink() as vtex:
        own = certificates.make(tmp_path / "own.pem")
        certificates.serve(vtex, own)
        rig.add()
        rig.configure(CONNECTOR_CALLBACK_HOSTS=vtex.host, CONNECTOR_VTEX_APP_TOKEN="our-token")
        url = vtex.url.replace("http:", "https:")
        assert 200 == rig.create("P1", callbackUrl=url, card={"number": APPROVED}).status_code
        for file, taken in ((certificates.make(tmp_path / "another.pem"), 0), (own, 1)):
            rig.configure(CONNECTOR_CA_FILE=str(file))
            rig.execute("UPDATE payments SET callback_at = 1")
            assert taken == rig.connector.callbacks.deliver_due()
            assert taken == len(vtex.bodies) == len(vtex.calls)
