"""The head of an HTTP/1.1 response: its status, how its body ends, whether the connection goes on (RFC 9112, 6.3 and
9.3).

Octets in, values out; the socket is elsewhere. Searches for what it needs instead of splitting every line, because this
runs for every answer."""

from __future__ import annotations

from typing import NamedTuple

from chaos.load.tags import MARK

UNTIL_CLOSE, CHUNKED = -1, -2


class Head(NamedTuple):
    """`length` counts octets of body, or is CHUNKED or UNTIL_CLOSE; `tail` is the head from the first tag on."""

    status: int
    length: int
    closes: bool
    tail: bytes


def read_head(data: bytes, end: int) -> Head:
    """`end` is where the empty line begins. Raises ValueError for what is no response head."""
    if data[:7] != b"HTTP/1.":
        raise ValueError("not an HTTP/1 response")
    lower = data[: end + 2].lower()
    status = int(data[9:12])
    if not 100 <= status <= 999:
        raise ValueError("a status has three digits")
    coding = value_of(lower, b"\r\ntransfer-encoding:")
    length_text = value_of(lower, b"\r\ncontent-length:")
    if coding is not None:
        length = CHUNKED if coding.endswith(b"chunked") else UNTIL_CLOSE
    elif length_text is None:
        length = UNTIL_CLOSE
    elif length_text.isdigit():
        length = int(length_text)
    else:
        raise ValueError("a content-length is a number")
    connection = value_of(lower, b"\r\nconnection:")
    if connection is None:
        closes = data[7:8] == b"0"
    else:
        closes = b"close" in connection or (data[7:8] == b"0" and b"keep-alive" not in connection)
    at = lower.find(MARK)
    return Head(status, length, closes, data[at + 2 : end] if at >= 0 else b"")


def value_of(lower: bytes, name: bytes) -> bytes | None:
    """The value of a header in a lower-case head; `name` with the CRLF before and the colon behind it."""
    at = lower.find(name)
    if at < 0:
        return None
    at += len(name)
    return lower[at : lower.find(b"\r\n", at)].strip()


def chunk_size(line: bytes) -> int:
    """From the line before a chunk, extensions left out. Raises ValueError when it has no size."""
    digits = line.partition(b";")[0].strip()
    if not digits or digits.strip(b"0123456789abcdefABCDEF"):
        raise ValueError("a chunk begins with its size")
    return int(digits, 16)
