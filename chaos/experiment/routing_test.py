"""The documents that hold routing tests: our `kind: RoutingTest`, and istio-config-validator's `testCases`.

Tests may also stand in an Experiment (`spec.tests`). They are read beside it, and only `chaos test` runs them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from chaos.errors import Problem
from chaos.experiment.model import API_VERSION, Metadata, Model, Proxy
from chaos.experiment.model_config_validator import ValidatorFile, is_validator_file
from chaos.experiment.model_routing_case import RoutingCase
from chaos.experiment.values import NotEmpty
from chaos.mesh.read.shape import shown, validate_model
from chaos.mesh.source.document import Document, Documents

KIND = "RoutingTest"


class RoutingTestSpec(Model):
    description: str = ""
    """What the tests are about, in a sentence."""
    resources: tuple[str, ...] = ()
    """Files with the Istio documents to test, relative to this one."""
    proxy: Proxy | None = None
    """The proxy whose rules are tested; by default the Experiment's, or a sidecar in namespace default."""
    tests: Annotated[tuple[RoutingCase, ...], NotEmpty]
    """The tests."""


class RoutingTest(Model):
    """Tests of routing: which rule takes a request, and what it does. Nothing is sent."""

    api_version: Literal["chaos/v1alpha1"] = "chaos/v1alpha1"
    """Version of this format."""
    kind: Literal["RoutingTest"] = "RoutingTest"
    """A document that holds tests alone."""
    metadata: Metadata = Metadata()
    """Name, labels and annotations."""
    spec: RoutingTestSpec
    """The rules and the tests."""


@dataclass(frozen=True, slots=True, eq=False)
class TestsRead:
    """One document with tests; `content` is None if it could not be read."""

    document: Document
    content: RoutingTest | ValidatorFile | None


def is_test_document(document: Document) -> bool:
    """Return whether a document holds tests alone; its kind, not its version, decides."""
    value = document.value
    return isinstance(value, dict) and (value.get("kind") == KIND or is_validator_file(value))


def split(file: Documents) -> tuple[Documents, tuple[Document, ...]]:
    """Return a file without its test documents, and these."""
    tests = tuple(document for document in file if is_test_document(document))
    others = tuple(document for document in file if not is_test_document(document))
    return (replace(file, documents=others) if tests else file), tests


def read_tests(documents: Iterable[Document]) -> tuple[tuple[TestsRead, ...], list[Problem]]:
    """Return the test documents with their content, and every problem of their shape."""
    found: list[TestsRead] = []
    problems: list[Problem] = []
    for document in documents:
        content, wrong = _content(document)
        problems += wrong
        found.append(TestsRead(document, content))
    return tuple(found), problems


def _content(document: Document) -> tuple[RoutingTest | ValidatorFile | None, list[Problem]]:
    value: Any = document.value
    if is_validator_file(value):
        return validate_model(ValidatorFile, value, document)
    if value.get("apiVersion") != API_VERSION:
        message = f"{shown(value.get('apiVersion'))} is not known for a {KIND}; write {API_VERSION}"
        return None, [Problem(document.locate(("apiVersion",)), "apiVersion", message, "error", "schema")]
    return validate_model(RoutingTest, value, document)
