"""Render the report of a run in a child, which imports pandas and matplotlib before it is needed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from chaos.errors import ChaosError
from chaos.runner.processes.child import Child, python

TIMEOUT = 120.0


class Reporter:
    """The child that renders: call `warm` early, and `render` when the journal is complete. Neither fails a run,
    because the report can be made again from the journal."""

    def __init__(self, folder: Path, *, wanted: bool = True):
        self.folder, self.wanted = folder, wanted
        self._child: Child | None = None

    async def warm(self) -> None:
        """Start the child. Its imports take a second of CPU, so call this when the load is already running."""
        if self.wanted and self._child is None:
            self._child = await Child.start(
                "the report", python("chaos.report", "--wait"), log=self.folder / "report.log", nice=5
            )

    async def render(self) -> str:
        """Write the report and the index of runs. Return what went wrong, empty if nothing did."""
        if not self.wanted:
            return ""
        try:
            await self.warm()
            assert self._child is not None
            await self._child.send_line(str(self.folder))
            async with asyncio.timeout(TIMEOUT):
                failure = await self._failure(self._child)
        except TimeoutError:
            failure = f"the report was not ready within {TIMEOUT:g} s"
        except ChaosError as error:
            failure = str(error)
        return f"{failure}; `chaos report {self.folder}` tries again" if failure else ""

    async def _failure(self, child: Child) -> str:
        """Return the message with which the report failed, empty if it was written."""
        while True:
            message = await child.json_line(TIMEOUT)
            if "ok" in message:
                return "" if message["ok"] else f"the report failed: {message.get('error')}"

    async def stop(self) -> None:
        if self._child is not None:
            await self._child.stop(grace=0.2)
