"""A copy of a request, sent once to a mirror's cluster. Its response, or failure, has no effect on the original."""

from __future__ import annotations

import asyncio
import re

from chaos.gateway.exchange.request_body import RequestBody
from chaos.gateway.state.worker_state import WorkerState
from chaos.gateway.upstream.balancer import choose
from chaos.gateway.upstream.connection import Upstream
from chaos.gateway.upstream.pool import Host
from chaos.mesh.decision import Failure, Forward, Request

BUFFER_LIMIT = 1 << 20  # bytes that may wait for a slow mirror; beyond, the copy is given up: the original never waits
LONGEST_SECONDS = 60.0  # a copy's time, if the route has no timeout

_FORWARDED_FOR = re.compile(rb"\r\nx-forwarded-for: ([^\r]*)\r\n")
_EXPECTED_TIMEOUT = re.compile(rb"(\r\nx-envoy-expected-rq-timeout-ms: )\d+\r\n")


def mirrored_head(head: bytes, own_address: bytes, timeout: float | None) -> bytes:
    """Return the head of the copy.

    The proxy is the copy's client and adds its own address; the copy is sent once, so the expected timeout is the
    route's alone (Envoy's AsyncStreamImpl)."""
    chain = _FORWARDED_FOR.search(head)
    if chain is None:
        head += b"x-forwarded-for: %b\r\n" % own_address
    elif chain[1]:
        head = head[: chain.end(1)] + b"," + own_address + head[chain.end(1) :]
    else:
        head = head[: chain.end(1)] + own_address + head[chain.end(1) :]
    if timeout is not None:
        head = _EXPECTED_TIMEOUT.sub(rb"\g<1>%d\r\n" % round(timeout * 1000), head)
    return head + b"x-envoy-internal: true\r\nx-envoy-attempt-count: 1\r\n\r\n"


class Mirrors:
    """The copies of one request. They get its body as it arrives, whatever happens to the original."""

    def __init__(
        self, worker: WorkerState, request: Request, forward: Forward, head: bytes, body: RequestBody | None, own: bytes
    ):
        """Send `head` to every mirror that has an endpoint; `own` is this proxy's address."""
        head_only, timeout = request.method == b"HEAD", forward.timeout
        hosts = [choose(worker.pool(cluster)) for cluster in forward.mirrors]
        copied = mirrored_head(head, own, timeout)
        self._copies = [Mirror(worker, host, copied, head_only, timeout) for host in hosts if host is not None]
        self._ended = body is None
        if body is not None:
            self.send(body)

    def send(self, body: RequestBody) -> None:
        """Send the part of the body that has arrived and has not been copied."""
        if self._ended:
            return
        data = body.take_copy()
        self._ended = body.complete
        for copy in self._copies:
            copy.send(data, body.complete)

    def cut_short(self) -> None:
        """End the copies: the client is gone, or the rest of the body will not come."""
        for copy in self._copies:
            copy.cut_short()


class Mirror:
    """One copy; an upstream.connection.Owner."""

    def __init__(self, worker: WorkerState, host: Host, head: bytes, head_only: bool, timeout: float | None):
        self.host = host
        self.head_only = head_only
        self.connection: Upstream | None = None
        self._waiting = [head]
        self._done = False
        self._timer: asyncio.TimerHandle = worker.after(timeout or LONGEST_SECONDS, self.cut_short)
        connection = host.acquire(self)
        if connection is not None:
            self.upstream_connected(connection)

    def send(self, data: bytes, last: bool) -> None:
        """Send more of the body, or queue it until there is a connection."""
        if self._done:
            return
        if self.connection is not None:
            self.connection.write(data)
            if self.connection.transport.get_write_buffer_size() > BUFFER_LIMIT:
                self.cut_short()
            return
        self._waiting.append(data)
        if sum(map(len, self._waiting)) > BUFFER_LIMIT:
            self.cut_short()

    def upstream_connected(self, connection: Upstream) -> None:
        self.connection = connection
        connection.send(self, b"".join(self._waiting), self.head_only, False)
        self._waiting = []

    def upstream_whole(self, connection: Upstream, data: bytes) -> bool:
        return False

    def upstream_received(self, connection: Upstream) -> None:
        connection.pieces = []
        connection.interim = []
        if connection.ended or connection.malformed:
            self._end()

    def upstream_failed(self, failure: Failure, reason: str) -> None:
        self._end()

    def upstream_lost(self, connection: Upstream) -> None:
        self._end()

    def upstream_full(self) -> None:
        """Do nothing: the next piece decides, by BUFFER_LIMIT."""

    def upstream_drained(self) -> None:
        pass

    def cut_short(self) -> None:
        """End the copy: the rest of it will not come, or its time is over."""
        if self._done:
            return
        if self.connection is None:
            self.host.abandon(self)
        else:
            self.connection.keep_alive = False
        self._end()

    def _end(self) -> None:
        if self._done:
            return
        self._done = True
        self._timer.cancel()
        if self.connection is not None:
            self.host.release(self.connection)
            self.connection = None
