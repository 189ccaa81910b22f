"""The options that choose an engine, for `chaos run` and `chaos plan`."""

from __future__ import annotations

import secrets
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from chaos.errors import InvalidInput
from chaos.runner.plan.engines import Engine, EngineName

if TYPE_CHECKING:
    from chaos.runner.istio.settings import Settings


EnvoyProgram = Annotated[
    str | None,
    typer.Option("--envoy", metavar="PATH", help="The program of --engine envoy; else ENVOY, or the one found."),
]
Context = Annotated[
    str | None, typer.Option(metavar="NAME", help="The context of --engine istio, as the kubeconfig calls it.")
]
Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", metavar="NAME", help="The namespace of --engine istio; else the context's."),
]
Patch = Annotated[
    bool,
    typer.Option(
        "--patch", help="Where EnvoyFilters are not allowed: copy routes of VirtualServices, with --engine istio."
    ),
]


class Scope(StrEnum):
    RUN = "run"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class MeshOptions:
    """The options of `--engine istio`. `gateway` is the URL of the entry to the mesh."""

    context: str | None = None
    namespace: str | None = None
    gateway: str | None = None
    scope: Scope = Scope.RUN
    yes: bool = False
    patch: bool = False
    prometheus: str | None = None


def chosen_engine(name: EngineName, envoy: str | None, mesh: MeshOptions) -> Engine:
    """Return the engine of the command line. Raises InvalidInput for options that do not belong together, and
    EnvironmentFailed if it is not on this machine."""
    from chaos.runner.plan.engines import engine_of, istio_engine

    if name is EngineName.ISTIO:
        return istio_engine(_settings(mesh))
    for option, given in (
        ("--context", mesh.context is not None),
        ("--namespace", mesh.namespace is not None),
        ("--scope", mesh.scope is not Scope.RUN),
        ("--patch", mesh.patch),
        ("--prometheus", mesh.prometheus is not None),
    ):
        if given:
            raise InvalidInput.of(option, "belongs to --engine istio")
    if mesh.gateway is not None and name is not EngineName.GATEWAY:
        raise InvalidInput.of("--engine", "a gateway that already runs (--gateway) is the engine; leave one out")
    return engine_of(name, envoy)


def _settings(mesh: MeshOptions) -> Settings:
    from chaos.runner.istio.settings import Settings

    if mesh.context is None:
        text = "is missing: --engine istio never takes the current context by itself; name the one that you mean"
        raise InvalidInput.of("--context", text)
    if mesh.gateway is None:
        text = "is missing: the URL of an ingress, or of a sidecar's proxy port, by which requests come into the mesh"
        raise InvalidInput.of("--gateway", text)
    if mesh.prometheus is not None and not mesh.prometheus.startswith(("http://", "https://")):
        raise InvalidInput.of("--prometheus", f"{mesh.prometheus!r} is not a URL; write it like http://127.0.0.1:9090")
    if mesh.scope is Scope.ALL and mesh.patch:
        raise InvalidInput.of("--patch", "is for the run's own requests alone; leave out --scope all")
    if mesh.scope is Scope.ALL and not mesh.yes:
        _confirm(mesh)
    return Settings(
        context=mesh.context,
        namespace=mesh.namespace or "",
        url=mesh.gateway,
        run=secrets.token_hex(16),
        everybody=mesh.scope is Scope.ALL,
        patch=mesh.patch,
        prometheus=mesh.prometheus or "",
    )


def _confirm(mesh: MeshOptions) -> None:
    """Ask for the namespace once more before everybody's requests meet faults. Raises InvalidInput unless it is
    given."""
    if not sys.stdin.isatty():
        raise InvalidInput.of("--scope all", "everybody's requests would meet the faults; say --yes if that is meant")
    wanted = mesh.namespace or "default"
    typed = typer.prompt(f"Everybody's requests in context {mesh.context} will meet the faults. Type the namespace")
    if typed != wanted:
        raise InvalidInput.of("--scope all", f"{typed!r} is not the namespace {wanted!r}; nothing was changed")
