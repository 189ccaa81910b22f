"""The client's connection as an exchange sees it; `downstream.Downstream` implements it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Protocol

from chaos.gateway.state.worker_state import WorkerState


class Client(Protocol):
    """A client's connection."""

    worker: WorkerState
    transport: asyncio.Transport
    remote: bytes  # the client's address
    local: bytes  # this proxy's own address, as the client sees it
    full: bool  # the client does not read: write no more than what is in flight

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

    def become_tunnel(self, protocol: asyncio.Protocol) -> bytes:
        """Hand the transport to another protocol. Returns the bytes that were read after the request for it."""

    def connection_lost(self, exc: Exception | None) -> None: ...

    def hold_body(self, hold: bool) -> None:
        """Stop reading, or read again: more of a request's body is buffered than is wanted."""

    def hold_upstream(self, hold: bool) -> None:
        """Stop reading, or read again: upstream does not take the request's body."""
