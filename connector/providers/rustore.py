"""RuStore: VK's store of Android apps. A purchase is born in the app, never on a server.

Pages, under https://www.rustore.ru/help/en/work-with-rustore-api/:
token         api-authorization-token
look          api-subscription-payment/v2-purchase-invoiceid
cancel        api-subscription-payment/cancel-purchase
refund        api-subscription-payment/refund-purchase

Authentication: a request signed with the merchant's RSA key gives a token for 900 s, which every
call carries. The key must have been given each method it is to call, sandbox methods included.

The company's purchaseId is VTEX's `authorizationId`, its invoiceId VTEX's `tid`. Only the invoice
can be looked at, only the purchase cancelled. It shows no amount, cancels and refunds in full
only, and cannot end a purchase before it is paid. A purchase cannot be found by VTEX's payment
id, so one that is not found may still exist.

The pages leave open:
- HTTP statuses: an envelope's `code` decides, but OK counts only with a 2xx.
- Whether `Purchase status must be PAID` means cancelled already: it is a refusal; a look tells.
- Whether `invoiceId` goes into the path or the query: the printed URL has it in the path.
- The letters of OK: the tables print them in Cyrillic, the samples in ASCII; both are read.
"""

import base64
import binascii
import json
import re
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from connector.domain.deadline import Deadline
from connector.domain.errors import (
    AnswerNotUnderstood,
    ConnectorError,
    OutcomeUnknown,
    OutOfTime,
    ProviderCredentials,
    ProviderRefused,
    ProviderUnavailable,
)
from connector.domain.merchant import Account
from connector.domain.payment import Effect, Look, PaymentKey, Sent, Standing
from connector.http_client import Answer, HttpClient
from connector.provider import Fields, Hosts, Provider, Setting, word

_METHODS = {"look": "GET", "cancel": "PUT", "refund": "PATCH"}

# `invoiceStatus`, page "look". Older pages write them in small letters.
_STANDINGS = {
    "CREATED": Standing.UNPAID,
    "EXECUTED": Standing.PAYING,
    "PAID": Standing.HELD,
    "CONFIRMED": Standing.CAPTURED,
    "CANCELLED": Standing.UNDONE,
    "REJECTED": Standing.UNDONE,
    "EXPIRED": Standing.UNDONE,
    "REVERSED": Standing.UNDONE,
    "REFUNDED": Standing.UNDONE,
}

# `code`, every page. The second OK is U+041E U+041A, as the tables print it.
_OK = {"OK", "\u041e\u041a"}
_CODES = _OK | {"ERROR", "BAD_REQUEST", "NOT_FOUND"}

# `message`, the company's only error codes: pages "cancel", "refund" and "token".
_NOT_FOUND = "Purchase not found"
_REFUNDED = "Invoice has already been refunded"
_EXPIRED = "Jwe token is expired"
_CLOCK = "Range timestamp not valid"
_ERRORS: dict[str, type[ConnectorError]] = {
    "Purchase status must be PAID": ProviderRefused,
    _NOT_FOUND: ProviderRefused,
    _REFUNDED: ProviderRefused,
    "Cannot refund now. Try again later": ProviderRefused,
    "Refund amount cannot exceed payment amount": ProviderRefused,
    "Invoice cannot be refunded": ProviderRefused,
    "Invoice status must be CONFIRMED": ProviderRefused,
    "Forbidden": ProviderCredentials,
    _EXPIRED: ProviderCredentials,
    _CLOCK: ProviderCredentials,
    "Something went wrong": OutcomeUnknown,
}
# Seconds a token lives (page "token"), should its answer not say; and seconds before its end in
# which no call is started with it: a call, and a clock that is behind, must fit in.
_TOKEN_SECONDS, _TOKEN_MARGIN = 900, 100


