"""The fields that all log lines of one piece of work share, such as its merchant and payment.

A piece of work is a request, a look of reconcile or a callback. Each thread has its own context. A
thread does one piece of work after another. Each begins with an empty context. `connector.logs`
decides which of the fields are written.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial

Value = str | int | float | None

_FIELDS: ContextVar[Mapping[str, Value] | None] = ContextVar("FIELDS", default=None)
_STATUS: ContextVar[int | None] = ContextVar("STATUS", default=None)


def fields() -> Mapping[str, Value]:
    return _FIELDS.get() or {}


def begin(**values: Value) -> None:
    """Begin a piece of work. Drop the fields of the thread's previous piece of work."""
    _FIELDS.set(values)


def add(**values: Value) -> None:
    """Add fields to this piece of work."""
    _FIELDS.set({**fields(), **values})


@contextmanager
def of(**values: Value) -> Iterator[None]:
    """Begin and end a piece of work that belongs to no request."""
    token = _FIELDS.set(values)
    try:
        yield
    finally:
        _FIELDS.reset(token)


def note_status(http_status: int | None) -> None:
    """Note the HTTP status of a company's answer. None: the call had no answer."""
    _STATUS.set(http_status)


def last_status() -> int | None:
    return _STATUS.get()


def bind(work: Callable[[], object]) -> Callable[[], object]:
    """Return work for later. It runs in a copy of the present context."""
    return partial(copy_context().run, work)
