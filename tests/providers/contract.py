"""What every provider must do, whatever its company: each provider's test inherits this.

    class TestAcme(CancelContract):
        provider_class = Acme
        company_class = AcmeCompany
        cancels = "void"

        def payment(self, company): ...
        def answer_with_word(self, key, status): ...

A provider that cannot cancel inherits ProviderContract alone. The stand-in offers, besides what
Company asks for, `url` (the base URL with the documented path), `sandbox_url` where the provider
has one, and `settings` (a merchant's settings it accepts).

A test takes `scene`: the company, the provider talking to it, an account, and a payment there.
"""

import json
import logging
import socket
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from connector.domain.deadline import Deadline
from connector.domain.errors import (
    ConfigurationError,
    ConnectorError,
    OutcomeUnknown,
    ProviderCredentials,
    ProviderRefused,
    ProviderUnavailable,
)
from connector.domain.merchant import Account
from connector.domain.payment import Look, PaymentKey, Standing, WriteResult
from connector.http_client import HttpClient
from connector.provider import Call, Hosts, Provider
from tests.companies.base import Company

REFERENCE = "5f2f3c1e-93f0-5b0c-8d1a-0d6f0b6a7c11"
# Seconds a company is slow, the deadline it is given then, and the time that is allowed to take.
SLOW, SHORT, SOON = 3.0, 0.5, 1.0
# More often than any provider may call on its own.
ALWAYS = 100

HTML = b"<html><head><title>404 Not Found</title></head><body>nginx</body></html>"
NOT_AN_ANSWER = [HTML, b"", b"null", b"[]", b"{}", b'"ok"', b"17", b"[" * 100_000, b'{"a": NaN}']
A_PROXYS_NOT_FOUND = [
    HTML,
    b"",
    b"null",
    b"[]",
    b"{}",
    b'{"message":"no Route matched"}',
    b'{"message":"no Route matched with those values","request_id":"5b1c"}',
    b'{"message":"Not Found","code":404}',
    b'{"status":404,"error":"Not Found","message":"No message available","path":"/x"}',
    b'{"errors":[{"status":"404","title":"Not Found"}]}',
    b'{"detail":"Not Found"}',
]


@dataclass
class ProviderPayment:
    """A payment at a company, and the provider that looks after it."""

    company: Any
    provider: Provider
    account: Account
    key: PaymentKey

    def look(
        self,
        key: PaymentKey | None = None,
        *,
        account: Account | None = None,
        reference: str = "",
        seconds: float = 10,
    ) -> Look:
        deadline = Deadline.after(seconds)
        call = Call(key or self.key, account or self.account, deadline, reference)
        return self.provider.look(call)

    def cancel(self, look: Look, *, reference: str = REFERENCE, seconds: float = 10) -> WriteResult:
        return self.provider.cancel(self.call(look, reference, seconds))

    def refund(self, look: Look, *, reference: str = REFERENCE, seconds: float = 10) -> WriteResult:
        return self.provider.refund(self.call(look, reference, seconds))

    def call(self, look: Look, reference: str, seconds: float) -> Call:
        return Call(self.key, self.account, Deadline.after(seconds), reference, look)

    def probe(self, account: Account | None = None) -> None:
        self.provider.probe(Call.about_nobody(account or self.account, Deadline.after(10)))

    @property
    def effects(self) -> int:
        """How often anything moved at the company."""
        return sum(self.company.effects.values())


