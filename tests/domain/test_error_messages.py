"""The words of a failure are a part of the answer to VTEX, though they stand in docstrings."""

import pytest

from connector.domain import errors
from connector.domain.errors import ConnectorError

MESSAGES = {
    "ConnectorError": "The connector failed.",
    "InvalidRequest": "The request does not fit the protocol.",
    "BodyTooLarge": "The body is too large.",
    "NotJson": "Send the body as JSON, with Content-Type: application/json.",
    "Compressed": (
        "Send the body as it is, without Content-Encoding: no compression is understood here."
    ),
    "NotFound": "There is nothing at this address; see /openapi.yaml.",
    "NotAuthenticated": "Send the AppKey and AppToken of an enabled merchant.",
    "SuiteOff": "The test suite is switched off here: set CONNECTOR_TEST_SUITE=on and restart.",
    "RequestMismatch": (
        "This requestId was already answered for another value; send a new requestId."
    ),
    "IllegalTransition": "The payment's status does not allow this.",
    "UnsupportedCurrency": "The provider does not take this currency.",
    "NoSandbox": (
        "The provider has no sandbox; create the payment with a merchant that is not in test mode."
    ),
    "CardNotTaken": (
        "Send no card: the buyer pays on the company's page. Use a payment method that redirects."
    ),
    "NotApproved": "The payment is not approved at the provider; nothing can be taken or returned.",
    "TooMuch": "More was asked for than there is.",
    "NotInPart": "The provider cannot settle a part of this payment.",
    "RequestInProgress": "The identical request is still running; repeat it.",
    "PaymentBusy": "Another operation of this payment is still running; repeat the request.",
    "NotDone": "It certainly did not happen.",
    "ProviderUnavailable": (
        "The provider could not be reached or takes no calls now; nothing was done."
    ),
    "ProviderBusy": "Too many calls to this provider are under way; nothing was sent.",
    "ProviderCredentials": "The provider refused the merchant's credentials; correct its settings.",
    "ProviderCertificate": (
        "The provider's certificate is not one that this server trusts; nothing was sent."
    ),
    "OutOfTime": "Too little of the answer time was left to start; nothing was sent.",
    "OutcomeUnknown": "The provider did not say what came of it; the next request looks first.",
    "AnswerNotUnderstood": "The provider's answer could not be read; the next request looks first.",
    "LeaseLost": "This request lost its turn to a later one.",
    "ProviderRefused": "The provider refused the operation.",
    "ConfigurationError": "The configuration is incomplete.",
    "UnknownMerchant": "There is no merchant of this name.",
    "MerchantExists": "There is already a merchant of this name.",
    "StorageUnavailable": "The database could not be used; repeat the request.",
}


def kinds() -> list[type[ConnectorError]]:
    found = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    return [kind for kind in found if issubclass(kind, ConnectorError)]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_a_failure_says_the_words_that_were_agreed(kind: type[ConnectorError]) -> None:
    assert kind("").message == MESSAGES[kind.__name__]


def test_no_words_are_of_a_failure_that_is_gone() -> None:
    assert MESSAGES.keys() == {kind.__name__ for kind in kinds()}
