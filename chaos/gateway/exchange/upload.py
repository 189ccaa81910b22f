"""The body of a request that is taken at a rate: what has arrived waits for its time, in pieces, and is then as if it
had arrived only now. No more than two reads wait: the client is read again when the last piece begins to wait."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from chaos.gateway.state.worker_state import WorkerState

_PIECES = 20  # a second: the rate holds over 100 ms, too


class Uploading(Protocol):
    """The exchange whose request it is."""

    def uploaded(self, data: bytes, *, last: bool) -> None:
        """Take a piece of the body."""

    def hold_upload(self, hold: bool) -> None:
        """Stop reading the client, or read again."""


class Upload:
    """One body, at `rate` bytes per second."""

    def __init__(self, worker: WorkerState, rate: float, exchange: Uploading):
        self._worker, self._rate, self._exchange = worker, rate, exchange
        self._piece = max(1, int(rate / _PIECES))
        self._pieces: deque[bytes] = deque()
        self._due = 0.0  # when the first of them is
        self._timer: asyncio.TimerHandle | None = None
        self._ended = self._over = self._held = False

    @property
    def waits(self) -> bool:
        """Whether something has arrived whose time has not come."""
        return bool(self._pieces)

    def add(self, data: bytes) -> None:
        """Take what has arrived; nothing any more after `stop`."""
        if self._over or not data:
            return
        self._pieces += (data[start : start + self._piece] for start in range(0, len(data), self._piece))
        if self._timer is None:
            self._due = max(self._due, self._worker.now())
            self._wait()
        self._hold()

    def end(self) -> None:
        """Note that what waits is all."""
        self._ended = True

    def stop(self) -> None:
        """Drop what waits: nobody wants it any more."""
        self._over = True
        self._pieces.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._hold()

    def _wait(self) -> None:
        self._due += len(self._pieces[0]) / self._rate
        self._timer = self._worker.after(max(0.0, self._due - self._worker.now()), self._pass)

    def _pass(self) -> None:
        self._timer = None
        piece = self._pieces.popleft()
        if self._pieces:
            self._wait()
        self._hold()
        self._exchange.uploaded(piece, last=self._ended and not self._pieces)

    def _hold(self) -> None:
        hold = len(self._pieces) > 1
        if hold is not self._held:
            self._held = hold
            self._exchange.hold_upload(hold)
