"""`chaos schema`: the JSON Schema of an experiment file, for editors."""

from __future__ import annotations

from chaos.cli.output import say


def schema() -> None:
    """Print the JSON Schema of an experiment file, for editors."""
    import json

    from chaos.experiment.schema import experiment_schema

    say(json.dumps(experiment_schema(), indent=2))
