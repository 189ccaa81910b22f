"""Read a resource in spite of errors: fields of the wrong shape are removed and the rest is checked.

So one pass shows all problems: a mistyped timeout in the first rule does not hide a bad regex in the third. This is for
checking only; nothing is ever run from a salvaged resource."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from chaos.errors import Location, Problem
from chaos.mesh.model.message import Message
from chaos.mesh.model.resources import Resource, Resources
from chaos.mesh.read.documents import (
    Item,
    duplicates,
    items,
    read_metadata,
    read_resource,
    resource_at,
    spec_of,
)
from chaos.mesh.read.kinds import model_of
from chaos.mesh.read.shape import broken_paths
from chaos.mesh.source.document import Document, Path, field_path

_ROUNDS = 4  # removing one field can cause another problem, for example a list that is now too short


@dataclass(slots=True)
class Salvaged:
    """The resources, every problem of shape, and the places from which a field was removed."""

    resources: Resources = field(default_factory=Resources)
    problems: list[Problem] = field(default_factory=list)
    incomplete: set[tuple[Location, str]] = field(default_factory=set)

    def apart(self, problems: Iterable[Problem]) -> list[Problem]:
        """Return the problems without those at places from which a field was removed, which may be the only reason for
        them."""
        return [problem for problem in problems if (problem.location, problem.path) not in self.incomplete]


def salvage(documents: Iterable[Document]) -> Salvaged:
    """Read all resources of the documents; those with errors lose the fields that are at fault."""
    salvaged = Salvaged()
    resources: list[Resource[Any]] = []
    for item in items(documents, salvaged.problems):
        resource, found = read_resource(item)
        salvaged.problems += found
        resource = resource or _rest(item, salvaged)
        if resource is not None:
            resources.append(resource)
    salvaged.problems += duplicates(resources)
    salvaged.resources = Resources.of(resources)
    return salvaged


def _rest(item: Item, salvaged: Salvaged) -> Resource[Any] | None:
    metadata, _ = read_metadata(item)
    if metadata is None:
        return None
    model, value = model_of(item.kind), spec_of(item)
    for _ in range(_ROUNDS):
        broken = broken_paths(model, value)
        if not broken:
            return resource_at(item, metadata, _whole(model, value))
        for path in broken:
            _note(item, ("spec", *path), salvaged)
            cut = _cut(path)
            if not cut:
                return None
            value = _without(value, cut)
    return None


def _whole(model: type[Message], value: Any) -> Message:
    return model.model_validate(value, by_alias=True, by_name=False)


def _note(item: Item, path: Path, salvaged: Salvaged) -> None:
    for length in range(1, len(path) + 1):
        full = (*item.prefix, *path[:length])
        salvaged.incomplete.add((item.document.locate(full), field_path(full)))


def _cut(path: Path) -> Path:
    """Return the path to remove: the field, or the whole list for one of its entries, so that no other entry changes
    its index."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    return path


def _without(value: Any, path: Path) -> Any:
    """Return a copy of the value without the field at `path`; unchanged when the path leads nowhere."""
    step, *rest = path
    try:
        inside = value[step]
    except (KeyError, IndexError, TypeError):
        return value
    if isinstance(value, list):
        return [_without(inside, tuple(rest)) if index == step else item for index, item in enumerate(value)]
    if not rest:
        return {key: item for key, item in value.items() if key != step}
    return {**value, step: _without(inside, tuple(rest))}
