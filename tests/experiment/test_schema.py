"""The JSON Schema of an experiment file: every kind of document, closed, and whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chaos.experiment.model import Experiment, Spec
from chaos.experiment.schema import experiment_schema
from chaos.mesh.model.message import camel_case
from chaos.mesh.read.documents import KINDS, model_of

SCHEMA = experiment_schema()
DEFINITIONS = SCHEMA["$defs"]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_each_kind_has_a_condition_of_its_own() -> None:
    """So that an error speaks of the kind that was meant."""
    kinds = ["Experiment", "RoutingTest", "FaultPolicy", *KINDS]
    assert SCHEMA["properties"]["kind"]["anyOf"][0]["enum"] == kinds
    conditions = [each for each in SCHEMA["allOf"] if "kind" in each["if"]["properties"]]
    assert [(each["if"]["properties"]["kind"]["const"], each["then"]["$ref"]) for each in conditions] == [
        (kind, f"#/$defs/{kind}") for kind in kinds
    ]
    assert all(each["if"]["required"] == ["kind"] for each in conditions)


def test_every_reference_leads_to_a_definition_and_every_definition_is_used() -> None:
    found = {reference.removeprefix("#/$defs/") for reference in references(SCHEMA)}
    assert found == set(DEFINITIONS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_istio_document_is_what_kubectl_applies(kind: str) -> None:
    resource = DEFINITIONS[kind]
    assert resource["required"] == ["apiVersion", "kind", "metadata", "spec"]
    assert set(resource["properties"]) == {"apiVersion", "kind", "metadata", "spec", "status"}
    assert resource["properties"]["kind"]["const"] == kind
    assert "networking.istio.io/v1" in resource["properties"]["apiVersion"]["enum"]
    assert resource["properties"]["metadata"]["required"] == ["name"]
    fields = model_of(kind).model_fields
    spelt = {info.alias or name for name, info in fields.items()}
    assert set(resource["properties"]["spec"]["properties"]) == spelt


def test_an_experiment_needs_nothing_but_its_kind() -> None:
    own = DEFINITIONS["Experiment"]
    assert own["required"] == ["apiVersion", "kind"]
    assert set(own["properties"]) == {info.alias or name for name, info in Experiment.model_fields.items()}
    assert set(DEFINITIONS["Experiment.Spec"]["properties"]) == {camel_case(name) for name in Spec.model_fields}


def test_what_no_document_has_is_refused_everywhere_but_in_maps() -> None:
    messages = [each for each in DEFINITIONS.values() if "properties" in each]
    assert len(messages) > 50
    assert all(each["additionalProperties"] is False for each in messages)


def test_messages_of_the_same_name_in_two_kinds_are_kept_apart() -> None:
    """`Port` and the like are different messages in different documents."""
    names = [name.partition(".")[2] for name in DEFINITIONS if "." in name]
    assert len(names) > len(set(names))
