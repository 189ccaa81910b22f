"""`chaos gateway`: the gateway alone, with whatever services the file asks for."""

from __future__ import annotations

from typing import Annotated

import typer

from chaos.cli.output import say


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
    addresses: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> int:
    """Serve the rules of FILE until interrupted; prints `listening on URL` once it accepts."""
    from chaos.run.plan.checked import prepare
    from chaos.run.serve import needs_services, read_table, serve_with_services

    overrides = tuple(settings or ())
    if addresses is not None:
        return _serve(files, read_table(addresses), overrides, listen, admin, admin_token, workers, seed, tags, watch)
    prepared = prepare(files, overrides).require()
    if not needs_services(prepared):
        return _serve(files, {}, overrides, listen, admin, admin_token, workers, seed, tags, watch)
    if prepared.services.note:
        say(prepared.services.note, err=True)
    arguments = [*files, "--listen", listen, "--admin", admin, "--workers", str(workers)]
    arguments += ["--seed", str(seed)] if seed is not None else []
    arguments += ["--tags" if tags else "--no-tags", "--watch" if watch else "--no-watch"]
    arguments += [part for setting in overrides for part in ("--set", setting)]
    return serve_with_services(prepared, arguments, seed=seed or 0, out=_say)


def _say(text: str) -> None:
    say(text)


def _serve(
    files: list[str],
    addresses: dict[str, tuple[str, int]],
    overrides: tuple[str, ...],
    listen: str,
    admin: str,
    admin_token: str | None,
    workers: int,
    seed: int | None,
    tags: bool,
    watch: bool,
) -> int:
    import os

    from chaos.gateway.process.main import run_gateway
    from chaos.gateway.process.options import GatewayOptions
    from chaos.run.plan.rule_files import RuleFiles
    from chaos.run.processes.gateway import SUPERVISED

    rules = RuleFiles(tuple(files), addresses, overrides)
    return run_gateway(
        GatewayOptions(
            load=rules.load,
            parse=rules.parse,
            files=rules.watched(),
            listen=listen,
            admin=admin,
            admin_token=admin_token,
            workers=workers,
            seed=seed,
            tags=tags,
            watch=watch and os.environ.get(SUPERVISED) != "1",
            exit_with_stdin=SUPERVISED in os.environ,
        )
    )
