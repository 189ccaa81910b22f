"""`chaos gateway`: serve the gateway without load, with the services of its file."""

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
            envvar="CHAOS_ADMIN_TOKEN",
            metavar="TOKEN",
            help="Bearer token for the admin API; required if it is not bound to loopback.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Give the same faults to the same request ids each time.")
    ] = None,
    tags: Annotated[
        bool, typer.Option("--tags/--no-tags", help="Report in x-chaos-* response headers what was done to a request.")
    ] = True,
    access_log: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|-",
            help="Write a line of JSON for each request, in the names of Envoy's access log as Istio has them; - is "
            "stdout. SIGUSR1 opens the file again.",
        ),
    ] = None,
    access_log_sample: Annotated[
        float,
        typer.Option(
            metavar="PERCENT",
            min=0,
            max=100,
            help="How many requests are in the log; by their ids, so that it is the same ones in every proxy's log.",
        ),
    ] = 100.0,
    otel: Annotated[
        bool,
        typer.Option(
            "--otel",
            help="Export spans and metrics by OTLP over HTTP, as OTEL_EXPORTER_OTLP_ENDPOINT and the SDK's other "
            "variables say; needs chaos-harness[otel].",
        ),
    ] = False,
    watch: Annotated[bool, typer.Option("--watch/--no-watch", help="Read the files again when they change.")] = True,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Override a field, for example spec.proxy.port=8080."),
    ] = None,
) -> int:
    """Serve the rules of FILE until interrupted; prints `listening on URL` once it accepts."""
    from chaos.errors import InvalidInput
    from chaos.experiment.further_listeners import need_envoy
    from chaos.gateway.telemetry.log_file import check
    from chaos.otel.needed import check as need_otel
    from chaos.runner.plan.checked import prepare
    from chaos.runner.plan.engines import EngineName
    from chaos.runner.plan.gateway_rules import gateway_plan
    from chaos.runner.plan.policies import require_policies
    from chaos.runner.serve import needs_services, serve_with_services

    if access_log is not None:
        check(access_log)
    if otel:
        need_otel()
    prepared = prepare(files, tuple(settings or ())).require()
    require_policies(prepared.reading, EngineName.GATEWAY, workers)
    if lacking := list(need_envoy(prepared.reading)):
        raise InvalidInput(lacking)
    plan = gateway_plan(
        prepared,
        watched=prepared.reading.texts if watch else (),
        listen=listen,
        admin=admin,
        admin_token=admin_token,
        workers=workers,
        seed=seed,
        tags=tags,
        access_log=access_log,
        access_log_sample=access_log_sample,
        otel=otel,
    )
    if not needs_services(prepared):
        from chaos.runner.gateway import serve_plan

        return serve_plan(plan)
    if prepared.services.note:
        say(prepared.services.note, err=True)
    return serve_with_services(prepared, plan, out=say, started=_announce)


def _announce(session: Session) -> None:
    """Print the addresses in the same lines as a gateway without services."""
    assert session.gateway is not None
    say(f"admin on {session.gateway.admin.url}")
    say(f"listening on {session.url}")
