"""Parse the common case in one pass: a request without a body, or a whole response, in one read.

Clients and upstreams send the same header lines again and again; a line that has been read before is looked up instead
of parsed. Whatever is not plain in every respect is left to llhttp. A property test compares the two: where this module
returns a result, it is llhttp's. It takes about 2 us where llhttp's callbacks take 6."""

from __future__ import annotations

import re

from chaos.gateway.exchange.wire import END_OF_HEAD
from chaos.mesh.decision import Headers

MEMORY = 1024  # lines remembered; then all are forgotten, which costs the common ones a parse each
LONGEST = 16 * 1024  # bytes of a head; a longer one goes to llhttp, where it is checked against the limits
MOST = 60  # header lines

_REQUEST_LINE = re.compile(rb"(GET|HEAD|DELETE|OPTIONS) (/[!-~]*) HTTP/1\.1")
_STATUS_LINE = re.compile(rb"HTTP/1\.1 (2[0-9]{2}|3[0-9]{2}|4[0-9]{2}|5[0-9]{2}) [\t -~]*")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_BODILESS = frozenset((204, 304))


class UnusualError(Exception):
    """The head is not plain: llhttp must parse it."""


class _Fields(dict[bytes, tuple[bytes, bytes]]):
    """Parsed header lines: from a line to its name, in lower case, and its value, trimmed. Raises UnusualError."""

    def __init__(self, unusual: frozenset[bytes]):
        super().__init__()
        self._unusual = unusual

    def __missing__(self, line: bytes) -> tuple[bytes, bytes]:
        found = _FIELD.fullmatch(line)
        if found is None:
            raise UnusualError
        name, value = found[1].lower(), found[2].rstrip(b"\t ")
        if name in self._unusual or (name == b"connection" and value.lower() != b"keep-alive"):
            raise UnusualError
        if len(self) >= MEMORY:
            self.clear()
        field = self[line] = (name, value)
        return field


class _Starts(dict[bytes, tuple[bytes, bytes]]):
    """Parsed request lines: from a line to its method and target. Raises UnusualError."""

    def __missing__(self, line: bytes) -> tuple[bytes, bytes]:
        found = _REQUEST_LINE.fullmatch(line)
        if found is None:
            raise UnusualError
        if len(self) >= MEMORY:
            self.clear()
        start = self[line] = (found[1], found[2])
        return start


class _Statuses(dict[bytes, int]):
    """Parsed status lines: from a line to its status. Raises UnusualError."""

    def __missing__(self, line: bytes) -> int:
        found = _STATUS_LINE.fullmatch(line)
        if found is None or int(found[1]) in _BODILESS:
            raise UnusualError
        if len(self) >= MEMORY:
            self.clear()
        status = self[line] = int(found[1])
        return status


_start = _Starts().__getitem__
_request_fields = _Fields(frozenset((b"content-length", b"transfer-encoding", b"upgrade")))
_request_field = _request_fields.__getitem__
_answer_field = _Fields(frozenset((b"transfer-encoding", b"upgrade"))).__getitem__
_status = _Statuses().__getitem__


def remembered() -> int:
    """Return how many header lines of requests are remembered."""
    return len(_request_fields)


PlainRequest = tuple[bytes, bytes, Headers, dict[bytes, bytes]]  # method, target, headers, and those by name


def plain_request(data: bytes) -> PlainRequest | None:
    """Parse `data` as one plain request: no body, no framing, no header twice, nothing after it. Returns None for
    anything else."""
    if data[-4:] != END_OF_HEAD or len(data) > LONGEST:
        return None
    lines = data.split(b"\r\n")
    if len(lines) > MOST:
        return None
    try:
        method, target = _start(lines[0])
        headers = list(map(_request_field, lines[1:-2]))
    except UnusualError:
        return None
    fields = dict(headers)
    if len(fields) != len(headers):
        return None
    return method, target, headers, fields


def plain_answer(head: bytes, body: bytes) -> tuple[int, Headers] | None:
    """Parse a plain response: its whole body is here, its length is announced, and the connection stays open. Returns
    its status and headers, or None for anything else."""
    if len(head) > LONGEST:
        return None
    lines = head.split(b"\r\n")
    if len(lines) > MOST:
        return None
    try:
        status = _status(lines[0])
        headers = list(map(_answer_field, lines[1:]))
    except UnusualError:
        return None
    fields = dict(headers)
    if len(fields) != len(headers) or fields.get(b"content-length") != b"%d" % len(body):
        return None
    return status, headers
