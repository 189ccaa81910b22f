"""The head of the request that is sent upstream."""

from __future__ import annotations

import re

from chaos.gateway.exchange.framing import CHUNKED, frame_request
from chaos.gateway.exchange.request_body import RequestBody
from chaos.gateway.exchange.wire import CRLF, FIELD
from chaos.mesh.decision import Forward, Request
from chaos.mesh.headers.grpc import timeout_header
from chaos.mesh.headers.operations import WITHOUT_BODY

_EXPECTED = re.compile(rb"(\r\nx-envoy-expected-rq-timeout-ms: )(\d+)\r\n")
_GRPC_TIMEOUT = re.compile(rb"(\r\ngrpc-timeout: )[^\r]*\r\n")

FIRST_ATTEMPT = b"x-envoy-attempt-count: 1\r\n\r\n"


def upstream_head(
    request: Request, forward: Forward, body: RequestBody | None, *, framed: bool, websocket: bool
) -> bytes:
    """Return the request line and headers, each line with its CRLF; `last_line` completes them for each attempt.

    `framed`: the client's head said where its request ends. The upstream head then says it for itself (framing.py), and
    `body.chunked` is set to match."""
    headers = forward.headwork.upstream_headers(request, forward)
    framing = b""
    if framed or websocket or request.method not in WITHOUT_BODY:
        length = body.length if body is not None else None
        headers, framing = frame_request(headers, request.method, body is not None, length)
        if body is not None:
            body.chunked = framing is CHUNKED
        if websocket and not any(name == b"upgrade" for name, _ in headers):
            framing += b"connection: Upgrade\r\nupgrade: websocket\r\n"
    line = (request.method, b" ", forward.target, b" HTTP/1.1\r\n")
    return b"".join((*line, CRLF.join(map(FIELD, headers)), CRLF, framing))


def with_time_left(head: bytes, seconds: float, *, grpc: bool) -> bytes:
    """Return the head of a retried request whose timeout ends in so many seconds; a gRPC server is told, too.

    It says at most what is left, and never 0, which would mean no end (Envoy's setTimeoutHeaders)."""
    found = _EXPECTED.search(head)
    if found is None:
        return head
    left = min(int(found[2]), max(1, int(seconds * 1000)))
    head = _EXPECTED.sub(rb"\g<1>%d\r\n" % left, head)
    return _GRPC_TIMEOUT.sub(rb"\g<1>%b\r\n" % timeout_header(left), head) if grpc else head


def last_line(number: int) -> bytes:
    """Return the line with the attempt's number, from 1, and the end of the head."""
    return FIRST_ATTEMPT if number == 1 else b"x-envoy-attempt-count: %d\r\n\r\n" % number
