"""Convert the load process's messages: its plan, and its digests and samples as records of the journal."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from chaos.experiment.model import Load
from chaos.experiment.tasks import LoadTask
from chaos.journal.records import DigestLine, Sample


def load_plan(load: Load, tasks: tuple[LoadTask, ...], *, gateway: str, seed: int, **more: Any) -> dict[str, Any]:
    """Return the plan as the load process reads it. Without duration and number of requests, which the phases limit."""
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


def digest_line(message: dict[str, Any]) -> DigestLine:
    """Return the journal's record of a digest message."""
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
