"""The head of the request that goes upstream."""

from __future__ import annotations

from chaos.gateway.exchange.request_body import RequestBody
from chaos.gateway.exchange.wire import CRLF, FIELD, WITHOUT_LENGTH
from chaos.mesh.decision import Forward, Request

FIRST_ATTEMPT = b"x-envoy-attempt-count: 1\r\n\r\n"


def upstream_head(request: Request, forward: Forward, body: RequestBody | None, websocket: bool) -> bytes:
    """Request line and headers, each line with its CRLF; `last_line` completes it for each attempt."""
    headers = forward.headwork.upstream_headers(request, forward)
    parts = (request.method, b" ", forward.target, b" HTTP/1.1\r\n", CRLF.join(map(FIELD, headers)), CRLF)
    head = b"".join(parts)
    if websocket:
        if b"\r\nupgrade: " not in head:
            head += b"connection: Upgrade\r\nupgrade: websocket\r\n"
    elif body is None and request.method not in WITHOUT_LENGTH and not _is_framed(head):
        # Methods other than GET and its like say that there is no body, as from Envoy's codec.
        head += b"content-length: 0\r\n"
    return head


def _is_framed(head: bytes) -> bool:
    return b"\r\ncontent-length: " in head or b"\r\ntransfer-encoding: " in head


def last_line(number: int) -> bytes:
    """The number of the attempt, from 1, and the end of the head."""
    return FIRST_ATTEMPT if number == 1 else b"x-envoy-attempt-count: %d\r\n\r\n" % number
