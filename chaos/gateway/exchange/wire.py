"""HTTP/1.1 as bytes: status lines, header blocks, chunks, local replies. Knows no connections and no rules."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from chaos.mesh.decision import Reply

CRLF = b"\r\n"
END_OF_HEAD = b"\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

# Reason phrases are Envoy's (source/common/http/codes.cc), which writes its own whatever the upstream said.
_UNKNOWN_TO_ENVOY = {102, 103, 418, 425, 451}
_ENVOYS_WORDS = {413: "Payload Too Large", 416: "Range Not Satisfiable", 422: "Unprocessable Entity"}


def _reason(status: int) -> str:
    if status in _ENVOYS_WORDS:
        return _ENVOYS_WORDS[status]
    if status in _UNKNOWN_TO_ENVOY or status not in HTTPStatus._value2member_map_:
        return "Unknown"
    return HTTPStatus(status).phrase


STATUS_LINES = tuple(f"HTTP/1.1 {status} {_reason(status)}\r\n".encode() for status in range(1000))

# Methods that Envoy knows (balsa_parser.cc) and llhttp parses. Envoy's `MSEARCH`, without the hyphen, is in no RFC.
METHODS = frozenset(
    b"ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY OPTIONS "
    b"PATCH POST PROPFIND PROPPATCH PURGE PUT REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK "
    b"UNSUBSCRIBE".split()
)

FIELD = b": ".join  # of a name and a value


def service_time(milliseconds: int) -> bytes:
    return b"x-envoy-upstream-service-time: %d\r\n" % milliseconds


SERVICE_TIMES = tuple(map(service_time, range(100)))


def header_block(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return `name: value` lines joined by CRLF, without one at the end."""
    return CRLF.join(map(FIELD, headers))


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def reply_head(reply: Reply) -> bytes:
    """Return the status line and headers, each line with its CRLF; the caller adds `date` and the empty line."""
    return STATUS_LINES[reply.status] + b"".join([b"%b: %b\r\n" % header for header in reply.headers])


HTTP2_ADVICE = b"HTTP/2: use --engine envoy"

HTTP2_REFUSAL = b"".join(
    (
        b"\0\0\0\4\0\0\0\0\0",  # SETTINGS, empty: a server's first frame
        (8 + len(HTTP2_ADVICE)).to_bytes(3, "big") + b"\7\0\0\0\0\0",  # GOAWAY
        b"\0\0\0\0" + (13).to_bytes(4, "big"),  # no stream was taken up; HTTP_1_1_REQUIRED
        HTTP2_ADVICE,
    )
)
"""What a client that speaks HTTP/2 understands as a refusal, with the way out as debug data (RFC 9113, 6.8 and 7)."""


def refusal(status: int, server: bytes) -> Reply:
    """Return Envoy's reply to a request that its codec refuses before routing: the reason phrase is the body."""
    body = _reason(status).encode()
    return Reply(
        status,
        ((b"content-length", b"%d" % len(body)), (b"content-type", b"text/plain"), (b"server", server)),
        body,
    )


def empty(status: int, server: bytes) -> Reply:
    """Return a reply without a body."""
    return Reply(status, ((b"content-length", b"0"), (b"server", server)))
