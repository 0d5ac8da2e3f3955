"""RuStore: VK's store of Android apps. Only the app starts a purchase, never a server.

Pages, under https://www.rustore.ru/help/en/work-with-rustore-api/:
token         api-authorization-token
look          api-subscription-payment/v2-purchase-invoiceid
writes        api-subscription-payment/ cancel-purchase, confirm-purchase, refund-purchase
and under https://www.rustore.ru/help/developers/monetization/payment-callback/:
notification  notification, and server-set-up for its encryption

Authentication: a request, signed with the merchant's RSA key, gets a token for 900 s. Every call
carries the token. The merchant must allow each method for the key, sandbox methods too.

The app starts the purchase with VTEX's paymentId as its order id. Only a notification shows which
purchase that is: its purchaseId is VTEX's `authorizationId`, its invoiceId is VTEX's `tid`. A look
or a refund needs the invoice. A cancel or a confirm needs the purchase. Each write is for the full
amount. No call ends a purchase before it is paid. No call finds a purchase by VTEX's payment id, so
a purchase that is not found may still exist. A look shows the order's id, amount and currency, as
RuStore's own generated reference says. They must be those of VTEX's create.

The pages leave open:
- HTTP statuses: the `code` in the envelope decides, but OK counts only with a 2xx.
- Whether `Purchase status must be PAID` means that the write was done before: a look decides.
- Whether `invoiceId` goes into the path or the query: the printed URL has it in the path.
- The letters of OK: the tables print them in Cyrillic, the samples in ASCII; both are read.
- Whether every look shows the order (page "look" does not): absent values are not compared.
- Whether OK is the end of a confirm or a refund: some statuses say that they are under way, so a
  look shows it. "Invoice has already been refunded" does not say that the money is back either.
"""

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connector.company_json import Fields, safe_code
from connector.domain import errors, exact
from connector.domain.deadline import Deadline
from connector.domain.merchant import Account
from connector.domain.order import Delays
from connector.domain.payment import Effect, Look, Notification, Standing, WriteResult
from connector.http_client import Answer, HttpClient
from connector.provider import Call, Hosts, Message, Provider, Setting, for_people

_CALLS = {
    "look": ("GET", "/v2/purchase/{invoice}"),
    "cancel": ("PUT", "/applications/{app}/purchases/{purchase}:cancel"),
    "settle": ("PUT", "/applications/{app}/purchases/{purchase}:confirm"),
    "refund": ("PATCH", "/applications/{app}/invoices/{invoice}"),
}
# `invoiceStatus`, page "look"; consumed, executing and refunding are of the generated reference.
# Some answers have small letters. EXECUTING is a confirm under way, REFUNDING a refund under way.
_STANDINGS = {
    "CREATED": Standing.UNPAID,
    "EXECUTED": Standing.PAYING,
    "PAID": Standing.HELD,
    **dict.fromkeys(("EXECUTING", "REFUNDING"), Standing.WORKING),
    **dict.fromkeys(("CONFIRMED", "CONSUMED"), Standing.CAPTURED),
    **dict.fromkeys(("CANCELLED", "REJECTED", "EXPIRED", "REVERSED", "REFUNDED"), Standing.UNDONE),
}
# `code`, every page. The second OK is U+041E U+041A, as the tables print it.
_OK = {"OK", "\u041e\u041a"}
_CODES = _OK | {"ERROR", "BAD_REQUEST", "NOT_FOUND"}

