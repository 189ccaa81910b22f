"""The client's connection as an exchange sees it; `downstream.Downstream` implements it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Protocol

from chaos.gateway.state.worker_state import WorkerState
from chaos.mesh.decision import Reply


class Exchanging(Protocol):
    """What a connection says to the exchange whose turn it is."""

    def progressed(self) -> None: ...
    def client_full(self) -> None: ...
    def client_drained(self) -> None: ...
    def cancel(self) -> None: ...
    def refuse(self, reply: Reply) -> None: ...


class Client(Protocol):
    """A client's connection."""

    worker: WorkerState
    transport: asyncio.Transport
    remote: bytes  # the client's address
    local: bytes  # this proxy's own address, as the client sees it
    addresses: str  # both ends, as an access log has them, once it has needed them

    @property
    def full(self) -> bool:
        """Whether the client does not read: write no more than what is in flight."""

    @property
    def waiting(self) -> Collection[object]:
        """Requests that have arrived and wait for their turn."""

    def write(self, data: bytes) -> None: ...

    def exchange_done(self) -> None:
        """Turn to the next request: the response is complete."""

    def finish(self, *, linger: bool) -> None:
        """Close after the last response on this connection. `linger`: the client may still be sending."""

    def cut(self) -> None:
        """Close, so that the client learns that its response cannot be completed."""

    def reset(self) -> None:
        """Reset the connection (TCP RST), whatever has been written and not sent."""

    def hand_over(self, to: Exchanging) -> None:
        """Let another object have what the connection has to say to the exchange, until its response is over."""

    def become_tunnel(self, protocol: asyncio.Protocol) -> bytes:
        """Hand the transport to another protocol. Returns the bytes that were read after the request for it."""

    def connection_lost(self, exc: Exception | None) -> None: ...

    def hold_body(self, hold: bool) -> None:
        """Stop reading, or read again: more of a request's body is buffered than is wanted."""

    def hold_upstream(self, hold: bool) -> None:
        """Stop reading, or read again: upstream does not take the request's body."""
