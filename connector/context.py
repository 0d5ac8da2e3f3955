"""What the log lines of one piece of work share: the request, its merchant, payment and attempt.

A piece of work is a request, a look of reconcile, a callback. Each thread has its own context,
and a thread does one piece after another: each begins anew. `connector.logs` says which of the
fields are written.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial

Value = str | int | float | None

_FIELDS: ContextVar[Mapping[str, Value] | None] = ContextVar("FIELDS", default=None)
_HEARD: ContextVar[int | None] = ContextVar("HEARD", default=None)


def fields() -> Mapping[str, Value]:
    return _FIELDS.get() or {}


def begin(**own: Value) -> None:
    """Forget what this thread did before: a server's threads take one request after another."""
    _FIELDS.set(own)


def add(**more: Value) -> None:
    """Say more of this piece of work."""
    _FIELDS.set({**fields(), **more})


@contextmanager
def of(**own: Value) -> Iterator[None]:
    """Do a piece of work that is part of no request."""
    token = _FIELDS.set(own)
    try:
        yield
    finally:
        _FIELDS.reset(token)


def heard(http_status: int | None) -> None:
    """Keep the HTTP status of a company's answer, None when a call had none."""
    _HEARD.set(http_status)


def last_heard() -> int | None:
    return _HEARD.get()


def kept(work: Callable[[], object]) -> Callable[[], object]:
    """Return work that is done later, with the context it has now."""
    return partial(copy_context().run, work)
