"""`chaos explain`: print which rule a request takes, why, and what happens to it then."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from chaos.cli.output import say, say_json


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


def explain(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Experiment or Istio file.")],
    request: Annotated[
        str, typer.Argument(metavar="REQUEST", help="For example 'GET http://webserver/x?y=1', or only the URL.")
    ],
    headers: Annotated[
        list[str] | None, typer.Option("-H", "--header", metavar="'NAME: VALUE'", help="A header of the request.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Override a field, for example spec.proxy.port=8080."),
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="text or json.")] = Format.TEXT,
) -> int:
    """Print which rule a request takes, why, and every outcome with its probability."""
    from chaos.api.rules import Rules
    from chaos.api.rules import explain as explain_rules
    from chaos.mesh.decision import Request
    from chaos.runner.plan.checked import prepare

    wanted = Request.parse(request, headers or ())
    found = explain_rules(Rules(prepare([file], tuple(settings or ()), thorough=False)), wanted)
    if output is Format.JSON:
        import json

        say_json(json.dumps(found.to_dict(), indent=1))
    else:
        say(str(found))
    return 0
