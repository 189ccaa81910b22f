"""The options of `chaos run`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from chaos.runner.plan.engines import GATEWAY, Engine
from chaos.runner.plan.load_hosts import LoadHosts


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of one run. `gateway` is the URL of a gateway that runs already, and `access_log` the file
    that its log is written to; `ui` is the address for Locust's web
    UI, `live` that for the live page alone; `command` repeats the run, with the file inserted after its second word.

    `workers` is the number of gateway processes; `hosts` is where load workers join from. `program` is a command that
    starts another gateway than ours, with the same plan on its stdin; without one the `engine` has its own. `seed`
    overrides the experiment's; if both are None, one is chosen. `otel`: load and gateway
    export spans, the gateway metrics too."""

    out: Path = Path("reports")
    overrides: tuple[str, ...] = ()
    seed: int | None = None
    gateway: str | None = None
    access_log: Path | None = None
    ui: str | None = None
    live: str | None = None
    workers: int = 1
    hosts: LoadHosts = field(default_factory=LoadHosts)
    program: tuple[str, ...] = ()
    engine: Engine = GATEWAY
    report: bool = True
    otel: bool = False
    command: tuple[str, ...] = ()
