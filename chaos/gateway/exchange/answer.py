"""Upstream's response on its way to the client: its head, and its body when it passes in pieces."""

from __future__ import annotations

from chaos.gateway.exchange.framing import CHUNKED, unframed
from chaos.gateway.exchange.wire import CRLF, FIELD, LAST_CHUNK, STATUS_LINES, chunk
from chaos.gateway.state.counters import Ledger
from chaos.gateway.upstream.connection import Upstream
from chaos.mesh.decision import PENDING_TIME, Forward, Headers, Request
from chaos.mesh.headers.operations import CONNECTION, FRAMING

_NOT_IN_INTERIM = FRAMING | CONNECTION  # all other headers of a 1xx pass as they came


def shared_head(
    request: Request, forward: Forward, ledger: Ledger, status: int, headers: Headers, framing: bytes, seconds: float
) -> bytes:
    """Return the status line and headers that the client gets, each line with its CRLF, without the lines of this
    response alone.

    `framing` is the line for the body that goes out (framing.py). The result depends on the request only where the
    rule's header operations do, and on `seconds`, the time that upstream took, only where the rule changes the service
    time; otherwise it can be remembered."""
    headwork = forward.headwork
    headers = unframed(headwork.downstream_headers(request, status, headers))
    head = STATUS_LINES[status] + CRLF.join(map(FIELD, headers)) + CRLF
    if b"\r\nx-chaos-" in head and ledger.tagged:  # tags of another such gateway behind this one
        headers = [header for header in headers if not header[0].startswith(b"x-chaos-")]
        head = STATUS_LINES[status] + CRLF.join(map(FIELD, headers)) + CRLF
    if headwork.service_time_by_rule:
        head = head.replace(PENDING_TIME, b"%d" % (seconds * 1000))
    return head + framing + (ledger.tags_to(forward.cluster.name) if forward.cluster is not None else b"")


def interim_heads(connection: Upstream) -> bytes:
    """Take the 1xx responses that have arrived, as bytes for the client."""
    interim, connection.interim = connection.interim, []
    return b"".join(map(_interim_head, interim))


def _interim_head(interim: tuple[int, Headers]) -> bytes:
    status, headers = interim
    lines = [b"%b: %b\r\n" % header for header in headers if header[0] not in _NOT_IN_INTERIM]
    return STATUS_LINES[status] + b"".join(lines) + b"\r\n"


class Answer:
    """A response whose head has been sent and whose body passes in pieces."""

    __slots__ = ("_chunked",)

    def __init__(self, framing: bytes, *, head_only: bool):
        """`framing` is the line that the head has about the body."""
        self._chunked = framing is CHUNKED and not head_only

    def take(self, connection: Upstream) -> list[bytes]:
        """Take the pieces of the body that have arrived, framed for the client."""
        pieces = connection.take_pieces()
        if not self._chunked:
            return pieces
        data = b"".join(map(chunk, pieces))
        if connection.ended:
            data += LAST_CHUNK
        return [data] if data else []
