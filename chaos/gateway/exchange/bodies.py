"""Bodies in pieces, both ways, with back-pressure; and the copies that mirrors get."""

from __future__ import annotations

from chaos.gateway.exchange.attempts import Tries
from chaos.gateway.exchange.mirror import Mirror, mirrored_head
from chaos.gateway.exchange.wire import STATUS_LINES, chunk, last_chunk
from chaos.gateway.upstream.balancer import choose
from chaos.gateway.upstream.connection import Upstream
from chaos.mesh.decision import Forward

REPLAY_LIMIT = 1 << 20  # bytes of a request's body that are kept to send it again (Envoy's buffer limit)


class Bodies(Tries):
    def _frame_request(self, head: bytes) -> bytes:
        if self.websocket:
            if b"\r\nupgrade: " not in head:
                head += b"connection: Upgrade\r\nupgrade: websocket\r\n"
        elif not self.has_body and b"\r\ncontent-length: " not in head and b"\r\ntransfer-encoding: " not in head:
            head += b"content-length: 0\r\n"
        return head

    def request_progressed(self) -> None:
        """More of the request has come, or its end."""
        if self.mirrors:
            self._mirror_body()
        connection = self.connection
        if connection is not None and not self.sent_all:
            connection.write(self._body_to_send())
        elif self.size > REPLAY_LIMIT:
            self.downstream.hold_body(True)
        if self.complete and self.forward:
            self._request_complete()

    def _body_to_send(self) -> bytes:
        """What has come of the body and not gone out, as it goes out."""
        pieces, self.body = self.body, []
        self._keep(pieces)
        self.downstream.hold_body(False)
        data = b"".join(map(chunk, pieces) if self.chunked else pieces)
        if self.complete:
            self.sent_all = True
            if self.chunked:
                data += last_chunk(self.trailers)
        return data

    def _keep(self, pieces: list[bytes]) -> None:
        """A request can be sent again while all of its body fits into the buffer, as in Envoy."""
        if self.size > REPLAY_LIMIT:
            self.replayable = False
            self.kept = []
        elif self.replayable:
            self.kept += pieces

    # ------------------------------------------------------------------------------------------ the answer's

    def _framing_line(self, status: int, head: bytes) -> bytes:
        """The answer has no length: chunks, unless there is to be no body."""
        if status == 204 or status == 304 or self.request.method == b"HEAD":
            return b""
        self.rechunk = True
        return b"" if b"\r\ntransfer-encoding: " in head else b"transfer-encoding: chunked\r\n"

    def _chunks(self, connection: Upstream) -> bytes:
        pieces = connection.take_pieces()
        data = b"".join(map(chunk, pieces))
        return data + last_chunk(connection.trailers) if connection.ended else data

    def _pass_on(self, connection: Upstream) -> None:
        """More of an answer whose head has gone out."""
        if connection.malformed:
            self._cut()
            return
        if self.rechunk:
            data = self._chunks(connection)
            if data:
                self.downstream.write(data)
        else:
            for piece in connection.take_pieces():
                self.downstream.write(piece)
        if connection.ended:
            self._let_go(connection)
            self._finish()

    def _pass_on_interim(self, connection: Upstream) -> None:
        for status, headers in connection.interim:
            self.downstream.write(b"%b%b\r\n" % (STATUS_LINES[status], b"".join([b"%b: %b\r\n" % h for h in headers])))
        connection.interim = []

    # ------------------------------------------------------------------------------------------ back-pressure

    def upstream_full(self) -> None:
        self.downstream.hold_upstream(True)

    def upstream_drained(self) -> None:
        self.downstream.hold_upstream(False)

    def downstream_full(self) -> None:
        if self.connection is not None and self.status:
            self.connection.transport.pause_reading()

    def downstream_drained(self) -> None:
        if self.connection is not None:
            self.connection.transport.resume_reading()

    # ------------------------------------------------------------------------------------------ copies

    def _start_mirrors(self, forward: Forward) -> None:
        mirrors = []
        for cluster in forward.mirrors:
            host = choose(self.plane.pool(cluster), self.request)
            if host is not None:
                head = mirrored_head(self.head, self.downstream.local, forward.timeout)
                mirrors.append(Mirror(self.plane, host, head, self.request.method == b"HEAD", forward.timeout))
        self.ledger.mirrored += len(forward.mirrors)
        self.mirrors = tuple(mirrors)
        if self.has_body:
            self.unmirrored = list(self.body)
            self._mirror_body()

    def _mirror_body(self) -> None:
        """Copies get the body as it comes, whatever becomes of the original."""
        pieces, self.unmirrored = self.unmirrored, []
        if self.mirrored_all:
            return
        data = b"".join(map(chunk, pieces) if self.chunked else pieces)
        if self.complete:
            self.mirrored_all = True
            if self.chunked:
                data += last_chunk(self.trailers)
        for mirror in self.mirrors:
            mirror.send(data, self.complete)
