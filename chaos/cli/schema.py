"""`chaos schema`: the JSON Schema of an experiment file, for editors."""

from __future__ import annotations

import typer


def schema() -> None:
    """Print the JSON Schema of an experiment file, for editors."""
    import json

    from chaos.experiment.schema import experiment_schema

    typer.echo(json.dumps(experiment_schema(), indent=2))
