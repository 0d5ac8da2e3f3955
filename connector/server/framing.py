"""Finds the end of a request's head and body. It decides only whether to wait for more bytes.

gunicorn's parser reads the same bytes afterwards. Only the parser decides what the request is and
where the next request begins. If this module calls a request whole too early, the parser refuses
the request. If it does so too late, the request has only waited.
"""

import re

from gunicorn.http.body import ChunkedReader

from connector.http_server import MAX_BODY_BYTES

# Bytes of a request line and its header fields together. VTEX's requests take about 1 KB.
MOST_HEAD = 32 * 1024
# Bytes of a chunked body with the lines of its chunks' sizes.
MOST_CHUNKED = MAX_BODY_BYTES + 64 * 1024
# Chunks of a body. A client that sends in chunks makes chunks of kilobytes. Each chunk costs
# gunicorn's parser 10 microseconds of CPU.
MOST_CHUNKS = 256
# Bytes of the trailer behind the last chunk. We use no trailer.
MOST_TRAILER = 4096
# Empty lines before a request line that are skipped (RFC 9112, 2.2: at least one).
MOST_EMPTY_LINES = 4

_HEAD_END = b"\r\n\r\n"
_LINE_END = b"\r\n"
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(;.*)?", re.DOTALL)


class TooManyPieces(Exception):
    """The body has too many chunks, or too long a trailer."""


class Length:
    """A body whose length the head says; no body is 0 bytes long."""

    def __init__(self, length: int) -> None:
        self._length = length

    def is_whole(self, received: bytearray) -> bool:
        return len(received) >= self._length

    def is_too_large(self, received: bytearray) -> bool:
        return self._length > MAX_BODY_BYTES


class Chunks:
    """A chunked body: follows the sizes of its chunks, then its trailer, to the end.

    Raises TooManyPieces.
    """

    def __init__(self) -> None:
        # Where the line of the next chunk's size begins.
        self._at = 0
        self._count = 0

    def is_whole(self, received: bytearray) -> bool:
        while (end := received.find(_LINE_END, self._at)) >= 0:
            size = _CHUNK_SIZE.fullmatch(received[self._at : end])
            if size is None:
                # This is no size of a chunk, so the parser will refuse the request. Do not wait.
                return True
            length = int(size.group(1), 16)
            if length == 0:
                return self._is_trailer_whole(received, end)
            self._at = end + len(_LINE_END) + length + len(_LINE_END)
            self._count += 1
            if self._count > MOST_CHUNKS:
                raise TooManyPieces
        return False

    def _is_trailer_whole(self, received: bytearray, start: int) -> bool:
        """Look for the end of the trailer: an empty line, as after a head."""
        end = received.find(_HEAD_END, start, start + MOST_TRAILER)
        if end < 0 and len(received) - start > MOST_TRAILER:
            raise TooManyPieces
        return end >= 0

    def is_too_large(self, received: bytearray) -> bool:
        return len(received) > MOST_CHUNKED


# A rule that says whether a body is whole.
Body = Length | Chunks


def body_of(request: object) -> Body:
    """Return the body that a parsed head announces."""
    reader = request.body.reader  # type: ignore[attr-defined]
    return Chunks() if isinstance(reader, ChunkedReader) else Length(reader.length)


def is_readable(received: bytearray) -> bool:
    """Whether the first byte may begin a request. TLS, for example, begins with another byte."""
    first = received[:1]
    return not first or first.isalpha() or first == b"\r"


def head_end(received: bytearray, searched: int) -> int:
    """Return the end of the head, or -1. The first `searched` bytes were searched before."""
    return received.find(_HEAD_END, max(0, searched - len(_HEAD_END) + 1))
