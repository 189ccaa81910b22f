"""A clock that a test moves: the gateway's timers fire when the test says that time has passed, and only then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from chaos.gateway.state.worker_state import WorkerState

T = TypeVar("T")


class Timer(asyncio.TimerHandle):
    """A timer of `Clock`; the loop never sees it."""

    def cancel(self) -> None:
        asyncio.Handle.cancel(self)


@dataclass
class Clock:
    """Given to a gateway with `gateway(rules, clock=clock)`. Sockets keep their own time: what the gateway does
    without a timer happens as it always does."""

    seconds: float = 1000.0
    timers: list[Timer] = field(default_factory=list)

    def install(self, worker: WorkerState) -> None:
        worker.now, worker.after = self.now, self.after
        worker.policing.enter("", counted_under="", on=True, anew=True)  # by this clock

    def now(self) -> float:
        return self.seconds

    def after(self, delay: float, callback: Callable[..., object], *args: object) -> asyncio.TimerHandle:
        timer = Timer(self.seconds + delay, callback, args, asyncio.get_running_loop())
        self.timers.append(timer)
        return timer

    @property
    def pending(self) -> list[Timer]:
        """Timers that have neither fired nor been cancelled, the next one first."""
        self.timers = sorted((timer for timer in self.timers if not timer.cancelled()), key=lambda one: one.when())
        return self.timers

    def advance(self, seconds: float) -> None:
        """Lets time pass; what falls due meanwhile happens in its order, timers begun by timers included."""
        end = self.seconds + seconds
        while self.pending and self.pending[0].when() <= end:
            timer = self.timers.pop(0)
            self.seconds = timer.when()
            timer._run()  # as the loop does
        self.seconds = end

    async def play(self, doing: Coroutine[Any, Any, T]) -> T:
        """What comes of it, while time passes from timer to timer."""
        task = asyncio.create_task(doing)
        while not task.done():
            await asyncio.sleep(0)
            if self.pending:
                self.advance(self.pending[0].when() - self.seconds)
        return await task
