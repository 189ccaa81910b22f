"""`chaos gateway`: the gateway alone, with whatever services the file asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chaos.cli.output import say

if TYPE_CHECKING:
    from chaos.runner.processes.session import Session


def gateway(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Experiment or Istio files, together one set of rules.")
    ],
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where requests arrive.")] = "127.0.0.1:8080",
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="Processes that share the port.")] = 1,
    admin: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the admin API listens.")] = "127.0.0.1:0",
    admin_token: Annotated[
        str | None,
        typer.Option(
            envvar="CHAOS_ADMIN_TOKEN", metavar="TOKEN", help="Asked of admin requests; needed beyond loopback."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Repeats the same faults for the same request ids.")
    ] = None,
    tags: Annotated[
        bool, typer.Option("--tags/--no-tags", help="Say in x-chaos-* response headers what was done.")
    ] = True,
    watch: Annotated[bool, typer.Option("--watch/--no-watch", help="Read the files again when they change.")] = True,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Override a field, as spec.proxy.port=8080.")
    ] = None,
) -> int:
    """Serve the rules of FILE until interrupted; prints `listening on URL` once it accepts."""
    from chaos.runner.plan.checked import prepare
    from chaos.runner.plan.gateway_rules import gateway_plan
    from chaos.runner.serve import needs_services, serve_with_services

    prepared = prepare(files, tuple(settings or ())).require()
    plan = gateway_plan(
        prepared,
        watch=watch,
        listen=listen,
        admin=admin,
        admin_token=admin_token,
        workers=workers,
        seed=seed,
        tags=tags,
    )
    if not needs_services(prepared):
        from chaos.runner.gateway import serve_plan

        return serve_plan(plan)
    if prepared.services.note:
        say(prepared.services.note, err=True)
    return serve_with_services(prepared, plan, out=say, started=_tell)


def _tell(session: Session) -> None:
    """As a gateway without services says it."""
    assert session.gateway is not None
    say(f"admin on {session.gateway.admin.url}")
    say(f"listening on {session.url}")
