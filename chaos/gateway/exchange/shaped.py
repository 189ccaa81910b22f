"""The client's connection while one response passes the faults of policies: what is written waits, is changed, or ends.

It stands between an exchange and the connection, and is a Client for the one and an exchange for the other: the
connection turns to its next request only when the last step has been carried out, which may be long after the exchange
has ended. What waits here is bounded, because the exchange is asked to pause, as by a client that does not read."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Protocol

from chaos.gateway.exchange.client import Client, Exchanging
from chaos.gateway.exchange.passing import Passing
from chaos.gateway.upstream.connection import HIGH_WATER
from chaos.mesh.decision import Reply
from chaos.policies.steps import End, Pause, Stage, Step


class Shaping(Protocol):
    """The exchange whose response it is."""

    def client_full(self) -> None: ...
    def upstream_may_go_on(self) -> None:
        """Read more of upstream's response."""

    def cut_by_policy(self, end: End) -> None:
        """End what is still under way: a fault has ended the response."""

    def response_over(self) -> None:
        """Learn that nothing more will happen to the client's response."""

    def left_unseen(self) -> None:
        """Learn that the client has left before any byte of its response was sent, though it has been made."""


class Shaped:
    """A Client for one exchange; `connection` is the client's own."""

    addresses = ""  # kept with the connection

    def __init__(self, connection: Client, exchange: Shaping, stages: Sequence[Stage], line: bytes, head_only: bool):
        self.connection = connection
        self.worker, self.remote, self.local = connection.worker, connection.remote, connection.local
        self.transport: Any = self  # what an exchange does with it is write, and ask who is connected
        self.line = line
        self._exchange = exchange
        self._passing = Passing(stages, line, head_only=head_only)
        self._steps: deque[tuple[Iterator[Step], int]] = deque()
        self._last: Callable[[], None] | None = None  # what the exchange wants done after its last byte
        self._held = 0  # bytes that wait
        self._paused: asyncio.TimerHandle | None = None
        self._due: float | None = None  # when the last pause was to end; None if something else was waited for since
        self._wants_hold = self._holds_upload = False
        self.begun = False  # a byte of the final response is on its way
        self._told_full = self._at_work = self.over = False

    # ------------------------------------------------------------------------------------------ for the exchange

    @property
    def full(self) -> bool:
        """Whether no more should be written: too much waits here, or the client does not read."""
        return self._held > HIGH_WATER or self.connection.full

    @property
    def waiting(self) -> Collection[object]:
        return self.connection.waiting

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.connection.transport.get_extra_info(name, default)

    def write(self, data: bytes) -> None:
        if self.over:
            return
        self._steps.append((self._passing.take(data), len(data)))
        self._held += len(data)
        self._work()
        if self.full and not self._told_full and not self.over:
            self._told_full = True
            self._exchange.client_full()

    def exchange_done(self) -> None:
        self._finally(self._turn_to_next)

    def _turn_to_next(self) -> None:
        if self.worker.draining and not self.waiting:
            self.connection.finish(linger=False)  # its head was made when there could still be a next one
        else:
            self.connection.exchange_done()

    def finish(self, *, linger: bool) -> None:
        self._finally(lambda: self.connection.finish(linger=linger))

    def cut(self) -> None:
        self._finally(self.connection.cut)

    def reset(self) -> None:
        self._finally(self.connection.reset)

    def hand_over(self, to: Exchanging) -> None:
        self.connection.hand_over(to)

    def become_tunnel(self, protocol: asyncio.Protocol) -> bytes:
        return self.step_aside().become_tunnel(protocol)

    def connection_lost(self, exc: Exception | None) -> None:
        self.step_aside().connection_lost(exc)

    def step_aside(self) -> Client:
        """Return the connection, which the exchange has from now on: its response is none that a fault changes."""
        for steps, _ in self._steps:
            for step in steps:
                if isinstance(step, bytes):  # an interim response that had to wait for the client to read
                    self.connection.write(step)
        self._be_over()
        return self.connection

    def hold_upstream(self, hold: bool) -> None:
        self.connection.hold_upstream(hold)

    def hold_body(self, hold: bool) -> None:
        self._wants_hold = hold
        self.connection.hold_body(hold or self._holds_upload)

    def hold_upload(self, hold: bool) -> None:
        """Stop reading the request's body, or read again, whatever `hold_body` wants."""
        self._holds_upload = hold
        if not self.over:
            self.connection.hold_body(hold or self._wants_hold)

    # ------------------------------------------------------------------------------------------ for the connection

    def progressed(self) -> None:
        """Do nothing: the exchange has ended, and the rest of its request is read and dropped."""

    def client_full(self) -> None:
        """Wait: the client does not read."""

    def client_drained(self) -> None:
        """Go on: the client reads again."""
        self._work()

    def cancel(self) -> None:
        """Drop what waits: the client is gone."""
        if self._last is not None and not self.begun:
            self._exchange.left_unseen()
        self._be_over()

    def refuse(self, reply: Reply) -> None:
        """Close: what follows the request is malformed, and its response has begun."""
        self._be_over()
        self.connection.cut()

    # ------------------------------------------------------------------------------------------ steps

    def _finally(self, last: Callable[[], None]) -> None:
        if self.over:
            return
        self._last = last
        self._work()
        if not self.over:
            self.connection.hand_over(self)

    def _work(self) -> None:
        """Carry out steps until one has to be waited for."""
        if self._at_work or self._paused is not None or self.over:
            return
        self._at_work = True
        while self._steps and self._paused is None and not self.connection.full and not self.over:
            steps, size = self._steps[0]
            step = next(steps, None)
            if step is None:
                self._steps.popleft()
                self._held -= size
            else:
                self._carry_out(step)
        self._at_work = False
        if self._paused is None:
            self._due = None
        self._settle()

    def _carry_out(self, step: Step) -> None:
        if isinstance(step, bytes):
            self.begun = not self._passing.in_head
            self.connection.write(step)
        elif isinstance(step, Pause):
            self._pause(step.seconds)
        else:
            self.end(step)

    def _pause(self, seconds: float) -> None:
        """Wait. A timer that was late makes the next pause shorter, unless there was something else to wait for."""
        now = self.worker.now()
        self._due = (now if self._due is None else max(self._due, now - CATCH_UP)) + seconds
        self._paused = self.worker.after(max(0.0, self._due - now), self._go_on)

    def _go_on(self) -> None:
        self._paused = None
        self._work()

    def _settle(self) -> None:
        if self.over:
            return
        if self._told_full and not self.full:
            self._told_full = False
            self._exchange.upstream_may_go_on()
        if not self._steps and self._paused is None and self._last is not None:
            last = self._last
            self._be_over()
            last()

    def end(self, end: End) -> None:
        """End the response: nothing that the exchange writes matters any more."""
        self._steps.clear()
        self._held = 0
        if end is End.SILENCE:
            self.begun = True  # the client sees it
            self._last = _nothing
            self._paused = self.worker.after(LONGEST, _nothing)
        else:
            self._be_over()
        self._exchange.cut_by_policy(end)
        if end is End.SILENCE:
            self.connection.hand_over(self)
        elif end is End.RESET:
            self.connection.reset()
        else:
            # What the client is still sending is read: unread, it would turn the end into a reset.
            self.connection.finish(linger=True)

    def _be_over(self) -> None:
        if self.over:
            return
        self.over = True
        if self._paused is not None:
            self._paused.cancel()
            self._paused = None
        if self._holds_upload:
            self.connection.hold_body(False)
        self._steps.clear()
        self._exchange.response_over()


CATCH_UP = 0.05  # seconds by which a pause may be shorter
LONGEST = 86400.0  # seconds that a silence may last: the client gives up before


def _nothing() -> None:
    pass
