"""Upstream's answer on its way to the client: its head, and its body when it passes in pieces."""

from __future__ import annotations

from chaos.gateway.exchange.wire import CRLF, FIELD, STATUS_LINES, chunk, last_chunk
from chaos.gateway.state.counters import Ledger
from chaos.gateway.upstream.connection import Upstream
from chaos.mesh.decision import PENDING_TIME, Forward, Headers, Request


def shared_head(
    request: Request, forward: Forward, ledger: Ledger, status: int, headers: Headers, seconds: float
) -> bytes:
    """Status line and headers as the client gets them, and where the answer comes from; each line with its CRLF.

    Depends on the request only where the rule's operations do, and on `seconds`, that upstream took, only where the
    rule changes the service time; else it can be remembered."""
    headwork = forward.headwork
    headers = headwork.downstream_headers(request, status, headers)
    if status == 204:  # a length has no place there (RFC 9110 8.6); Envoy drops it, too
        headers = [header for header in headers if header[0] != b"content-length"]
    head = STATUS_LINES[status] + CRLF.join(map(FIELD, headers)) + CRLF
    if b"\r\nx-chaos-" in head and ledger.tagged:  # of another gateway, behind us, on another request
        headers = [header for header in headers if not header[0].startswith(b"x-chaos-")]
        head = STATUS_LINES[status] + CRLF.join(map(FIELD, headers)) + CRLF
    if headwork.service_time_by_rule:
        head = head.replace(PENDING_TIME, b"%d" % (seconds * 1000))
    return head + ledger.tags_to(forward.cluster.name) if forward.cluster is not None else head


def framing_line(head: bytes, status: int, method: bytes) -> bytes:
    """The header line for an answer without a length: its body goes out in chunks, if it has one."""
    if b"\r\ntransfer-encoding: " in head or _bodiless(status, method):
        return b""
    return b"transfer-encoding: chunked\r\n"


def _bodiless(status: int, method: bytes) -> bool:
    return status == 204 or status == 304 or method == b"HEAD"


def interim_heads(connection: Upstream) -> bytes:
    """The 1xx answers that have come, as they go out."""
    interim, connection.interim = connection.interim, []
    return b"".join(
        b"%b%b\r\n" % (STATUS_LINES[status], b"".join([b"%b: %b\r\n" % header for header in headers]))
        for status, headers in interim
    )


class Answer:
    """An answer whose head has gone out and whose body passes in pieces."""

    __slots__ = ("_chunked",)

    def __init__(self, status: int, head: bytes, method: bytes):
        """`head` as made by `shared_head`: it says whether the body has a length."""
        self._chunked = b"\r\ncontent-length: " not in head and not _bodiless(status, method)

    def take(self, connection: Upstream) -> list[bytes]:
        """What has come of the body, framed for the client."""
        pieces = connection.take_pieces()
        if not self._chunked:
            return pieces
        data = b"".join(map(chunk, pieces))
        if connection.ended:
            data += last_chunk(connection.trailers)
        return [data] if data else []