class ProviderContract:
    """Looks, probes and settings. The hooks come first, then the cases."""

    provider_class: ClassVar[type[Provider]]
    company_class: ClassVar[type[Company]]
    # The stand-in's word for the call by which `look` asks after a payment.
    looks: ClassVar[str] = "look"

    def payment(self, company: Any) -> PaymentKey:
        """Make a payment at the company and return its key; a held one, where it holds."""
        raise NotImplementedError

    def absent(self, company: Any) -> PaymentKey:
        """Return the key of a payment the company never had."""
        return PaymentKey("F5C1A4E20D3B4E07B7E871F5B5BC9F91")

    def answer_with_word(self, key: PaymentKey, status: str) -> bytes:
        """Return the company's whole answer to a look, with this status word in it."""
        raise NotImplementedError

    def wrong_settings(self, company: Any) -> list[Mapping[str, str]]:
        """Return settings that are well-formed and that the company does not accept."""
        secret = [setting.key for setting in self.provider_class.settings if setting.is_secret]
        return [{**company.settings, key: company.settings[key][::-1] + "0"} for key in secret]

    def secrets(self, company: Any) -> list[str]:
        """Return what must never be shown. Add what is derived and sent, such as a token."""
        keys = [setting.key for setting in self.provider_class.settings if setting.is_secret]
        return [company.settings[key] for key in keys]

    def build(self, url: str, sandbox_url: str | None = None) -> Provider:
        http = HttpClient(self.provider_class.name)
        return self.provider_class(http, Hosts(url, sandbox_url or url))

    # Fixtures.

    @pytest.fixture
    def company(self) -> Iterator[Any]:
        with self.company_class() as company:
            yield company

    @pytest.fixture
    def scene(self, company: Any) -> Iterator[ProviderPayment]:
        provider = self.build(company.url, getattr(company, "sandbox_url", None))
        yield ProviderPayment(company, provider, Account(company.settings), self.payment(company))
        provider._http.close()

    @pytest.fixture
    def nobody(self, scene: ProviderPayment) -> ProviderPayment:
        """The same scene with a company that cannot be reached."""
        return ProviderPayment(scene.company, self.build(refused_url()), scene.account, scene.key)

    # The cases: when the company cannot be asked.

    def test_a_company_that_cannot_be_reached_was_certainly_not_asked(
        self, nobody: ProviderPayment
    ) -> None:
        with pytest.raises(ProviderUnavailable):
            nobody.look()

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            (429, ProviderUnavailable),
            (401, ProviderCredentials),
            (500, OutcomeUnknown),
            (503, OutcomeUnknown),
        ],
    )
    def test_a_look_fails_by_the_http_status(
        self, scene: ProviderPayment, status: int, expected: type[ConnectorError]
    ) -> None:
        scene.company.inject("status_before", self.looks, status=status, body=HTML, times=ALWAYS)
        with pytest.raises(expected):
            scene.look()

    @pytest.mark.parametrize("kind", ["reset_before", "reset_after", "truncated"])
    def test_a_look_that_is_cut_off_tells_nothing(self, scene: ProviderPayment, kind: str) -> None:
        scene.company.inject(kind, self.looks, times=ALWAYS)
        with pytest.raises(OutcomeUnknown):
            scene.look()

    @pytest.mark.parametrize("kind", ["slow_before", "slow_after", "drip", "drip_headers"])
    def test_a_slow_look_ends_at_the_deadline(self, scene: ProviderPayment, kind: str) -> None:
        scene.company.inject(kind, self.looks, seconds=SLOW, times=ALWAYS)
        started = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            scene.look(seconds=SHORT)
        assert time.monotonic() - started < SOON

    # The cases: what counts as an answer.

    @pytest.mark.parametrize("body", NOT_AN_ANSWER)
    def test_what_is_no_answer_tells_nothing(self, scene: ProviderPayment, body: bytes) -> None:
        scene.company.inject("answer", self.looks, body=body, times=ALWAYS)
        with pytest.raises(OutcomeUnknown):
            scene.look()

    @pytest.mark.parametrize("body", A_PROXYS_NOT_FOUND)
    def test_the_404_of_another_is_no_absence(self, scene: ProviderPayment, body: bytes) -> None:
        scene.company.inject("status_before", self.looks, status=404, body=body, times=ALWAYS)
        with pytest.raises((OutcomeUnknown, ProviderRefused)):
            scene.look()

    def test_the_companys_own_not_found_is_an_absence(self, scene: ProviderPayment) -> None:
        assert scene.look(self.absent(scene.company)).standing is Standing.ABSENT
        assert len(scene.company.calls_of(self.looks)) == 1

    def test_a_status_word_nobody_knows_is_no_decision(self, scene: ProviderPayment) -> None:
        body = self.answer_with_word(scene.key, "tomorrows_word")
        scene.company.inject("answer", self.looks, body=body, times=ALWAYS)
        assert scene.look().standing is Standing.WORKING

    # The cases: credentials.

    def test_the_probe_accepts_good_credentials_and_changes_nothing(
        self, scene: ProviderPayment
    ) -> None:
        scene.probe()
        assert scene.company.calls
        assert scene.effects == 0

    def test_the_probe_refuses_bad_credentials(self, scene: ProviderPayment) -> None:
        for settings in self.wrong_settings(scene.company):
            with pytest.raises(ProviderCredentials):
                scene.probe(Account(settings))

    @pytest.mark.parametrize("body", [HTML, b'{"message":"no Route matched"}'])
    def test_the_probe_does_not_take_a_proxys_404_for_a_yes(
        self, scene: ProviderPayment, body: bytes
    ) -> None:
        scene.company.inject("status_before", "*", status=404, body=body, times=ALWAYS)
        with pytest.raises(ConnectorError):
            scene.probe()

    def test_merchants_do_not_share_credentials(self, scene: ProviderPayment) -> None:
        expected = scene.look()
        for settings in self.wrong_settings(scene.company):
            with pytest.raises(ProviderCredentials):
                scene.look(account=Account(settings))
        assert scene.look() == expected

    def test_secrets_are_in_no_log_error_or_url(
        self, scene: ProviderPayment, nobody: ProviderPayment, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        shown = [*self.everything_shown(scene), *shown_by(nobody.look)]
        shown += [str(vars(record)) + record.getMessage() for record in caplog.records]
        shown += [f"{call.path}?{call.query}" for call in scene.company.calls]
        assert caplog.records
        for secret in self.secrets(scene.company):
            assert not [text for text in shown if secret in text]

    def everything_shown(self, scene: ProviderPayment) -> list[str]:
        """Look and probe, well and badly; return the texts of the answers and errors."""
        shown = [repr(scene.look()), repr(scene.account)]
        for status in (200, 400, 401, 404, 429, 500):
            body = self.echo(scene)
            scene.company.inject("status_before", self.looks, status=status, body=body)
            shown += shown_by(scene.look)
        for settings in self.wrong_settings(scene.company):
            shown += shown_by(scene.probe, Account(settings))
        return shown

    def echo(self, scene: ProviderPayment) -> bytes:
        """Return an error body that repeats the secrets, in every field a provider may read."""
        told = " ".join(self.secrets(scene.company))
        names = ("code", "message", "reason", "reasonCode", "status", "error")
        return json.dumps({**dict.fromkeys(names, told), "args": {"code": told}}).encode()

    # The cases: settings and the declaration.

    def test_the_stand_ins_settings_are_accepted_as_they_are(self, company: Any) -> None:
        padded = {key: f" {value}\n" for key, value in company.settings.items()}
        assert self.provider_class.check_settings(padded) == company.settings

    @pytest.mark.parametrize("value", [None, "", "  ", True, 1.5, [], {}, "два слова", "a b", "\0"])
    def test_every_fault_in_the_settings_is_named_at_once(self, value: object) -> None:
        keys = {one.key for one in self.provider_class.settings if one.is_required}
        faulty = dict.fromkeys(keys, value) | {"appkey": "x", "colour": "x"}
        with pytest.raises(ConfigurationError) as caught:
            self.provider_class.check_settings(faulty)
        assert set(faulty) == {key for key in faulty if f"{key}: " in str(caught.value)}

    def test_an_account_is_short_enough_for_an_index(self, company: Any) -> None:
        key = self.provider_class.account_key() or ""
        assert key in company.settings
        faults = self.provider_class.faults({**company.settings, key: "1" * 257})
        assert {key: "at most 256 characters"} == faults

    def test_a_missing_setting_is_named_and_no_value_is_shown(self, company: Any) -> None:
        for missing in company.settings:
            rest = {key: value for key, value in company.settings.items() if key != missing}
            with pytest.raises(ConfigurationError) as caught:
                self.provider_class.check_settings(rest)
            assert f"{missing}: " in str(caught.value)
            assert not [secret for secret in self.secrets(company) if secret in str(caught.value)]

    def test_it_declares_itself(self) -> None:
        declared = self.provider_class
        assert declared.__module__ == f"connector.providers.{declared.name}"
        assert declared.title
        for url in filter(None, (declared.url, declared.sandbox_url)):
            assert url.startswith("https://")
            assert not url.endswith("/")
        assert len(declared.settings) == len({setting.key for setting in declared.settings})
        assert declared.cancellable.isdisjoint({Standing.UNDONE, Standing.ABSENT, Standing.WORKING})
        assert declared.passing.isdisjoint({Standing.UNDONE, Standing.ABSENT})


class CancelContract(ProviderContract):
    """The cases of `cancel`, on a held payment: `payment` must make one."""

    # The stand-in's word for the call that releases a hold.
    cancels: ClassVar[str]

    def test_a_held_payment_is_released_once_and_a_look_proves_it(
        self, scene: ProviderPayment
    ) -> None:
        held = scene.look()
        assert held.standing is Standing.HELD
        sent = scene.cancel(held)
        look = scene.look(reference=REFERENCE)
        assert look.standing is Standing.UNDONE
        assert sent.id in {None, look.cancellation_id}
        assert scene.effects == 1

    def test_a_write_that_was_never_sent_is_certainly_not_done(
        self, scene: ProviderPayment, nobody: ProviderPayment
    ) -> None:
        held = scene.look()
        with pytest.raises(ProviderUnavailable):
            nobody.cancel(held)
        assert scene.effects == 0

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            (401, ProviderCredentials),
            (429, ProviderUnavailable),
            (500, OutcomeUnknown),
            (503, OutcomeUnknown),
            (404, OutcomeUnknown),
            (400, OutcomeUnknown),
        ],
    )
    def test_a_write_fails_by_the_http_status(
        self, scene: ProviderPayment, status: int, expected: type[ConnectorError]
    ) -> None:
        held = scene.look()
        scene.company.inject("status_before", self.cancels, status=status, body=HTML, times=ALWAYS)
        with pytest.raises(expected):
            scene.cancel(held)
        assert scene.look(reference=REFERENCE).standing is Standing.HELD

    @pytest.mark.parametrize("kind", ["reset_after", "truncated", "status_after"])
    def test_a_write_whose_answer_was_lost_is_found_by_a_look(
        self, scene: ProviderPayment, kind: str
    ) -> None:
        held = scene.look()
        scene.company.inject(kind, self.cancels)
        with pytest.raises(OutcomeUnknown):
            scene.cancel(held)
        assert scene.effects == 1
        assert scene.look(reference=REFERENCE).standing is Standing.UNDONE

    def test_a_write_that_never_arrived_leaves_the_payment_held(
        self, scene: ProviderPayment
    ) -> None:
        held = scene.look()
        scene.company.inject("reset_before", self.cancels)
        with pytest.raises(OutcomeUnknown):
            scene.cancel(held)
        assert scene.effects == 0
        assert scene.look(reference=REFERENCE).standing is Standing.HELD

    @pytest.mark.parametrize("kind", ["slow_before", "slow_after", "drip", "drip_headers"])
    def test_a_slow_write_ends_at_the_deadline(self, scene: ProviderPayment, kind: str) -> None:
        held = scene.look()
        scene.company.inject(kind, self.cancels, seconds=SLOW)
        started = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            scene.cancel(held, seconds=SHORT)
        assert time.monotonic() - started < SOON

    def test_html_in_answer_to_a_write_tells_nothing(self, scene: ProviderPayment) -> None:
        held = scene.look()
        scene.company.inject("answer", self.cancels, body=HTML)
        with pytest.raises(OutcomeUnknown):
            scene.cancel(held)

    def everything_shown(self, scene: ProviderPayment) -> list[str]:
        held = scene.look()
        shown = super().everything_shown(scene)
        for status in (200, 400, 401, 404, 429, 500):
            body = self.echo(scene)
            scene.company.inject("status_before", self.cancels, status=status, body=body)
            shown += shown_by(scene.cancel, held)
        return shown + shown_by(scene.cancel, held)


def refused_url() -> str:
    """Return a URL on a port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def shown_by(verb: Any, *arguments: Any) -> list[str]:
    """Call a verb and return the text of its answer, or of its error with all its causes."""
    try:
        return [repr(verb(*arguments))]
    except ConnectorError as error:
        return [repr(error), *traceback.format_exception(error)]
