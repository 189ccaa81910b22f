"""`chaos export`: write the rules as configuration of a real Envoy, or a run as documents of Kubernetes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chaos.cli.export_kubernetes import kubernetes
from chaos.cli.export_rbac import rbac
from chaos.cli.output import print_document, print_problems

if TYPE_CHECKING:
    from chaos.errors import Problem
    from chaos.experiment.read import Reading

export = typer.Typer(
    help="Write rules as another proxy's configuration, or a run as documents of Kubernetes.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


export.command()(kubernetes)
export.command()(rbac)


@export.callback()
def formats() -> None:
    """Write rules as another proxy's configuration, or a run as documents of Kubernetes."""


@export.command()
def envoy(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Experiment or Istio files, together one set of rules.")
    ],
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where Envoy listens.")] = "127.0.0.1:15000",
    admin: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Envoy's admin interface.")] = None,
) -> int:
    """Print a bootstrap for a real Envoy, which `envoy -c` accepts as it is. Services that only a run starts have no
    endpoints in it; `chaos run --engine envoy` starts both."""
    from chaos.engines.envoy.export import as_text, export_envoy
    from chaos.experiment.services import fixed_addresses, proxy_of, without_address
    from chaos.runner.plan.checked import prepare

    prepared = prepare(files).require()
    lacking = without_address(prepared.reading, prepared.services)
    if lacking is not None:
        print_problems([lacking], err=True)
    if prepared.reading.experiment.spec.listeners:
        print_problems([_left_out(prepared.reading)], err=True)
    addresses = fixed_addresses(prepared.services)
    document = export_envoy(
        prepared.reading.resources,
        prepared.registry(addresses),
        proxy_of(prepared.reading),
        listen=_address(listen, "--listen"),
        admin=_address(admin, "--admin") if admin else None,
        policies=prepared.reading.policies,
    )
    print_document(as_text(document))
    return 0


def _left_out(reading: Reading) -> Problem:
    """Return that listeners are no part of the export."""
    message = "left out: a run makes their certificates and chooses their ports (chaos run --engine envoy)"
    return reading.problem(("spec", "listeners"), message, severity="info", code="listener")


def _address(text: str, option: str) -> tuple[str, int]:
    from chaos.errors import InvalidInput
    from chaos.experiment.values import read_address

    try:
        return read_address(text)
    except ValueError as error:
        raise InvalidInput.at(option, str(error)) from None
