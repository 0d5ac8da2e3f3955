"""gunicorn's parser. It also takes a repeated Content-Type, as VTEX's own collection sends it."""

from typing import Any

from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser

_TYPE = "CONTENT-TYPE"


class Head(Request):  # type: ignore[misc]
    """A head whose Content-Type may be repeated. Two different types count as no type at all.

    gunicorn refuses any repeated Content-Type. Two equal types cannot be misread.
    """

    _content_type: str | None = None

    def _apply_header_policy(
        self, name: str, value: str, scheme_state: Any, seen: set[str], *rest: Any, **options: Any
    ) -> Any:
        is_type = name == _TYPE and not options.get("from_trailer")
        if is_type:
            seen.discard(_TYPE)
            value = self._combined(value)
        return super()._apply_header_policy(name, value, scheme_state, seen, *rest, **options)

    def _combined(self, value: str) -> str:
        """Return one value for all types so far: the application gets only the last value."""
        first = self._content_type
        if first is not None and first.lower() != value.lower():
            value = ",".join(text.partition(";")[0] for text in (first, value))
        self._content_type = value
        return value


class HeadParser(RequestParser):  # type: ignore[misc]
    mesg_class = Head
