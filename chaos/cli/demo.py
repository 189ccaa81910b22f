"""`chaos demo`: the sample applications behind a gateway, to be looked at with curl or a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chaos.cli.output import say

if TYPE_CHECKING:
    from chaos.run.processes.services import Services


def demo(
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the gateway listens.")] = "127.0.0.1:8080",
    rules: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Istio documents to apply; half of the calls fail by default.")
    ] = None,
) -> int:
    """Start the sample applications behind a gateway; Ctrl-C ends them."""
    import tempfile

    from chaos.experiment.sample import demo_experiment
    from chaos.run.plan.checked import prepare
    from chaos.run.plan.files import read_text
    from chaos.run.serve import serve_with_services

    with tempfile.TemporaryDirectory(prefix="chaos-demo-") as folder:
        files = [str(Path(folder) / "demo.yaml")]
        Path(files[0]).write_text(demo_experiment(with_rules=rules is None))
        if rules is not None:
            read_text(rules)
            files.append(str(rules))
        prepared = prepare(files).require()
        return serve_with_services(prepared, [*files, "--listen", listen], seed=0, out=_quiet, started=_explain)


def _quiet(text: str) -> None:
    if not text.startswith(("listening on", "admin on")):
        say(text)


def _explain(url: str, services: Services) -> None:
    proxy = next(key for key in services.addresses if "/proxy" in key)
    host, port = services.addresses[proxy]
    say(f"proxy, whose calls to webserver pass through the gateway:   http://{host}:{port}/")
    say(f"webserver, through the gateway:   curl -i -H 'host: webserver' {url}/")
    say(f"a quarter of these fails by itself:   curl -i -H 'host: webserverv1' {url}/failssometimes")
    say("Ctrl-C ends it.")
