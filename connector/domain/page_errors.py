"""The failures of pages and of the configuration flow. No answer about a payment has one."""

import math

from connector.domain.errors import ConnectorError, InvalidRequest


class StaleForm(InvalidRequest):
    """The form is old, or another site sent it; load the page again."""

    code = "stale-form"


class AlreadyRotated(ConnectorError):
    """There is a newer AppToken than the page showed; load the page of the merchant again."""

    code = "already-rotated"


class TooManyRequests(ConnectorError):
    """Too many requests at this moment; repeat the request later."""

    code = "too-many-requests"

    def __init__(self, message: str | None = None, *, seconds: float = 1) -> None:
        """Say after how many seconds a repeat may succeed. They are rounded up."""
        self.seconds = math.ceil(seconds)
        super().__init__(message)


class SignInNeeded(ConnectorError):
    """Nobody is signed in; `connector console link` prints a link to sign in."""

    code = "unauthorized"
