"""Logs: one JSON object a line, with an allow-list of fields.

Other fields are not written. Of an exception the type and the place are written, never the text:
the text could repeat a request's headers or a company's answer.
"""

import json
import logging
import time
import traceback
from typing import Any

from connector import context

# Fields of a record, or of its context.
FIELDS = (
    "merchant",
    "provider",
    "operation",
    "payment_id",
    "request_id",
    "attempt",
    "peer",
    "app_key",
    "call",
    "reason",
    "http_status",
    "code",
    "outcome",
    "ms",
    "bind",
    "count",
)


class JsonFormatter(logging.Formatter):
    """Writes a record's time, level, logger, event and the listed fields of it or its context.

    The event of another library's record is its template without the values: a value could be a
    secret. gunicorn's records of the server's own life keep their values.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "event": _event(record),
        }
        around = context.fields()
        for name in FIELDS:
            value = getattr(record, name, around.get(name))
            if value is not None:
                line[name] = value
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["trace"] = [
                f"{frame.filename}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(record.exc_info[2])
            ]
        return json.dumps(line, ensure_ascii=True)


def _event(record: logging.LogRecord) -> str:
    if record.name == "gunicorn.error" and record.levelno <= logging.INFO:
        return record.getMessage()
    return str(record.msg)


def configure(level: str) -> None:
    """Send every record to standard error. Libraries speak from WARNING on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("connector").setLevel(level)
    logging.getLogger("gunicorn.error").setLevel(logging.INFO)
