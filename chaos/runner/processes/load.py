"""The load as a child of a run: start Locust's process early, hand it its plan when everything answers, pass on what
it says. Imports nothing slow, because this process is started before anything else is looked at.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from chaos.errors import EnvironmentFailed
from chaos.runner.processes.child import Child, python

START_TIMEOUT = 60.0


class LoadProcess:
    """Locust in a process of its own."""

    def __init__(self, child: Child):
        self.child = child
        self.ui: str | None = None
        self.began = False

    @classmethod
    async def start(cls, log: Path | None = None) -> LoadProcess:
        """The process with its imports under way; nothing is sent before `begin`."""
        return cls(await Child.start("the load", python("chaos.load"), log=log))

    async def begin(self, plan: dict[str, Any]) -> None:
        """Send the plan and wait until it is ready. Raises EnvironmentFailed with its reason."""
        await self.child.send(plan)
        message = await self.child.json_line(START_TIMEOUT)
        if message.get("type") != "ready":
            raise EnvironmentFailed(f"the load did not start: {message.get('reason') or message}")
        self.ui = message.get("ui")
        self.began = True

    async def stop(self) -> None:
        """Ask it to end; what was measured still arrives, then `done`."""
        await self.child.send({"command": "stop"})

    async def command(self, command: str, /, **values: Any) -> None:
        await self.child.send({"command": command, **values})

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """What it says, to its end."""
        async for line in self.child.lines():
            try:
                message = json.loads(line)
            except ValueError:
                continue  # a print in a user's locustfile
            if isinstance(message, dict) and "type" in message:
                yield message
