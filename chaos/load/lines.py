"""JSON lines to and from the supervisor, over this process's pipes, without blocking gevent's loop."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import gevent
from gevent import os as cooperative
from gevent.lock import RLock

from chaos.protocol.load_messages import LoadMessage


class SupervisorGone(Exception):  # noqa: N818 - named for what happened
    """Nobody reads this process's output."""


class Lines:
    """Writes lines to stdout. The pipe has no other user, so it can be made non-blocking: a slow reader must not stop
    the load."""

    def __init__(self, descriptor: int = 1):
        self._descriptor = descriptor
        self._lock = RLock()
        cooperative.make_nonblocking(descriptor)

    def write(self, message: LoadMessage) -> None:
        """Write one line. Raises SupervisorGone."""
        line = json.dumps(message, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            rest = memoryview(line)
            while rest:
                try:
                    rest = rest[cooperative.nb_write(self._descriptor, rest) :]
                except OSError as error:
                    raise SupervisorGone from error


def first_line() -> bytes:
    """Return the first line of stdin, the plan; empty when stdin was closed before."""
    return sys.stdin.buffer.readline()


def commands() -> Iterator[dict[str, Any]]:
    """Yield the supervisor's commands until stdin closes; lines that are not JSON objects are skipped."""
    pool = gevent.get_hub().threadpool
    while line := pool.apply(sys.stdin.buffer.readline):
        try:
            command = json.loads(line)
        except ValueError:
            continue
        if isinstance(command, dict):
            yield command


def leave(code: int) -> None:
    """End the process at once: the thread that waits for stdin would keep the interpreter alive."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
