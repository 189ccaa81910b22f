"""`python -m chaos.runner.istio.guard SETTINGS`: takes a run's objects away when the engine is killed.

It is in a session of its own, so that no signal to the run's group reaches it, and waits for its stdin: a word there
means that all is well, its end without one that nobody else is left to do it. It tries for as long as the lease would
last."""

from __future__ import annotations

import asyncio
import sys
import time

from chaos.engines.istio.lease import SECONDS
from chaos.errors import ChaosError
from chaos.runner.istio.settings import Settings
from chaos.runner.processes.child import python

DISMISSED = b"dismissed\n"
AGAIN = 1.0  # seconds between two tries


class Guard:
    """The guard as its engine sees it."""

    def __init__(self, process: asyncio.subprocess.Process):
        self._process = process

    @classmethod
    async def start(cls, settings: Settings) -> Guard:
        """Start one."""
        process = await asyncio.create_subprocess_exec(
            *python("chaos.runner.istio.guard", settings.line()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,  # the engine's is read until nobody can write to it
            start_new_session=True,
        )
        return cls(process)

    async def dismiss(self) -> None:
        """Tell it that there is nothing left to do, and wait until it has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(DISMISSED)
        self._process.stdin.close()
        await self._process.wait()


def main() -> int:
    """Wait for the engine's end. Returns 0 if nothing is left of the run, 5 if the lease has to do it."""
    if sys.stdin.buffer.read() == DISMISSED:
        return 0
    return asyncio.run(_remove(Settings.of(sys.argv[1])))


async def _remove(settings: Settings) -> int:
    from chaos.runner.istio.api import connect
    from chaos.runner.istio.installation import remove
    from chaos.runner.istio.patched import take_away

    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            async with await connect(settings.context, settings.namespace) as cluster:
                if settings.patch:
                    await take_away(cluster, settings.marks)
                await remove(cluster, settings.marks)
        except ChaosError:
            await asyncio.sleep(AGAIN)
        else:
            return 0
    return 5


if __name__ == "__main__":
    sys.exit(main())
