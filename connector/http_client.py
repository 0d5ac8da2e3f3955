"""Makes every outgoing call, with a deadline, a bulkhead, typed errors and a log line.

This module retries no call and follows no redirect. A failure without a connection means that
nothing was sent. After a connection was made, a failed call may have had any effect.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import requests
from urllib3.exceptions import HTTPError

from connector import context, tls
from connector.bulkhead import Bulkhead
from connector.connections import CONNECT_SECONDS, Adapter, call
from connector.domain import exact
from connector.domain.deadline import Deadline
from connector.domain.errors import (
    AnswerNotUnderstood,
    ConnectorError,
    OutcomeUnknown,
    OutOfTime,
    ProviderCertificate,
    ProviderCredentials,
    ProviderUnavailable,
    root_of,
)
from connector.resolver import Resolver

log = logging.getLogger(__name__)

# Bytes of the largest answer that is read. The largest documented answer is a Tranzzo order with
# all its operations. It has a few kilobytes.
MAX_ANSWER_BYTES = 1024 * 1024
# The meaning of an HTTP status, or of a class of them, for the call (RFC 9110, section 15).
_REFUSALS = {401: ProviderCredentials, 403: ProviderCredentials, 429: ProviderUnavailable}
_REFUSED_CLASSES = {3: AnswerNotUnderstood, 5: OutcomeUnknown}
# No compression: a compressed answer could grow beyond the limit.
HEADERS = {"User-Agent": "vtex-connector", "Accept-Encoding": "identity"}


@dataclass(frozen=True)
class Answer:
    """A company's answer. After `accept`, its status is not 401, 403, 429, 3xx or 5xx."""

    status: int
    body: bytes

    def accept(self, word: "Callable[[Answer], str] | None" = None) -> "Answer":
        """Return the answer, or raise the error that its status stands for.

        `word` reads the company's word in a refusal. If there is none, the status is the evidence.
        """
        refusal = _REFUSALS.get(self.status)
        error = refusal or _REFUSED_CLASSES.get(self.status // 100)
        if error:
            said = word(self) if word and refusal else ""
            raise error(evidence=said or f"HTTP {self.status}")
        return self

    def json(self) -> object:
        """Return the body as JSON. Its numbers stay exact. Raises AnswerNotUnderstood."""
        try:
            return exact.loads(self.body)
        except ValueError as error:
            raise AnswerNotUnderstood(evidence=f"HTTP {self.status}, not JSON") from error


class HttpClient:
    """Calls one company. All threads may share one client.

    A call takes at most `seconds`. At most `slots` calls run at once. `measure` gets the provider,
    the operation, the outcome and the seconds of each call. The authorities in `ca_file`, if given,
    replace the system's authorities.
    """

    def __init__(
        self,
        provider: str,
        *,
        seconds: float = 8.0,
        slots: int = 60,
        measure: Callable[[str, str, str, float], None] = lambda *_: None,
        ca_file: str = "",
    ) -> None:
        self._provider = provider
        self._seconds = seconds
        self._measure = measure
        self.bulkhead = Bulkhead(slots)
        # No session: it would send one merchant's cookies for another merchant, and its search
        # for proxies and netrc costs as much as the call itself.
        self._adapter = Adapter(ca_file, slots)
        self._resolver = Resolver()

    def close(self) -> None:
        """Close the idle connections."""
        self._adapter.close()

    def bounded(self, deadline: Deadline) -> Deadline:
        """Return the deadline of one call within this deadline."""
        return deadline.within(self._seconds)

    def send(
        self,
        method: str,
        url: str,
        *,
        operation: str,
        deadline: Deadline,
        headers: Mapping[str, str],
        body: bytes | None = None,
        word: Callable[[Answer], str] | None = None,
    ) -> Answer:
        """Make one call. `word` reads the company's word in a refusal.

        Raises a NotDone, such as OutOfTime, if the call certainly had no effect. Raises
        OutcomeUnknown if the call may have had an effect. Raises AnswerNotUnderstood for a redirect
        or an answer that is too large.
        """
        request = requests.Request(method, url, {**HEADERS, **headers}, data=body)
        with self._report(operation) as report:
            answer = self._exchange(request, self.bounded(deadline))
            report.http_status = answer.status
            return answer.accept(word)

    @contextmanager
    def _report(self, operation: str) -> Iterator["_Report"]:
        """Measure and log one call, even if it fails."""
        report, started = _Report(), time.monotonic()
        try:
            yield report
        except ConnectorError as error:
            report.outcome, report.reason = type(error).__name__, error.why
            raise
        finally:
            seconds = time.monotonic() - started
            context.note_status(report.http_status)
            self._measure(self._provider, operation, report.outcome, seconds)
            fields = {"provider": self._provider, "call": operation, **vars(report)}
            log.info("provider call", extra={**fields, "ms": round(seconds * 1000, 1)})

    def _exchange(self, request: requests.Request, deadline: Deadline) -> Answer:
        call.begin(str(request.url), deadline, self._resolver)
        left = deadline.left()
        if not left:
            raise OutOfTime
        timeout = (min(CONNECT_SECONDS, left), left)
        try:
            with self._adapter.send(request.prepare(), stream=True, timeout=timeout) as response:
                return Answer(response.status_code, _read(response))
        except (requests.RequestException, HTTPError, OSError) as error:
            raise _failure(error) from error


@dataclass
class _Report:
    """What the log says of a call."""

    http_status: int | None = None
    outcome: str = "ok"
    reason: str | None = None


def _failure(error: Exception) -> ConnectorError:
    """Return the error of a failed call. A call without a connection had no effect."""
    reason = root_of(error)
    if not call.connecting:
        return OutcomeUnknown(reason=reason)
    if distrust := tls.distrust(error):
        return ProviderCertificate(reason=f"{reason}: {distrust}")
    return ProviderUnavailable(reason=reason)


def _read(response: requests.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(64 * 1024):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise AnswerNotUnderstood(evidence="answer too large")
    return bytes(body)
