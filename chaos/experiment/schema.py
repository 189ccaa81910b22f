"""Make the JSON Schema of an experiment file, for any of its documents.

With `# yaml-language-server: $schema=...` above each document of a file, editors complete and check it. The language
server takes a comment for the document that it stands in, so that one at the top of the file is for the first alone."""

from __future__ import annotations

import re
from typing import Any

from chaos.experiment.model import Experiment
from chaos.experiment.routing_test import RoutingTest
from chaos.mesh.model.message import Message, Metadata
from chaos.mesh.model.schema import model_schema
from chaos.mesh.read.kinds import GATEWAY_API, GROUP, KINDS, OURS, POLICIES, VERSIONS, model_of
from chaos.policies.model import FaultPolicy

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def experiment_schema() -> dict[str, Any]:
    """Return the schema, with a condition on `kind` for each kind of document, so that errors refer to that kind."""
    definitions: dict[str, Any] = {}
    for model in (Experiment, RoutingTest, FaultPolicy):
        own = _definition(model, definitions)
        own["required"] = sorted({"apiVersion", "kind", *own.get("required", ())})
        definitions[model.__name__] = own
    metadata = _definition(Metadata, definitions) | {"required": ["name"]}
    for kind in KINDS:
        definitions[kind] = _resource(kind, _definition(model_of(kind), definitions), metadata)
    kinds = [*OURS, *KINDS]
    return {  # without a title, which editors would show above the description of each field
        "$schema": DIALECT,
        "description": "A document of an experiment file: an Experiment, tests, or an Istio resource as kubectl "
        "applies it.",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {
            "apiVersion": {"type": "string", "description": "Group and version of the document's kind."},
            "kind": {
                "anyOf": [{"enum": kinds}, {"type": "string"}],
                "description": "What the document is. Kubernetes' own kinds, and those of others, may stand beside.",
            },
        },
        "allOf": [
            _only("^chaos/", [*OURS]),
            _only(f"^{re.escape(GROUP)}/", [*KINDS, *POLICIES]),
            *(_condition(kind) for kind in kinds),
        ],
        "$defs": definitions,
    }


def _only(version: str, kinds: list[str]) -> dict[str, Any]:
    """Return the condition that a group has these kinds and no others."""
    group = {"properties": {"apiVersion": {"type": "string", "pattern": version}}, "required": ["apiVersion"]}
    return {"if": group, "then": {"properties": {"kind": {"enum": kinds}}}}


def _condition(kind: str) -> dict[str, Any]:
    """Return what a document of a kind must be. The Gateway API has a Gateway as well, which is another one."""
    others = {"not": {"pattern": f"^{re.escape(GATEWAY_API)}/"}}
    found = {"properties": {"kind": {"const": kind}, "apiVersion": others}, "required": ["kind"]}
    return {"if": found, "then": {"$ref": f"#/$defs/{kind}"}}


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
            "apiVersion": {
                "enum": [f"{GROUP}/{version}" for version in VERSIONS],
                "description": "Group and version; all of Istio's versions mean the same.",
            },
            "kind": {"const": kind, "description": spec.get("description", kind)},
            "metadata": metadata,
            "spec": spec,
            "status": {"description": "Set by Istio; ignored."},
        },
    }
