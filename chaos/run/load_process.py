"""The load as a child of a run: start Locust's process early, hand it its plan when everything answers, pass on what
it says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chaos.errors import EnvironmentFailed
from chaos.experiment.model import Load
from chaos.experiment.tasks import LoadTask
from chaos.journal.records import DigestLine, Sample
from chaos.run.children import Child, python

START_TIMEOUT = 60.0


def load_plan(load: Load, tasks: tuple[LoadTask, ...], *, gateway: str, seed: int, **more: Any) -> dict[str, Any]:
    """The plan as the load process reads it. Phases decide about durations and numbers of requests, not the plan."""
    return {
        "gateway": gateway,
        "seed": seed,
        "users": load.users,
        "spawn_rate": load.spawn_rate,
        "arrival_rate": load.arrival_rate,
        "duration": None,
        "requests": None,
        "client": load.client,
        "processes": load.processes,
        "locustfile": load.locustfile,
        "tasks": [asdict(task) for task in tasks],
        **more,
    }


class LoadProcess:
    """Locust in a process of its own."""

    def __init__(self, child: Child):
        self.child = child
        self.ui: str | None = None
        self.began = False

    @classmethod
    async def start(cls, folder: Path) -> LoadProcess:
        """The process with its imports under way; nothing is sent before `begin`."""
        return cls(await Child.start("the load", python("chaos.load"), log=folder / "load.log"))

    async def begin(self, plan: dict[str, Any]) -> None:
        """Send the plan and wait until it is ready. Raises EnvironmentFailed with its reason."""
        await self.child.send(plan)
        message = await self.child.json_line(START_TIMEOUT)
        if message.get("type") != "ready":
            raise EnvironmentFailed(f"the load did not start: {message.get('text') or message}")
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


def digest_line(message: dict[str, Any]) -> DigestLine:
    """The journal's record of one second's digest."""
    return DigestLine(
        second=float(message.get("second", 0.0)),
        seconds=float(message.get("seconds", 1.0)),
        users=int(message.get("users", 0)),
        cpu=float(message.get("cpu", 0.0)),
        entries=tuple(message.get("entries", ())),
        pairs=tuple(message.get("pairs", ())),
        errors=message.get("errors", {}),
        late=int(message.get("late", 0)),
    )


def sample_line(message: dict[str, Any]) -> Sample:
    return Sample(
        second=float(message.get("second", 0.0)),
        share=float(message.get("share", 0.0)),
        requests=tuple(message.get("requests", ())),
    )
