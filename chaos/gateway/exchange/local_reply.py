"""Responses that the gateway makes itself, as bytes."""

from __future__ import annotations

import re

from chaos.gateway.exchange.wire import CRLF, reply_head
from chaos.mesh.decision import Reply

TIMED_OUT = b"upstream request timeout"
NO_HEALTHY_UPSTREAM = b"no healthy upstream"
CLOSE = b"connection: close\r\n"

NO_CLUSTER, NO_ENDPOINT, TIMEOUT, PROTOCOL_ERROR = "NC", "UH", "UT", "UPE"
"""Envoy's response flags of failures that are not an attempt's (Failure.flag)."""

_GRPC_MESSAGE = re.compile(rb"\r\ngrpc-message: [^\r]*\r\n")  # carries the body's text, so it goes with the body


def reply_bytes(reply: Reply, head_only: bool, lines: bytes, date: bytes) -> bytes:
    """Return the whole reply: its head with `lines`, and its body except in response to HEAD.

    `date` is a header line, left out where the rule has set one."""
    head, body = reply_head(reply), reply.body
    if b"\r\ndate: " not in head:
        head += date
    if head_only:
        # Envoy's codec writes `content-length: 0` for a reply without a body, but to HEAD it announces chunks.
        if not body:
            head = head.replace(b"\r\ncontent-length: 0\r\n", b"\r\ntransfer-encoding: chunked\r\n")
            head = _GRPC_MESSAGE.sub(CRLF, head)
        body = b""
    return head + lines + CRLF + body


def unreachable(reason: str, attempts: int) -> bytes:
    """Return the body of the response to a request whose last attempt failed, in Envoy's words."""
    prefix = b"retried and the latest reset reason: " if attempts > 1 else b"reset reason: "
    return b"upstream connect error or disconnect/reset before headers. " + prefix + reason.encode()
