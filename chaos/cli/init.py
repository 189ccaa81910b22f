"""`chaos init`: write an experiment file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chaos.cli.output import say


def init(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="The experiment file to write.")] = Path(
        "experiment.yaml"
    ),
    host: Annotated[str, typer.Option(metavar="HOST", help="The host that the rules are about.")] = "webserver",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> int:
    """Write an experiment file to start from, and its JSON Schema for editors."""
    import json

    from chaos.errors import InvalidInput
    from chaos.experiment.scaffold import scaffold
    from chaos.experiment.schema import experiment_schema

    schema = file.with_name("experiment.schema.json")
    if file.exists() and not force:
        raise InvalidInput.at(str(file), "exists already; --force replaces it")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(scaffold(file.stem, host, schema.name))
        schema.write_text(json.dumps(experiment_schema(), indent=1) + "\n")
    except OSError as error:
        raise InvalidInput.at(str(file), f"cannot be written: {error.strerror}") from None
    say(f"{file}: half of the calls to {host} fail with 503; run it with: chaos run {file}")
    return 0
