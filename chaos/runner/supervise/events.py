"""Events of a run, in one queue, so that the supervisor waits in one place only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from chaos.protocol.load_messages import LoadMessage
from chaos.runner.processes.child import Child
from chaos.runner.processes.load import LoadProcess
from chaos.runner.supervise.interruption import Interruption

LONGEST_WAIT = 1.0  # seconds without an event, after which deadlines are checked


@dataclass(frozen=True, slots=True)
class LoadSaid:
    """A message of the load process."""

    message: LoadMessage


@dataclass(frozen=True, slots=True)
class ChildEnded:
    """A child process ended. `how` says how, with the last line of its log."""

    name: str
    how: str


@dataclass(frozen=True, slots=True)
class SignalArrived:
    """Ctrl-C, SIGTERM or SIGHUP arrived."""


Event = LoadSaid | ChildEnded | SignalArrived


class Events:
    """The queue, and the tasks that put events into it until it is closed."""

    def __init__(self, interruption: Interruption):
        self._queue: asyncio.Queue[Event] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._interruption = interruption
        interruption.listen(lambda: self._queue.put_nowait(SignalArrived()))

    async def next(self, deadline: float) -> Event | None:
        """Return the next event; None at the deadline (of the monotonic clock), or if nothing happens for a second."""
        timeout = min(max(deadline - time.monotonic(), 0.0), LONGEST_WAIT)
        try:
            return await asyncio.wait_for(self._queue.get(), timeout)
        except TimeoutError:
            return None

    def listen_to(self, load: LoadProcess) -> None:
        """Put every message of the load into the queue, and its end unless it sent `done` first."""
        self._spawn(self._listen(load))

    def watch(self, child: Child) -> None:
        """Put the end of this child into the queue."""
        self._spawn(self._watch(child))

    async def close(self) -> None:
        """Stop all tasks that put events into the queue."""
        self._interruption.listen(None)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.ensure_future(work))

    async def _listen(self, load: LoadProcess) -> None:
        done = False
        async for message in load.messages():
            done = load.done = done or message["type"] == "done"
            self._queue.put_nowait(LoadSaid(message))
        await load.child.process.wait()
        if not done:
            self._queue.put_nowait(ChildEnded(load.child.name, f"{load.child.how_it_ended()}{load.child.last_words()}"))

    async def _watch(self, child: Child) -> None:
        await child.process.wait()
        self._queue.put_nowait(ChildEnded(child.name, f"{child.how_it_ended()}{child.last_words()}"))
