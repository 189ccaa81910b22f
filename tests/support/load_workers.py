"""`chaos load-worker` as a user starts it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

from support.load import Load

LIMIT = 30.0


class LoadWorker:
    """A running one. `lines` are what it has said so far."""

    def __init__(self, *arguments: str, before: Sequence[str] = ()):
        """`before` is put before the command, such as one that enters a network namespace."""
        self.process = subprocess.Popen(
            [*before, sys.executable, "-m", "chaos", "load-worker", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._said = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> LoadWorker:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(LIMIT)
        self._reader.join(LIMIT)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._said:
                self.lines.append(line.rstrip("\n"))
                self._said.notify_all()

    def until(self, text: str) -> str:
        """The first line with this text."""
        with self._said:
            assert self._said.wait_for(lambda: any(text in line for line in self.lines), LIMIT), self.lines
            return next(line for line in self.lines if text in line)

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    @property
    def code(self) -> int:
        code = self.process.wait(LIMIT)
        self._reader.join(LIMIT)
        return code

    @property
    def sent(self) -> int:
        """The number of requests that it says to have sent."""
        return sum(int(found[1]) for line in self.lines if (found := re.search(r"sent (\d+) requests", line)))


def port_of(load: Load) -> str:
    """Where the load waits for its workers."""
    said = load.until(lambda line: line["type"] == "event" and "waiting for" in line["text"])
    found = re.search(r"127\.0\.0\.1:\d+", said["text"])
    assert found is not None
    return found[0]
