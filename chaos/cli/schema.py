"""`chaos schema`: print the JSON Schema of an experiment file, for editors."""

from __future__ import annotations


def schema() -> None:
    """Print the JSON Schema of an experiment file, for editors."""
    import json

    from chaos.cli.output import print_document
    from chaos.experiment.schema import experiment_schema

    print_document(json.dumps(experiment_schema(), indent=2) + "\n")
