"""The JSON Schema in an editor, without one: every field has words, and no file of ours is said to be wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.schema_check import misfits

from chaos.experiment.scaffold import scaffold
from chaos.experiment.schema import experiment_schema

SCHEMA = experiment_schema()
EVERY_FIELD = Path(__file__).with_name("every_field.yaml")
EXPERIMENTS = sorted((Path(__file__).parents[3] / "experiments").glob("*.yaml"))


def properties(schema: Any, at: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every property of every object in the schema: the place, the name, its own schema."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict) and "type" in schema:
            yield from ((at, name, each) for name, each in schema["properties"].items())
        for name, each in schema.items():
            yield from properties(each, f"{at}/{name}")
    elif isinstance(schema, list):
        for each in schema:
            yield from properties(each, at)


def test_every_field_has_a_description() -> None:
    found = list(properties(SCHEMA))
    assert len(found) > 400
    assert [f"{at}: {name}" for at, name, each in found if not each.get("description")] == []


@pytest.mark.parametrize("file", [*EXPERIMENTS, EVERY_FIELD], ids=lambda file: file.name)
def test_no_document_is_said_to_be_wrong(file: Path) -> None:
    for document in yaml.safe_load_all(file.read_text()):
        assert misfits(document, SCHEMA, SCHEMA) == []


def test_the_file_with_every_field_has_every_field_of_ours() -> None:
    ours = {name for at, name, _ in properties(SCHEMA["$defs"]) if at.startswith(("/Experiment", "/RoutingTest"))}
    text = EVERY_FIELD.read_text()
    assert [name for name in sorted(ours) if f"{name}:" not in text] == []


WRONG = [
    ({"kind": "Experimnt", "apiVersion": "chaos/v1alpha1"}, ".kind is 'Experimnt'"),
    ({"kind": "VirtualServce", "apiVersion": "networking.istio.io/v1"}, ".kind is 'VirtualServce'"),
    ({"kind": "Experiment", "apiVersion": "chaos/v1"}, ".apiVersion is 'chaos/v1'"),
    ({"kind": "Experiment", "apiVersion": "chaos/v1alpha1", "spec": {"lod": {}}}, "has ['lod']"),
    ({"kind": "Gateway", "apiVersion": "networking.istio.io/v1", "metadata": {"name": "a"}}, ".spec is missing"),
]


@pytest.mark.parametrize(("document", "problem"), WRONG)
def test_what_is_wrong_is_said(document: Any, problem: str) -> None:
    assert any(problem in text for text in misfits(document, SCHEMA, SCHEMA))


def test_the_file_of_init_names_the_schema_in_each_document() -> None:
    """The server takes the line for the document in which it stands."""
    documents = scaffold("shop", "web", "shop.schema.json").split("---\n")
    assert len(documents) == 2
    assert all(each.startswith("# yaml-language-server: $schema=shop.schema.json\n") for each in documents)
