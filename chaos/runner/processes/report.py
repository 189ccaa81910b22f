"""The report of a run, rendered by a child that has pandas and matplotlib imported before it is needed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from chaos.errors import ChaosError
from chaos.runner.processes.child import Child, python

TIMEOUT = 120.0


class Reporter:
    """`warm` early, `render` when the journal is complete. Nothing here fails a run: the journal is what counts."""

    def __init__(self, folder: Path, *, wanted: bool = True):
        self.folder, self.wanted = folder, wanted
        self._child: Child | None = None

    async def warm(self) -> None:
        """Start the child; its imports take a second of CPU, so this is called when the load is on its way."""
        if self.wanted and self._child is None:
            self._child = await Child.start(
                "the report", python("chaos.report", "--wait"), log=self.folder / "report.log", nice=5
            )

    async def render(self) -> str:
        """Write the report and the index of runs; what went wrong, if anything."""
        if not self.wanted:
            return ""
        try:
            await self.warm()
            assert self._child is not None
            await self._child.send_line(str(self.folder))
            async with asyncio.timeout(TIMEOUT):
                answer = await self._answer(self._child)
        except TimeoutError:
            answer = f"the report was not ready within {TIMEOUT:g} s"
        except ChaosError as error:
            answer = str(error)
        return f"{answer}; `chaos report {self.folder}` tries again" if answer else ""

    async def _answer(self, child: Child) -> str:
        while True:
            message = await child.json_line(TIMEOUT)
            if "ok" in message:
                return "" if message["ok"] else f"the report failed: {message.get('error')}"

    async def stop(self) -> None:
        if self._child is not None:
            await self._child.stop(grace=0.2)
