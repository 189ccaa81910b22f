"""A request's body on its way: buffered until upstream takes it, and kept while it may have to be sent again."""

from __future__ import annotations

from chaos.gateway.exchange.wire import LAST_CHUNK, chunk

REPLAY_LIMIT = 1 << 20  # bytes of a request's body that are kept to send it again (Envoy's buffer limit)


class RequestBody:
    """`complete` once the whole body has been received, `sent` once all of it has been taken for the attempt in
    flight."""

    __slots__ = (
        "_kept",
        "_pieces",
        "chunked",
        "complete",
        "copied",
        "length",
        "replayable",
        "sent",
        "size",
    )

    def __init__(self, length: int | None):
        self.length = length  # as announced; None when it comes in chunks
        self.chunked = False  # whether it goes upstream in chunks; upstream_head decides
        self.size = 0  # bytes received
        self.complete = False
        self.sent = False
        self.replayable = True  # all that was received is still buffered
        self._pieces: list[bytes] = []  # received, not yet sent
        self._kept: list[bytes] = []  # sent, kept for another attempt
        self.copied: list[bytes] | None = None  # received, not yet sent to mirrors; None without mirrors

    @property
    def over_limit(self) -> bool:
        """Whether the body is too long to be kept."""
        return self.size > REPLAY_LIMIT

    def receive(self, data: bytes) -> None:
        """Buffer a piece of the body."""
        self._pieces.append(data)
        self.size += len(data)
        if self.copied is not None:
            self.copied.append(data)

    def take_back(self) -> list[bytes]:
        """Take what has been received, as if it had not been. Call only before any of it has been taken."""
        pieces, self._pieces = self._pieces, []
        self.size, self.complete = 0, False
        return pieces

    def take(self) -> bytes:
        """Take the buffered bytes that have not been sent, framed for upstream."""
        pieces, self._pieces = self._pieces, []
        if self.over_limit:
            self.replayable = False
            self._kept = []
        elif self.replayable:
            self._kept += pieces
        self.sent = self.complete
        return self.framed(pieces)

    def rewind(self) -> None:
        """Start again, for another attempt. Call only while `replayable`."""
        self._pieces = self._kept + self._pieces
        self._kept = []
        self.sent = False

    def take_copy(self) -> bytes:
        """Take the bytes that have not been sent to the mirrors, framed; the first time, all that upstream has not got
        yet."""
        pieces = list(self._pieces) if self.copied is None else self.copied
        self.copied = []
        return self.framed(pieces)

    def framed(self, pieces: list[bytes]) -> bytes:
        """Return the pieces as the next bytes of the body, with its last chunk once it is complete."""
        if not self.chunked:
            return b"".join(pieces)
        data = b"".join(map(chunk, pieces))
        return data + LAST_CHUNK if self.complete else data
