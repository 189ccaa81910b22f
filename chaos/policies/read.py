"""Read the FaultPolicy documents of an experiment, and every problem of theirs that shows without the rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from chaos.errors import Location, Problem
from chaos.mesh.read.kinds import EXPERIMENT
from chaos.mesh.read.shape import Wording, shown, validate_model
from chaos.mesh.source.document import Document, Documents, Path, field_path
from chaos.policies.model import KIND, FaultPolicy


@dataclass(frozen=True, slots=True, eq=False)
class PolicyRead:
    """A policy and the document that it was read from."""

    document: Document
    policy: FaultPolicy

    @property
    def name(self) -> str:
        return self.policy.metadata.name

    def locate(self, path: Path = ("metadata", "name")) -> Location:
        """Return line and column of a field."""
        return self.document.locate(path)

    def problem(self, path: Path, message: str | Wording, code: str = "policy") -> Problem:
        """Return an error of a field."""
        fix = message.fix if isinstance(message, Wording) else None
        return Problem(self.locate(path), field_path(path), str(message), "error", code, fix)


def split_policies(file: Documents) -> tuple[Documents, tuple[Document, ...]]:
    """Return a file without its policies, and these; a document's kind decides, not its version."""
    own = tuple(each for each in file if isinstance(each.value, dict) and each.value.get("kind") == KIND)
    others = tuple(each for each in file if each not in own)
    return (replace(file, documents=others) if own else file), own


def read_policies(documents: Iterable[Document]) -> tuple[tuple[PolicyRead, ...], list[Problem]]:
    """Return the policies, and every problem: of their shape, of two with one name, of a scope that a fault does not
    have."""
    found: list[PolicyRead] = []
    problems: list[Problem] = []
    for document in documents:
        if document.value.get("apiVersion") != EXPERIMENT:
            message = f"{shown(document.value.get('apiVersion'))} is not known for a {KIND}; write {EXPERIMENT}"
            problems.append(Problem(document.locate(("apiVersion",)), "apiVersion", message, "error", "schema"))
            continue
        policy, wrong = validate_model(FaultPolicy, document.value, document)
        problems += wrong
        if policy is not None:
            read = PolicyRead(document, policy)
            problems += _problems(read, found)
            found.append(read)
    return tuple(found), problems


def _problems(read: PolicyRead, before: Iterable[PolicyRead]) -> Iterator[Problem]:
    spec, fault = read.policy.spec, read.policy.fault
    same = next((each for each in before if each.name == read.name), None)
    if same is not None:
        yield read.problem(("metadata", "name"), f"a second policy of this name; the first is at {same.locate()}")
    if spec.scope not in fault.scopes:
        message = f"{fault.kind} has no scope {spec.scope}: a response that has begun is not retried; leave scope out"
        yield read.problem(("spec", "scope"), message)
    for objection in fault.objections(spec.percentage, spec.scope):
        yield read.problem(("spec", *objection.path), objection.message)
