"""`chaos load-worker`: carry a part of the load of a run on another host."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from chaos.cli.output import say


def load_worker(
    address: Annotated[
        str | None,
        typer.Argument(
            metavar="[HOST:PORT]",
            help="Where the run waits for workers (its --load-bind); else LOCUST_MASTER_NODE_HOST and "
            "LOCUST_MASTER_NODE_PORT.",
            show_default=False,
        ),
    ] = None,
    processes: Annotated[
        int,
        typer.Option(
            metavar="N", min=-1, envvar="LOCUST_PROCESSES", help="Number of workers here; -1 for one for each core."
        ),
    ] = 1,
    token_file: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="File with the token of the run; compulsory beyond loopback."),
    ] = None,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Run the locustfile that the run sends, if it has one.")
    ] = False,
) -> int:
    """Join a run as a worker of its load, carry a part of it, and end with it.

    Exit codes: 0 the load ended, 2 bad usage, 5 refused or the run has gone, 130 interrupted."""
    from chaos.errors import InvalidInput
    from chaos.loopback import is_loopback
    from chaos.runner.load_worker import Joins, run_workers
    from chaos.runner.plan.load_hosts import split_address
    from chaos.runner.plan.token_file import HOW, read_token

    host, port = split_address(address or _of_locust(), "HOST:PORT")
    if processes == 0:
        raise InvalidInput.of("--processes", "has to be at least 1, or -1 for one for each core")
    token = read_token(token_file, "--token-file")
    if not is_loopback(host) and not token.text:
        raise InvalidInput.of(
            f"load-worker {host}:{port}", f"a run on another host has to show that it is the right one; {HOW}"
        )
    if token.warning:
        say(f"warning: {token.warning}", err=True)
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    say(f"waiting for a run at {shown}", err=True)
    count = processes if processes > 0 else len(os.sched_getaffinity(0))
    return run_workers(Joins(shown, token.text, count, allow_code), lambda text: say(text, err=True))


def _of_locust() -> str:
    """Return the address that Locust's variables name. Raises InvalidInput without them."""
    from chaos.errors import InvalidInput
    from chaos.protocol.load_workers import PORT

    host = os.environ.get("LOCUST_MASTER_NODE_HOST", "")
    if not host:
        raise InvalidInput.of("load-worker", f"which run? Name where it waits for workers, like 10.0.0.5:{PORT}")
    port = os.environ.get("LOCUST_MASTER_NODE_PORT", str(PORT))
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
