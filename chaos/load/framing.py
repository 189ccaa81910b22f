"""The head of an HTTP/1.1 response: its status, how its body ends, whether the connection stays open (RFC 9112, 6.3 and
9.3).

Works on bytes, without a socket. It searches for what it needs instead of splitting every line, because it runs for
every response."""

from __future__ import annotations

from typing import NamedTuple

from chaos.load.tags import MARK

UNTIL_CLOSE, CHUNKED = -1, -2


class Head(NamedTuple):
    """`length` is the body's in bytes, or CHUNKED or UNTIL_CLOSE; `tail` is the head from the first tag on."""

    status: int
    length: int
    closes: bool
    tail: bytes


def read_head(data: bytes, end: int) -> Head:
    """Parse the head that ends at `end`, where the empty line begins. Raises ValueError when it is not a response's."""
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
    """Return the value of a header in a lower-case head, or None; `name` includes the CRLF before and the colon behind
    it."""
    at = lower.find(name)
    if at < 0:
        return None
    at += len(name)
    return lower[at : lower.find(b"\r\n", at)].strip()


def chunk_size(line: bytes) -> int:
    """Return the size in the line before a chunk, without extensions. Raises ValueError when there is none."""
    digits = line.partition(b";")[0].strip()
    if not digits or digits.strip(b"0123456789abcdefABCDEF"):
        raise ValueError("a chunk begins with its size")
    return int(digits, 16)
