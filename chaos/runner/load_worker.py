"""Run the processes of `chaos load-worker`: each joins a load of another process as one of its workers.

They import Locust; this process only shows what they say, and ends them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chaos.errors import ExitCode
from chaos.runner.processes.child import Child, python
from chaos.runner.supervise.interruption import Interrupted, Interruption

GRACE = 1.5  # seconds for a worker to tell its last counts

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Joins:
    """What is to be joined, by how many `processes`; `code`: whether a locustfile of the load may run here."""

    address: str
    token: str = field(default="", repr=False)
    processes: int = 1
    code: bool = False


def run_workers(joins: Joins, say: Say) -> int:
    """Run the workers to their end and return the exit code: that of an interruption, else the greatest of theirs.
    `say` is told each line."""
    return asyncio.run(_run_workers(joins, say))


async def _run_workers(joins: Joins, say: Say) -> int:
    files = tempfile.TemporaryDirectory(prefix="chaos-load-") if joins.code else contextlib.nullcontext("")
    with Interruption() as interruption, files as folder:
        working = asyncio.gather(*(_work(joins, index, folder, say) for index in range(joins.processes)))
        try:
            return max(await interruption.unless(working))
        except Interrupted:
            return int(ExitCode.INTERRUPTED)


async def _work(joins: Joins, index: int, folder: str, say: Say) -> int:
    """Run one worker, its code in a folder of its own. Returns its exit code."""
    own = str(Path(folder, str(index + 1))) if joins.code else ""
    prefix = f"[{index + 1}] " if joins.processes > 1 else ""
    child = await Child.start("the load worker", python("chaos.load"), passes_on_stderr=True)
    reading = asyncio.ensure_future(_show(child, lambda text: say(prefix + text)))
    try:
        await child.send({"join": joins.address, "token": joins.token, "code": joins.code, "folder": own})
        await child.process.wait()
    finally:
        await child.stop(GRACE)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reading, 1.0)
    code = child.process.returncode or 0
    if code < 0 or code not in (ExitCode.VERIFIED, ExitCode.USAGE, ExitCode.ENVIRONMENT, ExitCode.INTERRUPTED):
        say(f"{prefix}the load worker {child.how_it_ended()}")
        return int(ExitCode.ENVIRONMENT)
    return code


async def _show(child: Child, say: Say) -> None:
    """Pass on what a worker says, to its end."""
    async for line in child.lines():
        with contextlib.suppress(ValueError, TypeError, KeyError):
            say(str(json.loads(line)["text"]))