# `message`, the company's only error code: pages "writes" and "token".
_NOT_FOUND = "Purchase not found"
# What a refusal shows, by `code` or `message`, where there is no such purchase.
_ABSENT = {"NOT_FOUND", _NOT_FOUND}
_REFUNDED = "Invoice has already been refunded"
_EXPIRED = "Jwe token is expired"
_CLOCK = "Range timestamp not valid"
_ERRORS: dict[str, type[errors.ConnectorError]] = {
    "Purchase status must be PAID": errors.ProviderRefused,
    _NOT_FOUND: errors.ProviderRefused,
    _REFUNDED: errors.ProviderRefused,
    "Cannot refund now. Try again later": errors.ProviderUnavailable,
    "Refund amount cannot exceed payment amount": errors.ProviderRefused,
    "Invoice cannot be refunded": errors.ProviderRefused,
    "Invoice status must be CONFIRMED": errors.ProviderRefused,
    "Forbidden": errors.ProviderCredentials,
    _EXPIRED: errors.ProviderCredentials,
    _CLOCK: errors.ProviderCredentials,
    "Something went wrong": errors.OutcomeUnknown,
}
# Seconds for which a token is valid (page "token") if the answer does not say it. And seconds
# before its end in which no call starts: a call may be slow, and our clock may be behind.
_TOKEN_SECONDS, _TOKEN_MARGIN = 900, 100
_JSON = {"Content-Type": "application/json"}
_NO_KEY = for_people(
    "not base64 of an unencrypted PKCS#8 private key; copy it from the console as it is, one line "
    "that begins with MII"
)
_NO_RSA_KEY = for_people(
    "not an RSA key; copy it from the console as it is, one line that begins with MII"
)


