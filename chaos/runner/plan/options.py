"""What `chaos run` was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunOptions:
    """`gateway` is the URL of one that runs already; `ui` an address for Locust's web UI; `command` repeats the run,
    once the file stands after its second word.

    `workers` are the gateway's, `program` starts another one than ours, which gets the same plan on its stdin. `seed`
    overrides the experiment's; without both one is chosen."""

    out: Path = Path("reports")
    overrides: tuple[str, ...] = ()
    seed: int | None = None
    gateway: str | None = None
    ui: str | None = None
    workers: int = 1
    program: tuple[str, ...] = ()
    report: bool = True
    command: tuple[str, ...] = ()
