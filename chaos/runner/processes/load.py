"""Run the load as a child: start Locust's process early, send its plan when everything accepts requests, and read its
messages. Imports nothing slow, because this process is started before anything else.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from chaos.errors import EnvironmentFailed, Severity
from chaos.protocol.load_messages import LoadMessage
from chaos.protocol.load_plan import Plan
from chaos.runner.processes.child import Child, python

START_TIMEOUT = 60.0

Say = Callable[[Severity, str], None]


class LoadProcess:
    """Locust in a process of its own. `began` once it has its plan, `done` once it has told all that it counted."""

    def __init__(self, child: Child):
        self.child = child
        self.ui: str | None = None
        self.began = False
        self.done = False

    @classmethod
    async def start(cls, log: Path | None = None) -> LoadProcess:
        """Start the process, which begins its imports. It sends nothing before `begin`."""
        return cls(await Child.start("the load", python("chaos.load"), log=log))

    async def begin(self, plan: Plan, say: Say = lambda level, text: None) -> None:
        """Send the plan and wait until the load is ready; `say` is told what happens meanwhile. Raises
        EnvironmentFailed with its reason if it is not."""
        await self.child.send(asdict(plan))
        timeout = START_TIMEOUT + (plan.joining.wait if plan.joining is not None else 0.0)
        message = await self.child.json_line(timeout)
        while message.get("type") == "event":
            say(message["level"], message["text"])
            message = await self.child.json_line(timeout)
        if message.get("type") != "ready":
            raise EnvironmentFailed(f"the load did not start: {message.get('reason') or message}")
        self.ui = message.get("ui")
        self.began = True

    async def stop(self) -> None:
        """Ask it to end. Its last digests still arrive, then `done`."""
        await self.child.send({"command": "stop"})

    async def command(self, command: str, /, **values: Any) -> None:
        await self.child.send({"command": command, **values})

    def offer(self, command: str, /, **values: Any) -> None:
        """Send a command that the next one of its kind makes superfluous, if it can be sent at once."""
        self.child.offer_line(json.dumps({"command": command, **values}, separators=(",", ":")))

    async def messages(self) -> AsyncIterator[LoadMessage]:
        """Yield its messages, to its end."""
        async for line in self.child.lines():
            try:
                message = json.loads(line)
            except ValueError:
                continue  # a print in a user's locustfile
            if isinstance(message, dict) and "type" in message:
                yield cast(LoadMessage, message)
