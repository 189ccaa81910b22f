"""Start child processes that cannot outlive us, read their lines, and end them.

Each child gets a parent-death signal (Linux) and a stdin pipe that closes when we die, however we die. Its stdout
comes line by line; its stderr goes to a log file in the run's folder, whose last lines become part of the message
when it fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from chaos.errors import EnvironmentFailed

_LINE_LIMIT = (
    64 * 1024 * 1024
)  # a digest line with many histograms is far below; without a limit a line of ours would be cut
_PR_SET_PDEATHSIG = 1


def _before_exec(nice: int) -> Callable[[], None]:
    """For preexec_fn: the kernel kills the child when its parent is gone (Linux), and it yields to others when nice."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None
    parent = os.getpid()

    def prepare() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:  # it died between fork and prctl
                os._exit(1)
        if nice:
            os.nice(nice)

    return prepare


class Child:
    """One running child process. `name` is what messages call it."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path):
        self.name, self.process, self.log = name, process, log

    @classmethod
    async def start(
        cls,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        env: dict[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        cwd: str | None = None,
        nice: int = 0,
    ) -> Child:
        """Raises EnvironmentFailed when the program cannot be started at all."""
        try:
            with log.open("ab") as stderr:
                process = await asyncio.create_subprocess_exec(
                    *argv,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=stderr,
                    env=env,
                    pass_fds=tuple(pass_fds),
                    cwd=cwd,
                    start_new_session=True,
                    preexec_fn=_before_exec(nice),
                    limit=_LINE_LIMIT,
                )
        except OSError as error:
            raise EnvironmentFailed(f"{name}: cannot start {argv[0]}: {error.strerror}") from None
        return cls(name, process, log)

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    async def send(self, message: object) -> None:
        """One JSON line to its stdin; nothing when it is gone already (its end is noticed elsewhere)."""
        await self.send_line(json.dumps(message, separators=(",", ":")))

    async def send_line(self, text: str) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(ConnectionError, RuntimeError):
            self.process.stdin.write(text.encode() + b"\n")
            await self.process.stdin.drain()

    async def lines(self) -> AsyncIterator[str]:
        """Its stdout, line by line, to the end."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            yield line.decode("utf-8", "replace").rstrip("\n")

    async def line(self, timeout: float) -> str:
        """The next line. Raises EnvironmentFailed when it ends, or says nothing for `timeout` seconds."""
        assert self.process.stdout is not None
        try:
            line = await asyncio.wait_for(self.process.stdout.readline(), timeout)
        except TimeoutError:
            raise EnvironmentFailed(f"{self.name} said nothing for {timeout:g} s{self.last_words()}") from None
        if not line:
            await self.process.wait()
            raise EnvironmentFailed(f"{self.name} {self.how_it_ended()}{self.last_words()}")
        return line.decode("utf-8", "replace").rstrip("\n")

    async def json_line(self, timeout: float) -> dict[str, Any]:
        line = await self.line(timeout)
        try:
            message = json.loads(line)
        except ValueError:
            raise EnvironmentFailed(f"{self.name} printed {line[:200]!r} instead of JSON") from None
        if not isinstance(message, dict):
            raise EnvironmentFailed(f"{self.name} printed {line[:200]!r} instead of an object")
        return message

    def how_it_ended(self) -> str:
        code = self.process.returncode
        if code is None:
            return "is running"
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def last_words(self, limit: int = 300) -> str:
        """`: <last line of its log>`, or nothing."""
        try:
            lines = [line for line in self.log.read_text("utf-8", "replace").splitlines() if line.strip()]
        except OSError:
            return ""
        return f": {lines[-1].strip()[:limit]}" if lines else ""

    def close_stdin(self) -> None:
        if self.process.stdin is not None:
            with contextlib.suppress(Exception):
                self.process.stdin.close()

    async def stop(self, grace: float = 1.0) -> None:
        """End it: stdin closed and SIGTERM, SIGKILL to its whole group after `grace` seconds."""
        self.close_stdin()
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), grace)
        self._kill_group()
        await self.process.wait()

    def _kill_group(self) -> None:
        """What is left of the group (workers of a killed master); the group is the child's own, never ours."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(0) != self.process.pid:
                os.killpg(self.process.pid, signal.SIGKILL)


def python(*arguments: str) -> list[str]:
    """Our own interpreter running one of our own modules."""
    return [sys.executable, "-m", *arguments]