def _private_key(text: str) -> rsa.RSAPrivateKey:
    """Read a key as the console shows it: base64 of PKCS#8 DER. Raises ValueError, says why."""
    try:
        der = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    try:
        key = serialization.load_der_private_key(der, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("not an unencrypted PKCS#8 private key in DER") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("not an RSA key")  # noqa: TRY004 - a text of the wrong content
    return key


def _private_key_fault(text: str) -> str | None:
    try:
        _private_key(text)
    except ValueError as error:
        return f"{error}; copy it from the console as it is, one line that begins with MII"
    return None


def _app_id_fault(text: str) -> str | None:
    if re.fullmatch(r"[0-9]{1,20}", text):
        return None
    return "digits only: the number in console.rustore.ru/apps/<number>/versions"


class RuStore(Provider):
    """Releases held purchases and refunds captured ones."""

    name = "rustore"
    title = "RuStore"
    url = "https://public-api.rustore.ru/public"
    sandbox_url = "https://public-api.rustore.ru/public/sandbox"
    settings = (
        Setting("app_id", "Application id", is_secret=False, check=_app_id_fault),
        Setting("key_id", "API key id", is_secret=False),
        Setting("private_key", "API private key", check=_private_key_fault),
        Setting("notification_key", "Server notification key"),
    )
    cancellable = frozenset({Standing.HELD, Standing.UNSEEN})
    passing = frozenset({Standing.PAYING})
    can_refund = True
    refund_is_idempotent = True
    absent_is_proof = False

    def __init__(self, http: HttpClient, hosts: Hosts) -> None:
        super().__init__(http, hosts)
        self._access_lock = threading.Lock()
        self._accesses: dict[tuple[str, str, str], _Access] = {}

    def look(
        self, payment: PaymentKey, account: Account, deadline: Deadline, reference: str | None
    ) -> Look:
        invoice_id = _usable(payment.provider_payment_id)
        if not invoice_id:
            return Look(Standing.UNSEEN if _usable(payment.authorization_id) else Standing.ABSENT)
        envelope = self._call("look", f"/v2/purchase/{invoice_id}", account, deadline)
        return _look_from(envelope, payment, account)

    def cancel(
        self, payment: PaymentKey, look: Look, account: Account, deadline: Deadline, reference: str
    ) -> Sent:
        purchase_id = _usable(payment.authorization_id)
        if not purchase_id:
            raise ProviderRefused(evidence="no purchaseId")
        path = f"/applications/{account.settings['app_id']}/purchases/{purchase_id}:cancel"
        return _sent_from(self._call("cancel", path, account, deadline), payment)

    def refund(
        self,
        payment: PaymentKey,
        look: Look,
        amount: Decimal | None,
        account: Account,
        deadline: Deadline,
        reference: str,
    ) -> Sent:
        invoice_id = _usable(payment.provider_payment_id)
        if not invoice_id:
            raise ProviderRefused(evidence="no invoiceId")
        path = f"/applications/{account.settings['app_id']}/invoices/{invoice_id}"
        return _sent_from(self._call("refund", path, account, deadline), payment)

    def probe(self, account: Account, deadline: Deadline) -> None:
        self._access(account).renew(deadline)

    def _call(self, operation: str, path: str, account: Account, deadline: Deadline) -> "_Envelope":
        """Make a call, once more with a new token where the company did not take the old one."""
        started = time.monotonic()
        token = self._access(account).token(deadline)
        try:
            return self._exchange(operation, path, account, deadline, token)
        except ProviderCredentials as error:
            # The key may get more rights: the next call asks for a new token.
            token.until = 0.0
            # The pages do not give the HTTP status of an expired token: 401 may be one.
            may_be_expired = error.evidence == "HTTP 401" and token.at < started
            if not may_be_expired and error.evidence != _EXPIRED:
                raise
        token = self._access(account).token(deadline)
        return self._exchange(operation, path, account, deadline, token)

    def _exchange(
        self, operation: str, path: str, account: Account, deadline: Deadline, token: "_Token"
    ) -> "_Envelope":
        """Return the answer if it is OK or a refusal of this operation; raise all else."""
        # The token may have taken its time.
        if operation != "look" and not deadline.allows_a_write():
            raise OutOfTime
        answer = self._http.send(
            _METHODS[operation],
            self._hosts.base(account) + path,
            operation=operation,
            deadline=deadline,
            headers=_headers(token),
        )
        envelope = _envelope_from(answer)
        if not envelope.is_ok and not isinstance(envelope.error(), ProviderRefused):
            raise envelope.error()
        return envelope

    def _access(self, account: Account) -> "_Access":
        # The page gives one address for tokens, without the sandbox part.
        url = self._hosts.base(account).removesuffix("/sandbox") + "/auth/"
        key = (url, account.settings["key_id"], account.settings["private_key"])
        with self._access_lock:
            return self._accesses.setdefault(key, _Access(self._http, *key))


@dataclass
class _Token:
    """A token, when it was asked for, and until when calls are started with it (monotonic)."""

    jwe: str = field(repr=False)
    at: float
    until: float


class _Access:
    """One API key: its token, fetched once for all threads.

    Whatever comes in the way, the call that needs the token was not sent: every failure is a
    NotDone.
    """

    def __init__(self, http: HttpClient, url: str, key_id: str, private_key: str) -> None:
        self._http = http
        self._url = url
        self._key_id = key_id
        self._private_key = private_key
        self._lock = threading.Lock()
        self._signer: rsa.RSAPrivateKey | None = None
        self._token = _Token("", at=0.0, until=0.0)

    def token(self, deadline: Deadline) -> _Token:
        token = self._token
        if time.monotonic() < token.until:
            return token
        with self._turn(deadline):
            if self._token is token:
                self._token = self._fetch(deadline)
            return self._token

    def renew(self, deadline: Deadline) -> None:
        with self._turn(deadline):
            self._token = self._fetch(deadline)

    @contextmanager
    def _turn(self, deadline: Deadline) -> Generator[None]:
        if not self._lock.acquire(timeout=deadline.left()):
            raise OutOfTime
        try:
            yield
        finally:
            self._lock.release()

    def _fetch(self, deadline: Deadline) -> _Token:
        started = time.monotonic()
        try:
            answer = self._http.send(
                "POST",
                self._url,
                operation="token",
                deadline=deadline,
                headers={"Content-Type": "application/json"},
                body=self._request(),
            )
            return _token_from(_envelope_from(answer), started)
        except OutcomeUnknown as error:
            raise ProviderUnavailable(evidence=error.evidence) from error

    def _request(self) -> bytes:
        """The company takes a timestamp for 60 s; SHA512withRSA hashes the text itself."""
        timestamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        text = (self._key_id + timestamp).encode()
        signature = base64.b64encode(
            self._key().sign(text, padding.PKCS1v15(), hashes.SHA512())
        ).decode()
        request = {"keyId": self._key_id, "timestamp": timestamp, "signature": signature}
        return json.dumps(request).encode()

    def _key(self) -> rsa.RSAPrivateKey:
        """Loading a key checks it, which takes as long as a call."""
        try:
            self._signer = self._signer or _private_key(self._private_key)
        except ValueError as error:
            raise ProviderCredentials(evidence=f"private_key: {error}") from error
        return self._signer


@dataclass(frozen=True)
class _Envelope:
    """An answer the company itself wrote: {"code", "message", "body", "timestamp"}."""

    code: str
    message: str
    fields: Fields

    @property
    def is_ok(self) -> bool:
        return self.code in _OK

    @property
    def is_not_found(self) -> bool:
        return self.code == "NOT_FOUND" or self.message == _NOT_FOUND

    @property
    def evidence(self) -> str:
        return self.message if self.message in _ERRORS else word(self.code)

    def error(self) -> ConnectorError:
        return _ERRORS.get(self.message, ProviderRefused)(evidence=self.evidence)


def _headers(token: _Token) -> dict[str, str]:
    return {"Public-Token": token.jwe}


def _usable(company_id: str | None) -> str | None:
    """Return an id that is fit for a URL path. VTEX may hold ids of another connector."""
    return company_id if company_id and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", company_id) else None


def _envelope_from(answer: Answer) -> _Envelope:
    fields = Fields(answer.json())
    code = (fields.text("code") or "").upper()
    message = (fields.text("message") or "").strip()
    is_own = code in _CODES or message in _ERRORS
    if not is_own or (code in _OK and answer.status >= 400):  # noqa: PLR2004 - refusals
        raise AnswerNotUnderstood(evidence=f"HTTP {answer.status}")
    return _Envelope(code, message, fields)


def _token_from(envelope: _Envelope, started: float) -> _Token:
    """Read {"jwe", "ttl": seconds}. A refusal names the key, or the clock of this server."""
    if not envelope.is_ok:
        error = envelope.error()
        if isinstance(error, OutcomeUnknown):
            raise error
        clock = "set this server's clock: " if envelope.message == _CLOCK else ""
        raise ProviderCredentials(evidence=clock + envelope.evidence)
    body = envelope.fields.object("body")
    jwe = body.text("jwe") or ""
    if not re.fullmatch(r"[!-~]+", jwe):
        raise AnswerNotUnderstood(evidence="no jwe")
    ttl = body.decimal("ttl")
    seconds = float(_TOKEN_SECONDS if ttl is None else ttl)
    return _Token(jwe, started, started + max(seconds - _TOKEN_MARGIN, seconds / 9))


def _look_from(envelope: _Envelope, payment: PaymentKey, account: Account) -> Look:
    """Read {"invoiceId", "invoiceStatus", "appId", ...}; ids come as numbers or texts."""
    if not envelope.is_ok:
        if envelope.is_not_found:
            return Look(Standing.ABSENT)
        raise envelope.error()
    invoice = envelope.fields.object("body")
    _check_same("invoiceId", invoice, payment.provider_payment_id)
    _check_same("appId", invoice, account.settings["app_id"])
    status = (invoice.text("invoiceStatus") or "").upper()
    if not status:
        raise AnswerNotUnderstood(evidence="no invoiceStatus")
    purchase_id = _usable(payment.authorization_id)
    standing = _STANDINGS.get(status, Standing.WORKING)
    if standing is Standing.HELD and not purchase_id:
        # Only the purchase can be cancelled, and nothing tells which one this invoice is of.
        return Look(Standing.STUCK, word=status)
    ended_by = purchase_id if standing is Standing.UNDONE else None
    return Look(standing, cancellation_id=ended_by, word=word(status))


def _check_same(name: str, invoice: Fields, expected: str | None) -> None:
    if invoice.text(name) not in {None, expected}:
        raise AnswerNotUnderstood(evidence=f"another {name}")


def _sent_from(envelope: _Envelope, payment: PaymentKey) -> Sent:
    """`body` is an empty object: OK is all there is to read."""
    if not envelope.is_ok and envelope.message != _REFUNDED:
        raise envelope.error()
    return Sent(Effect.DONE, _usable(payment.authorization_id), envelope.evidence)
