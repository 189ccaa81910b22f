"""The client's connection as an exchange sees it; `downstream.Downstream` is one."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Protocol

from chaos.gateway.state.worker_state import WorkerState


class Client(Protocol):
    plane: WorkerState
    transport: asyncio.Transport
    remote: bytes  # the client's address
    local: bytes  # this proxy's own address, as the client sees it
    full: bool  # the client does not read: write no more than what is in flight

    @property
    def waiting(self) -> Collection[object]:
        """Requests that have come and whose turn has not."""

    def write(self, data: bytes) -> None: ...

    def exchange_done(self) -> None:
        """The answer is complete: turn to the next request."""

    def finish(self, *, linger: bool) -> None:
        """The answer is complete, and the last on this connection. `linger`: the client may still be sending."""

    def cut(self) -> None:
        """The answer cannot be completed: close, so that the client learns it."""

    def become_tunnel(self, protocol: asyncio.Protocol) -> bytes:
        """Hand the transport to another protocol. Returns what has been read since the request that asked for it."""

    def connection_lost(self, exc: Exception | None) -> None: ...

    def hold_body(self, hold: bool) -> None:
        """Stop reading, or read again: there is more of a body here than is wanted."""

    def hold_upstream(self, hold: bool) -> None:
        """Stop reading, or read again: upstream does not take what it is sent."""
