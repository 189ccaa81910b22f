"""The report of a run, rendered by a child that has pandas and matplotlib imported before it is needed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from chaos.errors import ChaosError
from chaos.run.children import Child, python

TIMEOUT = 120.0


class Reporter:
    """`warm` early, `render` when the journal is complete. Nothing here fails a run: the journal is what counts."""

    def __init__(self, folder: Path, out: Path, *, wanted: bool = True):
        self.folder, self.out, self.wanted = folder, out, wanted
        self._child: Child | None = None

    async def warm(self) -> None:
        """Start the child; its imports take a second of CPU, so this is called when the load is on its way."""
        if self.wanted and self._child is None:
            self._child = await Child.start(
                "the report", python("chaos.report", "--wait", str(self.folder)), log=self.folder / "report.log"
            )

    async def render(self) -> str:
        """Write the report; what went wrong, if anything."""
        if not self.wanted:
            return ""
        try:
            await self.warm()
            assert self._child is not None
            async with asyncio.timeout(TIMEOUT):
                self._child.close_stdin()
                async for _ in self._child.lines():
                    pass
                code = await self._child.process.wait()
        except TimeoutError:
            return f"the report was not ready within {TIMEOUT:g} s; `chaos report {self.folder}` tries again"
        except ChaosError as error:
            return str(error)
        if code:
            return f"the report failed{self._child.last_words()}; `chaos report {self.folder}` tries again"
        return ""

    async def stop(self) -> None:
        if self._child is not None:
            await self._child.stop(grace=0.2)
