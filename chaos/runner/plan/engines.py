"""The engines that can carry out the rules of a run: the gateway of ours, or a real Envoy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from chaos.runner.processes.pace import Pace

if TYPE_CHECKING:
    from chaos.runner.istio.settings import Settings

PATIENCE = 45.0
"""Seconds that a mesh's engine may take beside waiting for a generation: an API server may be restarted meanwhile."""

UNDOING = 10.0
"""Seconds to take everything out of a mesh; then its guard does that."""

NO_SEED = "no seed fixes its draws, and no replay repeats them"


class EngineName(StrEnum):
    GATEWAY = "gateway"
    ENVOY = "envoy"
    ISTIO = "istio"


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine. `title` is what a reader is told: `Envoy 1.40.0`; empty for the gateway of ours.

    `program` is the command that starts it, with the same plan on its stdin as ours gets; empty for ours. `uncounted`
    are the kinds of claims that it counts nothing for, each with the reason. `seeded`: the same seed gives the same
    faults. `listens`: it has the listeners of `spec.listeners`.

    `mesh` says which running mesh it is, of which nothing is started here; requests then carry `headers`. Without
    `counts` nobody counts what is drawn: that is known of the responses of the load alone."""

    name: EngineName = EngineName.GATEWAY
    title: str = ""
    program: tuple[str, ...] = ()
    uncounted: Mapping[str, str] = field(default_factory=dict)
    seeded: bool = True
    listens: bool = False
    mesh: Settings | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    counts: bool = True
    pace: Pace = Pace()  # noqa: RUF009 - frozen

    @property
    def sentence(self) -> str:
        """Return what a reader has to know of it before a run; empty for the gateway of ours."""
        return "" if self.seeded else f"the rules are carried out by {self.title}: {NO_SEED}"


GATEWAY = Engine()

ANY = Engine(listens=True)
"""For what is planned, and not run: nobody has chosen an engine yet."""


def engine_of(name: EngineName, envoy: str | None = None) -> Engine:
    """Return the engine of this name; `envoy` names the program of an Envoy. Raises EnvironmentFailed if there is none
    on this machine, or only one that is too old."""
    if name is EngineName.GATEWAY:
        return GATEWAY
    from chaos.engines.envoy.binary import envoy_binary
    from chaos.runner.processes.child import python

    found = envoy_binary(envoy)
    return Engine(
        name,
        f"Envoy {found.version}",
        tuple(python("chaos.runner.envoy", str(found.path))),
        {"mirror": "Envoy does not count which rule's requests it copies"},
        seeded=False,
        listens=True,
    )


def istio_engine(settings: Settings) -> Engine:
    """Return the engine that lays faults over the rules of a running Istio."""
    from chaos.runner.processes.child import python

    return Engine(
        EngineName.ISTIO,
        f"Istio (context {settings.context}, namespace {settings.namespace or 'of the context'})",
        tuple(python("chaos.runner.istio", settings.line())),
        {
            "mirror": "a mesh does not count which rule's requests it copies",
            "failures": "a mesh does not count how often what is behind fails by itself",
        },
        seeded=False,
        mesh=settings,
        headers=settings.marks.headers(),
        counts=False,
        pace=Pace(start=settings.longest + PATIENCE, answer=settings.longest + PATIENCE, end=UNDOING),
    )


def reaching_deeper(engine: Engine, keys: Iterable[str]) -> Engine:
    """Return the engine of a running mesh whose faults of these rules, by their keys, are for calls of applications;
    other engines as they are."""
    return engine if engine.mesh is None else istio_engine(replace(engine.mesh, deeper=tuple(sorted(keys))))
