"""Every typed failure. The groups say what the caller may do next.

The default message is the docstring of the class. `code` is for VTEX. `evidence` is a short word
from the company: a status or an error code, never free text, which could hold a secret. `reason` is
only for the operator: the rule that held an operation back, or the class of an exception.
"""

import inspect
from enum import StrEnum
from typing import overload


class Rule(StrEnum):
    """Why an operation was held back: a second effect, or a wrong answer, was possible."""

    CREATE_MAY_ARRIVE = "a create of ours may still arrive"
    WAS_THERE = "the provider does not know a payment that it knew, or that we may have created"
    REFUND_MAY_COME = "a refund of ours is accepted, or unanswered for less than a lease"
    CANCELLATION_MAY_COME = "a refund by a cancellation was sent, and its end is not known"
    PART_RETURNED = "more was returned than is known of, and less than was asked for"
    LEASE_LOST = "the lease ended, and another request has the turn"


class ConnectorError(Exception):
    """The connector failed."""

    code = "internal-error"

    def __init__(self, message: str | None = None, *, evidence: str = "", reason: str = "") -> None:
        self.evidence = evidence
        self.reason = reason
        self.message = message or inspect.cleandoc(type(self).__doc__ or "").split("\n")[0]
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} ({self.evidence})" if self.evidence else self.message

    @property
    def why(self) -> str:
        """The failure for the operator: its class, its evidence and its reason."""
        parts = [part for part in (self.evidence, self.reason) if part]
        return ": ".join([type(self).__name__, *parts])


def root_of(error: BaseException) -> str:
    """Name the first exception in a chain of causes, up to a failure of our own."""
    cause = error.__cause__ or error.__context__
    if cause is None or isinstance(cause, ConnectorError):
        return type(error).__name__
    return root_of(cause)


# The caller must change the request.


class InvalidRequest(ConnectorError):
    """The request does not fit the protocol."""

    code = "invalid-request"


class BodyTooLarge(InvalidRequest):
    """The body is too large."""


class NotJson(InvalidRequest):
    """Send the body as JSON, with Content-Type: application/json."""


class Compressed(NotJson):
    """Send the body as it is, without Content-Encoding: no compression is understood here."""


class NotFound(InvalidRequest):
    """There is nothing at this address; see /openapi.yaml."""

    code = "not-found"


class Stranger(StrEnum):
    """The reason why a caller was refused. UNPROVEN is for a company's message without a proof."""

    MISSING = "missing"
    UNKNOWN_KEY = "unknown-key"
    WRONG_TOKEN = "wrong-token"  # noqa: S105 - a word, not a token
    DISABLED = "disabled"
    TEST_SUITE = "test-suite"
    UNPROVEN = "unproven"


class NotAuthenticated(ConnectorError):
    """Send the AppKey and AppToken of an enabled merchant."""

    code = "unauthorized"


class SuiteOff(ConnectorError):
    """The test suite is switched off here: set CONNECTOR_TEST_SUITE=on and restart."""

    code = "test-suite-off"


class RequestMismatch(ConnectorError):
    """This requestId was already answered for another value; send a new requestId."""

    code = "request-mismatch"


class IllegalTransition(ConnectorError):
    """The payment's status does not allow this."""

    code = "illegal-transition"


class UnsupportedCurrency(InvalidRequest):
    """The provider does not take this currency."""

    code = "currency-not-supported"


class NoSandbox(InvalidRequest):
    """The provider has no sandbox; create the payment with a merchant that is not in test mode."""

    code = "sandbox-not-supported"


class CardNotTaken(InvalidRequest):
    """Send no card: the buyer pays on the company's page. Use a payment method that redirects."""

    code = "card-not-taken"


class NotApproved(IllegalTransition):
    """The payment is not approved at the provider; nothing can be taken or returned."""

    code = "payment-not-approved"


class TooMuch(IllegalTransition):
    """More was asked for than there is."""

    code = "amount-too-large"


class NotInPart(IllegalTransition):
    """The provider cannot settle a part of this payment."""

    code = "not-in-part"


# Another request has the lease.


class RequestInProgress(ConnectorError):
    """The identical request is still running; repeat it."""

    code = "request-in-progress"


class PaymentBusy(ConnectorError):
    """Another operation of this payment is still running; repeat the request."""

    code = "payment-busy"


# The operation certainly did not happen: the same call may be sent again.


class NotDone(ConnectorError):
    """It certainly did not happen."""

    code = "provider-unavailable"


class ProviderUnavailable(NotDone):
    """The provider could not be reached or takes no calls now; nothing was done."""


class ProviderBusy(NotDone):
    """Too many calls to this provider are under way; nothing was sent."""

    code = "provider-busy"


class ProviderCredentials(NotDone):
    """The provider refused the merchant's credentials; correct its settings."""

    code = "provider-credentials"


class ProviderCertificate(NotDone):
    """The provider's certificate is not one that this server trusts; nothing was sent."""

    code = "provider-certificate"


class OutOfTime(NotDone):
    """Too little of the answer time was left to start; nothing was sent."""


# The operation may have happened: look before you send the call again.


class OutcomeUnknown(ConnectorError):
    """The provider did not say what came of it; the next request looks first."""

    code = "outcome-unknown"

    @overload
    def __init__(self, message: str | None = None, *, evidence: str, reason: str = "") -> None: ...
    @overload
    def __init__(self, message: str | None = None, *, reason: str) -> None: ...
    def __init__(self, message: str | None = None, *, evidence: str = "", reason: str = "") -> None:
        """Give `evidence` or `reason`: nobody can act on a doubt without a cause."""
        super().__init__(message, evidence=evidence, reason=reason)


class AnswerNotUnderstood(OutcomeUnknown):
    """The provider's answer could not be read; the next request looks first."""


class LeaseLost(OutcomeUnknown):
    """This request lost its turn to a later one."""


# The company refused.


class ProviderRefused(ConnectorError):
    """The provider refused the operation."""

    code = "provider-refused"


# The operator must change something.


class ConfigurationError(ConnectorError):
    """The configuration is incomplete."""

    code = "configuration"


class UnknownMerchant(ConnectorError):
    """There is no merchant of this name."""


class MerchantExists(ConnectorError):
    """There is already a merchant of this name."""


class StorageUnavailable(ConnectorError):
    """The database could not be used; repeat the request."""

    code = "storage-unavailable"
