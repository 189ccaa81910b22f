"""`chaos demo`: start the sample applications behind a gateway, to try with curl or a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chaos.cli.output import say

if TYPE_CHECKING:
    from chaos.runner.processes.session import Session

NAME = "(demo)"  # the name of the demo's own file in problems; it is in no folder


def demo(
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the gateway listens.")] = "127.0.0.1:8080",
    rules: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Istio documents to apply; by default, half of the calls fail.")
    ] = None,
) -> int:
    """Start the sample applications behind a gateway; Ctrl-C ends them."""
    from chaos.experiment.sample import demo_experiment
    from chaos.runner.plan.checked import prepare
    from chaos.runner.plan.files import read_text
    from chaos.runner.plan.gateway_rules import gateway_plan
    from chaos.runner.serve import serve_with_services

    own = demo_experiment(with_rules=rules is None)
    given = [str(rules)] if rules is not None else []
    prepared = prepare([NAME, *given], read=lambda name: own if name == NAME else read_text(name)).require()
    plan = gateway_plan(prepared, listen=listen, seed=0, watched=given)
    return serve_with_services(prepared, plan, out=say, started=_explain)


def _explain(session: Session) -> None:
    services = session.services
    proxy = next(key for key in services.addresses if "/proxy" in key)
    host, port = services.addresses[proxy]
    say(f"proxy, whose calls to webserver pass through the gateway:   http://{host}:{port}/")
    say(f"webserver, through the gateway:   curl -i -H 'host: webserver' {session.url}/")
    say(f"a quarter of these fails by itself:   curl -i -H 'host: webserverv1' {session.url}/failssometimes")
    say("Ctrl-C ends it.")
