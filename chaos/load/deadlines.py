"""End exchanges that take too long: one sweep over all connections instead of a timer for every request."""

from __future__ import annotations

from time import perf_counter

import gevent

from chaos.load.connection import Connection


class Deadlines:
    """The connections with a deadline. An exchange ends at most one sweep late."""

    def __init__(self, shortest: float):
        """`shortest` is the smallest timeout in use, in seconds."""
        self._connections: set[Connection] = set()
        self.interval = min(max(shortest / 50, 0.002), 0.1)

    def watch(self, connection: Connection) -> None:
        self._connections.add(connection)

    def forget(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def run(self) -> None:
        """Sweep forever, in a greenlet of its own."""
        while True:
            gevent.sleep(self.interval)
            now = perf_counter()
            for connection in self._connections:
                if 0.0 < connection.deadline < now:
                    connection.expire()
