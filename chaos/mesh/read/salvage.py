"""Read what can be read: a resource with a few fields of the wrong shape is judged without those fields.

So that one look shows all problems: a mistyped timeout in the first rule does not hide a bad regex in the third. For
checking only; nothing is ever run from a salvaged resource.
"""

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
    model_of,
    read_metadata,
    read_resource,
    resource_at,
    spec_of,
)
from chaos.mesh.read.shape import broken_paths
from chaos.mesh.source.document import Document, Path, field_path

_ROUNDS = 4  # taking out one field can bring up another problem, as a list that is now too short


@dataclass(slots=True)
class Salvaged:
    """The resources, every problem of shape, and the places whose content is not all there."""

    resources: Resources = field(default_factory=Resources)
    problems: list[Problem] = field(default_factory=list)
    incomplete: set[tuple[Location, str]] = field(default_factory=set)

    def apart(self, problems: Iterable[Problem]) -> list[Problem]:
        """Without problems about places from which a field was taken: they may follow from that alone."""
        return [problem for problem in problems if (problem.location, problem.path) not in self.incomplete]


def salvage(documents: Iterable[Document]) -> Salvaged:
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
    """What to leave out: the field, or the whole list when it is an entry, so that no other entry changes its place."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    return path


def _without(value: Any, path: Path) -> Any:
    """A copy without the field; a path that leads nowhere changes nothing."""
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