def _read_private_key(text: str) -> rsa.RSAPrivateKey:
    """Read a key as the console shows it: base64 of PKCS#8 DER. Raises ValueError with a reason."""
    try:
        key = serialization.load_der_private_key(base64.b64decode(text, validate=True), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(_NO_KEY) from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError(_NO_RSA_KEY)  # noqa: TRY004 - a text of the wrong content
    return key


def _private_key_fault(text: str) -> str | None:
    try:
        _read_private_key(text)
    except ValueError as error:
        return str(error)
    return None


def _pattern_check(pattern: str, hint: str) -> Callable[[str], str | None]:
    return lambda text: None if re.fullmatch(pattern, text) else hint


_APP_ID = _pattern_check(
    "[0-9]{1,20}", for_people("digits only: the number in console.rustore.ru/apps/<number>")
)
# Page "token".
_KEY_PLACE = for_people(
    "In RuStore Console, Company > API RuStore. The key must be allowed for this app and for the "
    "methods of payments."
)
_AES_KEY = _pattern_check(
    "[A-Za-z0-9+/]{43}=", for_people("32 bytes in base64: copy it from the console as it is")
)


class RuStore(Provider):
    """Adopts purchases; confirms or releases held ones, refunds confirmed ones."""

    name = "rustore"
    title = "RuStore"
    url = "https://public-api.rustore.ru/public"
    sandbox_url = "https://public-api.rustore.ru/public/sandbox"
    settings = (
        Setting(
            "app_id",
            for_people("Application id"),
            is_secret=False,
            check=_APP_ID,
            is_account=True,
            hint=for_people(
                "The number in the address of your app in RuStore Console: "
                "console.rustore.ru/apps/NUMBER"
            ),
        ),
        Setting("key_id", for_people("API key id"), is_secret=False, hint=_KEY_PLACE),
        Setting(
            "private_key",
            for_people("API private key"),
            check=_private_key_fault,
            hint=for_people(
                "One line that begins with MII. RuStore Console shows it once, when the key "
                "is made."
            ),
        ),
        Setting(
            "notification_key",
            for_people("Server notification key"),
            check=_AES_KEY,
            hint=for_people(
                "In RuStore Console, Monetization > Server notifications. The console shows this "
                "key once, for the address that you enter there."
            ),
            needs_address=True,
        ),
    )
    notification_place = for_people("In RuStore Console, Monetization > Server notifications.")
    payment_methods = ("RuStore",)
    currencies = frozenset({"RUB"})
    # The buyer pays at once or never. A hold lasts 6 h: settle it soon.
    delays = Delays(3600, 3600, cancel=3600)
    is_adopting = True
    cancellable = frozenset({Standing.HELD, Standing.UNSEEN})
    passing = frozenset({Standing.PAYING})
    can_refund = True
    refund_is_idempotent = True
    probe_proves_account = False  # a token is given for a key, not for an application
    absent_is_proof = False

    def __init__(self, http: HttpClient, hosts: Hosts) -> None:
        super().__init__(http, hosts)
        self._accesses: dict[tuple[str, str, str], _Access] = {}

    def look(self, call: Call) -> Look:
        payment = call.payment
        if not _usable_id(payment.provider_payment_id):
            return Look(
                Standing.UNSEEN if _usable_id(payment.authorization_id) else Standing.ABSENT
            )
        try:
            content = self._call("look", call)
        except errors.ProviderRefused as refusal:
            if refusal.evidence not in _ABSENT:
                raise
            return Look(Standing.ABSENT)
        return _look_from(content.object("body"), call)

    def cancel(self, call: Call) -> WriteResult:
        self._call("cancel", call)
        return WriteResult(Effect.DONE, _purchase_id(call), "OK")

    def settle(self, call: Call) -> WriteResult:
        _check_whole(call.amount)
        self._call("settle", call)
        return WriteResult(Effect.ACCEPTED, _purchase_id(call), "OK")

    def refund(self, call: Call) -> WriteResult:
        _check_whole(call.amount)
        status = "OK"
        try:
            self._call("refund", call)
        except errors.ProviderRefused as error:
            if error.evidence != _REFUNDED:
                raise
            status = _REFUNDED
        return WriteResult(Effect.ACCEPTED, _purchase_id(call), status)

    def read_notification(self, message: Message) -> Notification | None:
        """Read {"id", "timestamp", "payload"}; only the payload, in base64, is proven."""
        key = AESGCM(base64.b64decode(message.account.settings["notification_key"]))
        try:
            exact.check_members(message.body)
            payload = Fields(exact.loads(message.body)).text("payload") or ""
            sealed = base64.b64decode(payload, validate=True)
            # The first 12 bytes are the IV, the last 16 the tag.
            plain = key.decrypt(sealed[:12], sealed[12:], None)
            return _notification_from(plain, message.account)
        except InvalidTag as error:
            raise errors.NotAuthenticated("Not encrypted with the merchant's key") from error
        except (ValueError, errors.AnswerNotUnderstood) as error:
            raise errors.InvalidRequest("This is no notification of RuStore's") from error

    def probe(self, call: Call) -> None:
        """Ask for a token. Keys that are only tried are not remembered."""
        access = _Access(self._http, *self._access_key(call.account))
        access.token(call.deadline, is_new=True)

    def _call(self, operation: str, call: Call) -> Fields:
        """Make a call. If the company refused the token, call once more with a new token."""
        url = self._hosts.base(call.account) + _path(operation, call)
        started = time.monotonic()
        access = self._access(call.account)
        token = access.token(call.deadline)
        try:
            return self._exchange(operation, url, call.deadline, token)
        except errors.ProviderCredentials as error:
            # The key may get more rights: the next call asks for a new token.
            token.until = 0.0
            # The pages do not say which HTTP status an expired token gets. It may be 401.
            may_be_expired = error.evidence == "HTTP 401" and token.at < started
            if not may_be_expired and error.evidence != _EXPIRED:
                raise
        return self._exchange(operation, url, call.deadline, access.token(call.deadline))

    def _exchange(self, operation: str, url: str, deadline: Deadline, token: "_Token") -> Fields:
        # The request for the token may have taken long.
        if operation != "look":
            deadline.check_write()
        method, headers = _CALLS[operation][0], {"Public-Token": token.jwe}
        return _content_from(
            self._http.send(method, url, operation=operation, deadline=deadline, headers=headers)
        )

    def _access(self, account: Account) -> "_Access":
        key = self._access_key(account)
        return self._accesses.setdefault(key, _Access(self._http, *key))

    def _access_key(self, account: Account) -> tuple[str, str, str]:
        # The page gives a single address for tokens, without the sandbox part.
        url = self._hosts.base(account).removesuffix("/sandbox") + "/auth/"
        return url, account.settings["key_id"], account.settings["private_key"]


@dataclass
class _Token:
    """A token. `at` is when it was requested; no call starts with it after `until` (monotonic)."""

    jwe: str = field(repr=False)
    at: float
    until: float


@dataclass
class _Access:
    """One API key and its token. All threads share the token.

    A call without its token is not sent, so every failure here is a NotDone.
    """

    http: HttpClient
    url: str
    key_id: str
    private_key: str = field(repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock)
    current: _Token = field(default_factory=lambda: _Token("", at=0.0, until=0.0))

    def token(self, deadline: Deadline, *, is_new: bool = False) -> _Token:
        """Return the token in use; with `is_new`, a token that is requested now."""
        token = self.current
        if time.monotonic() < token.until and not is_new:
            return token
        if not self.lock.acquire(timeout=deadline.left()):
            raise errors.OutOfTime
        try:
            if self.current is token:
                self.current = self._fetch(deadline)
            return self.current
        finally:
            self.lock.release()

    def _fetch(self, deadline: Deadline) -> _Token:
        started = time.monotonic()
        try:
            body = self._request()
            answer = self.http.send(
                "POST", self.url, operation="token", deadline=deadline, headers=_JSON, body=body
            )
            return _token_from(_content_from(answer).object("body"), started)
        except errors.OutcomeUnknown as error:
            raise errors.ProviderUnavailable(evidence=error.evidence) from error
        except (errors.ProviderCredentials, errors.ProviderRefused) as error:
            clock = "set this server's clock: " if error.evidence == _CLOCK else ""
            raise errors.ProviderCredentials(evidence=clock + error.evidence) from error

    def _request(self) -> bytes:
        """Sign a timestamp. The company accepts it for 60 s. SHA512withRSA hashes the text."""
        timestamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            key = _read_private_key(self.private_key)
        except ValueError as error:
            raise errors.ProviderCredentials(evidence=f"private_key: {error}") from error
        signed = key.sign((self.key_id + timestamp).encode(), padding.PKCS1v15(), hashes.SHA512())
        signature = base64.b64encode(signed).decode()
        request = {"keyId": self.key_id, "timestamp": timestamp, "signature": signature}
        return json.dumps(request).encode()


def _usable_id(company_id: str | None) -> str | None:
    """Return an id if it is fit for a URL path. VTEX may have ids of another connector."""
    return company_id if company_id and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", company_id) else None


def _purchase_id(call: Call) -> str | None:
    return _usable_id(call.payment.authorization_id)


def _path(operation: str, call: Call) -> str:
    """Return the path of a call. Raises ProviderRefused if an id for the path is missing."""
    payment = call.payment
    ids = {"purchase": payment.authorization_id, "invoice": payment.provider_payment_id}
    path = _CALLS[operation][1]
    for name, company_id in ids.items():
        if name + "}" in path and not _usable_id(company_id):
            raise errors.ProviderRefused(evidence=f"no {name} id")
    return path.format(app=call.account.settings["app_id"], **ids)


def _content_from(answer: Answer) -> Fields:
    """Read {"code", "message", "body", "timestamp"}; raise for a code that is not OK."""
    fields = Fields(answer.json())
    code = (fields.text("code") or "").upper()
    message = (fields.text("message") or "").strip()
    is_of_rustore = code in _CODES or message in _ERRORS
    if not is_of_rustore or (code in _OK and answer.status >= 400):  # noqa: PLR2004 - refusals
        raise errors.AnswerNotUnderstood(evidence=f"HTTP {answer.status}")
    if code not in _OK:
        evidence = message if message in _ERRORS else safe_code(code)
        raise _ERRORS.get(message, errors.ProviderRefused)(evidence=evidence)
    return fields


def _token_from(body: Fields, started: float) -> _Token:
    """Read {"jwe", "ttl": seconds}."""
    jwe = body.text("jwe") or ""
    if not re.fullmatch(r"[!-~]+", jwe):
        raise errors.AnswerNotUnderstood(evidence="no jwe")
    ttl = body.decimal("ttl")
    seconds = float(_TOKEN_SECONDS if ttl is None else ttl)
    return _Token(jwe, started, started + max(seconds - _TOKEN_MARGIN, seconds / 9))


def _look_from(invoice: Fields, call: Call) -> Look:
    """Read {"invoiceId", "invoiceStatus", "appId", "order", ...}; ids are numbers or texts."""
    payment, app_id = call.payment, call.account.settings["app_id"]
    ids = {"invoiceId": payment.provider_payment_id, "appId": app_id}
    for name, expected in ids.items():
        if invoice.text(name) not in {None, expected}:
            raise errors.AnswerNotUnderstood(evidence=f"another {name}")
    status = (invoice.text("invoiceStatus") or "").upper()
    if not status:
        raise errors.AnswerNotUnderstood(evidence="no invoiceStatus")
    order = _Order(invoice)
    return replace(
        _standing_from(status, _purchase_id(call)),
        amount=order.amount,
        currency=order.currency,
        is_another=order.id not in {None, payment.payment_id},
    )


def _standing_from(status: str, purchase_id: str | None) -> Look:
    standing = _STANDINGS.get(status, Standing.WORKING)
    if standing is Standing.HELD and not purchase_id:
        # Only a purchase can be cancelled, and nothing shows which purchase has this invoice.
        return Look(Standing.STUCK, provider_status=status)
    cancellation_id = purchase_id if standing is Standing.UNDONE else None
    return Look(standing, cancellation_id=cancellation_id, provider_status=safe_code(status))


class _Order:
    """The order in an invoice: {"orderId", "amountCurrent", "currency", ...}.

    Amounts are in kopecks. `amountCreate` is the amount of the start. RuStore's deprecated look has
    an older shape: {"order_id", "amount", "currency"} within "invoice".
    """

    def __init__(self, invoice: Fields) -> None:
        older, newer = invoice.object("invoice").object("order"), invoice.object("order")
        self.id = newer.text("orderId") or newer.text("order_id") or older.text("order_id")
        currency = newer.text("currency") or older.text("currency")
        self.currency = currency.upper() if currency else None
        amounts = [newer.decimal(name) for name in ("amountCurrent", "amountCreate", "amount")]
        amounts.append(older.decimal("amount"))
        kopecks = next((amount for amount in amounts if amount is not None), None)
        self.amount = None if kopecks is None else kopecks.scaleb(-2)


def _check_whole(amount: Decimal | None) -> None:
    if amount is not None:
        raise errors.ProviderRefused(evidence="full amount only")


def _notification_from(plain: bytes, account: Account) -> Notification | None:
    """Read {"notification_type", "app_id", "data"}; `data` is a text that holds JSON.

    The outer id is not proven, so a repeat is recognised by its content.
    """
    event = Fields(exact.loads(plain))
    if event.text("app_id") != account.settings["app_id"]:
        raise errors.NotAuthenticated("This is about another application")
    if (event.text("notification_type") or "").removesuffix("_SANDBOX") != "INVOICE_STATUS":
        return None
    change = Fields(exact.loads(event.text("data") or ""))
    if not (order_id := change.text("order_id")):
        return None
    return Notification(
        hashlib.sha256(plain).hexdigest(),
        (order_id,),
        authorization_id=_usable_id(change.text("purchase_id")),
        provider_payment_id=_usable_id(change.text("invoice_id")),
        provider_status=safe_code((change.text("status_new") or "").upper()),
    )
