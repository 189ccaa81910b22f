"""Make the JSON Schema of an experiment file, for any of its documents.

With `# yaml-language-server: $schema=...` in the first line of a file, editors complete and check it."""

from __future__ import annotations

from typing import Any

from chaos.experiment.model import Experiment
from chaos.experiment.routing_test import RoutingTest
from chaos.mesh.model.message import Message, Metadata
from chaos.mesh.model.schema import model_schema
from chaos.mesh.read.kinds import GROUP, KINDS, VERSIONS, model_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def experiment_schema() -> dict[str, Any]:
    """Return the schema, with a condition on `kind` for each kind of document, so that errors refer to that kind."""
    definitions: dict[str, Any] = {}
    for model in (Experiment, RoutingTest):
        own = _definition(model, definitions)
        own["required"] = sorted({"apiVersion", "kind", *own.get("required", ())})
        definitions[model.__name__] = own
    metadata = _definition(Metadata, definitions) | {"required": ["name"]}
    for kind in KINDS:
        definitions[kind] = _resource(kind, _definition(model_of(kind), definitions), metadata)
    kinds = ["Experiment", "RoutingTest", *KINDS]
    return {
        "$schema": DIALECT,
        "title": "chaos experiment",
        "description": "A document of an experiment file: an Experiment, tests, or an Istio resource as kubectl "
        "applies it.",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {"kind": {"enum": kinds}},
        "allOf": [
            {"if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]}, "then": {"$ref": f"#/$defs/{kind}"}}
            for kind in kinds
        ],
        "$defs": definitions,
    }


def _definition(model: type[Message], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the model's own schema. The schemas that it refers to are added to `definitions`, with the model's name as
    prefix so that they cannot collide."""
    prefix = model.__name__
    schema = model_schema(model, ref_template=f"#/$defs/{prefix}.{{model}}")
    for name, inner in schema.pop("$defs", {}).items():
        definitions[f"{prefix}.{name}"] = inner
    return schema


def _resource(kind: str, spec: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": spec.get("description", ""),
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": False,
        "properties": {
            "apiVersion": {"enum": [f"{GROUP}/{version}" for version in VERSIONS]},
            "kind": {"const": kind},
            "metadata": metadata,
            "spec": spec,
            "status": {},
        },
    }
