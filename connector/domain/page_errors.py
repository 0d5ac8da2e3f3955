"""The failures of pages and of the configuration flow. No answer about a payment has one."""

from connector.domain.errors import ConnectorError, InvalidRequest


class StaleForm(InvalidRequest):
    """The form is old, or another site sent it; load the page again."""

    code = "stale-form"


class TooManyRequests(ConnectorError):
    """Too many requests at this moment; repeat the request later."""

    code = "too-many-requests"
    # Seconds after which a repeat may succeed.
    seconds = 1
