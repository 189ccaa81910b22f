"""A response's head says how its body ends and whether the connection goes on (RFC 9112)."""

from __future__ import annotations

import pytest

from chaos.load.framing import CHUNKED, UNTIL_CLOSE, chunk_size, read_head


def head(text: str) -> tuple[int, int, bool, bytes]:
    data = text.replace("\n", "\r\n").encode() + b"\r\n\r\nbody"
    return tuple(read_head(data, data.find(b"\r\n\r\n")))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("text", "length", "closes"),
    [
        ("HTTP/1.1 200 OK\ncontent-length: 5", 5, False),
        ("HTTP/1.1 200 OK\nContent-Length:5", 5, False),
        ("HTTP/1.1 200\nContent-Length: 5", 5, False),
        ("HTTP/1.1 200 OK\ncontent-length: 0\nconnection: close", 0, True),
        ("HTTP/1.1 200 OK\ncontent-length: 0\nConnection: Close", 0, True),
        ("HTTP/1.1 200 OK\ncontent-length: 0\nconnection: keep-alive", 0, False),
        ("HTTP/1.0 200 OK\ncontent-length: 0", 0, True),
        ("HTTP/1.0 200 OK\ncontent-length: 0\nconnection: keep-alive", 0, False),
        ("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", CHUNKED, False),
        ("HTTP/1.1 200 OK\ntransfer-encoding: gzip, chunked\ncontent-length: 5", CHUNKED, False),
        ("HTTP/1.1 200 OK\ntransfer-encoding: gzip", UNTIL_CLOSE, False),
        ("HTTP/1.1 200 OK\nx-content-length: 9", UNTIL_CLOSE, False),
    ],
)
def test_length_and_connection(text: str, length: int, closes: bool) -> None:
    assert head(text)[1:3] == (length, closes)


def test_the_status_and_the_tags() -> None:
    tagged = "HTTP/1.1 503 Service Unavailable\ncontent-length: 5\nx-chaos-fault: abort\nX-Chaos-Route: A[0]"
    assert head(tagged)[0] == 503
    assert head(tagged)[3] == b"x-chaos-fault: abort\r\nX-Chaos-Route: A[0]"
    assert head("HTTP/1.1 204 No Content")[3] == b""


@pytest.mark.parametrize(
    "text",
    [
        "HTTP/2 200",
        "<html>",
        "HTTP/1.1 abc OK",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 200 OK\ncontent-length: five",
        "HTTP/1.1 200 OK\ncontent-length: -5",
        "HTTP/1.1 200 OK\ncontent-length: 5, 6",
    ],
)
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"HTTP|status|content-length|int"):
        head(text)


def test_chunk_sizes() -> None:
    assert [chunk_size(line) for line in (b"0", b"1A", b"ff;name=value", b" 10 ")] == [0, 26, 255, 16]
    for line in (b"", b"-1", b"0x10", b"+5", b"1_0", b";"):
        with pytest.raises(ValueError, match="size"):
            chunk_size(line)
