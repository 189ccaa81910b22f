"""Plan a run that happens inside a cluster: the files that go there, and what of the experiment cannot happen there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from chaos.errors import Location, Problem
from chaos.experiment.read import Reading
from chaos.kubernetes import problems
from chaos.kubernetes.files import Shipment, shipment, size_problems
from chaos.loopback import is_loopback
from chaos.runner.plan.files import beside, read_text
from chaos.runner.plan.options import RunOptions
from chaos.runner.plan.planner import plan_run
from chaos.runner.plan.run_plan import RunPlan


@dataclass(frozen=True, slots=True)
class InCluster:
    """A run that is to happen in a cluster. `problems` are errors and warnings."""

    plan: RunPlan
    files: Shipment
    problems: tuple[Problem, ...]

    @property
    def workers(self) -> int:
        """How many processes of `chaos load-worker` carry the load; 0 if the run does it itself."""
        return self.plan.load.processes if self.plan.joining is not None else 0

    @property
    def code(self) -> bool:
        """Whether workers run code of the experiment: its locustfile."""
        return bool(self.plan.load.locustfile)


def plan_in_cluster(
    file: str, options: RunOptions, *, environment_secret: str = "", files_in_secret: bool = False
) -> InCluster:
    """Plan the run as it would be planned here, and look for what a pod does not have.

    Raises InvalidInput for what would be refused here, too."""
    texts: dict[str, str] = {}

    def read(name: str) -> str:
        return texts.setdefault(name, read_text(name))

    plan = plan_run(file, options, read)
    reading = plan.prepared.reading
    others = [name for _, name in problems.named_files(reading)]
    for name in others:
        read(beside(reading.file, name))
    files = shipment(os.path.abspath(file), {os.path.abspath(name): text for name, text in texts.items()})
    found = [
        *_gateway(options.gateway),
        *problems.file_names(reading),
        *problems.addresses(reading, plan.prepared.services, plan.tasks, gateway=options.gateway is not None),
        *problems.programs(reading),
        *problems.variables(reading, environment_secret),
        *([] if files_in_secret else problems.credentials(_yaml(reading, texts))),
        *_imports(plan, texts),
        *size_problems(files, file),
    ]
    return InCluster(plan, files, tuple(found))


def _yaml(reading: Reading, texts: dict[str, str]) -> dict[str, str]:
    """Return the texts that are YAML: those that were read as such, and the rules of phases."""
    rules = [beside(reading.file, name) for phase in reading.experiment.spec.phases for name in phase.rules]
    return {name: text for name, text in texts.items() if name in reading.texts or name in rules}


def _gateway(url: str | None) -> Iterator[Problem]:
    host = urlsplit(url).hostname if url is not None else None
    if host is not None and is_loopback(host):
        message = f"{host} {problems.HERE}; name the gateway's service, like http://gateway.istio-ingress"
        yield Problem(Location("--gateway", 0), "", message, code="in-cluster")


def _imports(plan: RunPlan, texts: dict[str, str]) -> Iterator[Problem]:
    """Yield what the locustfile imports from its own folder."""
    file = plan.load.locustfile
    if file is not None and file in texts:
        names = [each.name for each in Path(file).parent.iterdir()]
        yield from problems.imports(file, texts[file], names)
