"""Start child processes that cannot outlive us, read their lines, and end them.

Each child gets a parent-death signal (Linux) and a stdin pipe that closes when we die, however we die. Its stdout is
read line by line; its stderr goes to a log, whose last line becomes part of the message if it fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from chaos.errors import EnvironmentFailed
from chaos.parent_death import before_exec
from chaos.runner.processes.log import Log

# Bytes. asyncio's default of 64 KiB is too short for a digest with many histograms, which is far below this one.
_LINE_LIMIT = 64 * 1024 * 1024


class Child:
    """One running child process. `name` is its name in messages."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Log):
        self.name, self.process, self.log = name, process, log

    @classmethod
    async def start(
        cls,
        name: str,
        argv: Sequence[str],
        *,
        log: Path | None = None,
        env: dict[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        cwd: str | None = None,
        nice: int = 0,
        dies_with_us: bool = True,
        passes_on_stderr: bool = False,
    ) -> Child:
        """Start a program. Raises EnvironmentFailed if it cannot be started at all. Its stderr goes to the file `log`,
        to our stderr with `passes_on_stderr`, or else to memory.

        A program with `dies_with_us` False (`guard`) must end by itself when its stdin closes."""
        stderr = Log.passed_on() if passes_on_stderr else Log.of(log)
        starting = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr.descriptor,
                env=env,
                pass_fds=tuple(pass_fds),
                cwd=cwd,
                start_new_session=True,
                preexec_fn=before_exec(nice) if dies_with_us else None,
                limit=_LINE_LIMIT,
            )
        )
        try:
            process = await asyncio.shield(starting)
        except asyncio.CancelledError:
            await cls(name, await starting, stderr).stop()  # asyncio would kill it; a guard must end what it guards
            raise
        except OSError as error:
            raise EnvironmentFailed(f"{name}: cannot start {argv[0]}: {error.strerror}") from None
        return cls(name, process, stderr)

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    async def send(self, message: object) -> None:
        """Write one JSON line to its stdin. Does nothing if it has ended already, which is noticed elsewhere."""
        await self.send_line(json.dumps(message, separators=(",", ":")))

    async def send_line(self, text: str) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(ConnectionError, RuntimeError):
            self.process.stdin.write(text.encode() + b"\n")
            await self.process.stdin.drain()

    def offer_line(self, text: str) -> None:
        """Write a line to its stdin, unless the last ones have not been taken yet: this one is not worth a wait."""
        stdin = self.process.stdin
        if stdin is not None and not stdin.is_closing() and not stdin.transport.get_write_buffer_size():
            stdin.write(text.encode() + b"\n")

    async def lines(self) -> AsyncIterator[str]:
        """Yield its stdout line by line, to the end."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            yield line.decode("utf-8", "replace").rstrip("\n")

    async def line(self, timeout: float) -> str:
        """Return its next line. Raises EnvironmentFailed if it ends, or prints nothing for `timeout` seconds."""
        assert self.process.stdout is not None
        try:
            line = await asyncio.wait_for(self.process.stdout.readline(), timeout)
        except TimeoutError:
            raise EnvironmentFailed(f"{self.name} printed nothing for {timeout:g} s{self.last_words()}") from None
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

    def tell(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    def how_it_ended(self) -> str:
        code = self.process.returncode
        if code is None:
            return "is running"
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def last_words(self, limit: int = 300) -> str:
        """Return `: <last line of its log>`, empty without one."""
        line = self.log.last_line()
        return f": {line[:limit]}" if line else ""

    def close_stdin(self) -> None:
        if self.process.stdin is not None:
            with contextlib.suppress(Exception):
                self.process.stdin.close()

    async def stop(self, grace: float = 1.0) -> None:
        """End it: send SIGTERM, then SIGKILL to its whole group after `grace` seconds or if this is cancelled."""
        try:
            if self.alive:
                # Not process.terminate(): it looks first whether the child has ended, and so takes the exit status
                # away from asyncio, which then warns of an unknown child process and makes up an exit code.
                self.tell(signal.SIGTERM)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.process.wait(), grace)
        finally:
            self.close_stdin()  # not before: a gateway whose stdin closes does not drain
            kill_group(self.process.pid)
        await self.process.wait()


def kill_group(group: int) -> None:
    """Kill what is left of a child's process group, such as the workers of a killed master; never our own group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getpgrp() != group:
            os.killpg(group, signal.SIGKILL)


def python(*arguments: str) -> list[str]:
    """Return the command that runs one of our modules with our own interpreter."""
    return [sys.executable, "-m", *arguments]
