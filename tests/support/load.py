"""Runs a load process as the supervisor does: a plan on stdin, JSON lines back."""

from __future__ import annotations

import json
import queue
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from chaos.protocol.digest import Digest

LIMIT = 30.0  # seconds after which a test gives up waiting


def plan(gateway: str, **more: Any) -> dict[str, Any]:
    return {
        "gateway": gateway,
        "seed": 7,
        "users": 4,
        "spawn_rate": 1000.0,
        "tasks": [{"name": "home", "method": "GET", "url": "http://webserver/home"}],
    } | more


class Load:
    """A running `python -m chaos.load`."""

    def __init__(self, plan: dict[str, Any] | str, *, files: int | None = None):
        """`files` is the soft limit of open files that it finds."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "chaos.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=None if files is None else lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard)),
        )
        self.lines: list[dict[str, Any]] = []
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._errors: list[bytes] = []
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._read_errors)]
        for thread in self._threads:
            thread.start()
        self.send(plan)

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(LIMIT)
        for thread in self._threads:
            thread.join(LIMIT)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(json.loads(line))
        self._queue.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self._errors += self.process.stderr

    @property
    def stderr(self) -> str:
        return b"".join(self._errors).decode()

    def send(self, message: dict[str, Any] | str) -> None:
        assert self.process.stdin is not None
        text = message if isinstance(message, str) else json.dumps(message)
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def close_stdin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next line that is wanted; fails when the process ends first."""
        end = time.monotonic() + LIMIT
        while (line := self._queue.get(timeout=LIMIT)) is not None:
            self.lines.append(line)
            assert time.monotonic() < end, f"not yet; it said {self.lines[-3:]} and {self.stderr}"
            if wanted(line):
                return line
        raise AssertionError(f"the load ended before; it said {self.lines[-3:]} and {self.stderr}")

    def until_type(self, name: str) -> dict[str, Any]:
        return self.until(lambda line: line["type"] == name)

    def finish(self) -> dict[str, Any]:
        """Wait for the end; gives `done` (or the last line)."""
        end = time.monotonic() + LIMIT
        while (line := self._queue.get(timeout=LIMIT)) is not None:
            self.lines.append(line)
            assert time.monotonic() < end, f"still running; it said {self.lines[-3:]} and {self.stderr}"
        self.process.wait(LIMIT)
        return self.lines[-1]

    @property
    def code(self) -> int:
        return self.process.wait(LIMIT)

    def digest(self) -> Digest:
        """All digests so far together."""
        total = Digest()
        for line in self.lines:
            if line["type"] == "digest":
                total.merge(Digest.of(line["entries"], line["pairs"], line["pending"], line["parts"]))
        return total


def run(plan: dict[str, Any] | str) -> Load:
    """A whole load, finished."""
    with Load(plan) as load:
        load.finish()
    return load
