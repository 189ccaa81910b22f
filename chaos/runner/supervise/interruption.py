"""Handle the signals that end a run early: Ctrl-C, SIGTERM, and SIGHUP when the terminal goes away.

The first ends the run in good order, a second cuts short what is still waited for, a third ends the process at once;
its children end with it. In a program that is not ours, a third does what it would do without us.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any, TypeVar

from chaos.errors import ExitCode
from chaos.signals import heeded

T = TypeVar("T")
MOST = 3


class Interrupted(Exception):  # noqa: N818 - named for what happened
    """A signal asked for the end."""


class Interruption:
    """A context manager in which the signals are counted instead of raised. Nothing arrives outside the main thread,
    which alone gets signals, nor with `signals` False, for a program that handles them itself.

    With `exits`, a third signal ends the process; without, it does what it would have done before."""

    def __init__(self, *, signals: bool = True, exits: bool = True) -> None:
        self._signals, self._exits = signals, exits
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._last: signal.Signals | None = None
        self._count = 0
        self._listener: Callable[[], None] | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        if self._signals and threading.current_thread() is threading.main_thread():
            for number in heeded():
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Count a signal. This is the handler itself, so it must not touch the loop, which may be busy."""
        self._count, self._last = self._count + 1, signal.Signals(number)
        if self._count >= MOST:
            if self._exits:
                os._exit(ExitCode.INTERRUPTED)
            signal.signal(number, self._before[self._last])
            signal.raise_signal(number)
        self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._arrived.set()
        if self._listener is not None:
            self._listener()

    def listen(self, listener: Callable[[], None] | None) -> None:
        """Call `listener` in the loop for every signal from now on; None calls nobody."""
        self._listener = listener

    def forget(self) -> None:
        """Forget the signals so far, which have been handled; the next one counts as the first again."""
        self._count = 0
        self._arrived.clear()

    @property
    def last(self) -> signal.Signals | None:
        """The last signal that arrived, forgotten ones included; None without one."""
        return self._last

    @property
    def insistent(self) -> bool:
        """Whether more than one Ctrl-C arrived. A single one may have been meant for what has just ended."""
        return self._count > 1 or (self._count == 1 and self._last is not signal.SIGINT)

    async def unless(self, work: Awaitable[T], *, insistent: bool = False) -> T:
        """Return the result of `work`. If a signal arrives first, or has already, cancel the work and raise
        Interrupted.

        With `insistent`, a first Ctrl-C does not count."""
        task = asyncio.ensure_future(work)
        try:
            while True:
                waiting = asyncio.ensure_future(self._arrived.wait())
                try:
                    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waiting.cancel()
                if task.done():
                    return task.result()
                if not insistent or self.insistent:
                    raise Interrupted
                self._arrived.clear()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
