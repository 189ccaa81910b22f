"""Read a resource in spite of errors: something of the right shape stands in for what is wrong, the rest is checked.

So one pass shows all problems: a mistyped timeout in the first rule does not hide a bad regex in the third, and a
destination without a host does not hide the next one. Nothing is said about what stands in (`Resource.gaps`). This is
for checking only; nothing is ever run from a salvaged resource."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from chaos.errors import Problem
from chaos.mesh.model.message import Metadata
from chaos.mesh.model.resources import Gaps, Resource, Resources
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
from chaos.mesh.read.shape import Misfit, misfits
from chaos.mesh.source.document import Document, Path

_ROUNDS, _FINE_ROUNDS = 12, 8
"""What stands in for a message may lack fields itself, and so on inwards. The last rounds give up whole fields."""

_OUTSIDE = ("apiVersion", "kind", "metadata", "spec", "status")

_STAND_INS: dict[str, Any] = {
    "string_type": "",
    "int_type": 0,
    "float_type": 0.0,
    "bool_type": False,
    "tuple_type": [],
    "list_type": [],
    "value_error": "1s",  # a duration, the one required field with a format of its own
}


@dataclass(slots=True)
class Salvaged:
    """The resources and every problem of shape."""

    resources: Resources = field(default_factory=Resources)
    problems: list[Problem] = field(default_factory=list)


def salvage(documents: Iterable[Document]) -> Salvaged:
    """Read all resources of the documents, those with errors too."""
    salvaged = Salvaged()
    resources: list[Resource[Any]] = []
    for item in items(documents, salvaged.problems):
        resource, found = read_resource(item)
        salvaged.problems += found
        resource = resource or _rest(item)
        if resource is not None:
            resources.append(resource)
    salvaged.problems += duplicates([each for each in resources if each.name])
    salvaged.resources = Resources.of(resources)
    return salvaged


def _rest(item: Item) -> Resource[Any] | None:
    """Return the resource with stand-ins, or None if none fits."""
    metadata, bad = read_metadata(item)
    mended = _Mended(_copy(spec_of(item)))
    gaps: set[Path] = {("spec", key) for key in item.value if key not in _OUTSIDE}
    if bad:
        gaps.add(("metadata",))
    model = model_of(item.kind)
    for number in range(_ROUNDS):
        found = misfits(model, mended.value)
        if not found:
            spec = model.model_validate(mended.value, by_alias=True, by_name=False)
            return replace(resource_at(item, metadata or Metadata(), spec), gaps=Gaps(gaps))
        for misfit in found:
            path = misfit.path if number < _FINE_ROUNDS else misfit.path[:1]
            gaps.add(("spec", *path))
            if misfit.kind == "extra_forbidden" and misfit.meant not in ("", *(_inside(mended.value, path[:-1]) or ())):
                gaps.add(("spec", *path[:-1], misfit.meant))
            mended.mend(path, misfit)
    return None


def _copy(value: Any) -> Any:
    """Return a copy in which nothing stands at two places, as what an alias expands to does."""
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


@dataclass(slots=True)
class _Mended:
    """A spec in the making, and the places at which something stands in."""

    value: Any
    placed: set[Path] = field(default_factory=set)

    def mend(self, path: Path, misfit: Misfit) -> None:
        """Put something else at a place that does not fit: an entry of a list stays one, so that the others keep their
        index; a field that may be absent is removed."""
        if not path:
            self.value = {}
            return
        holder, step = _inside(self.value, path[:-1]), path[-1]
        if isinstance(holder, list) and isinstance(step, int) and step < len(holder):
            holder[step] = misfit.meant or _STAND_INS.get(misfit.kind, {})
        elif isinstance(holder, dict):
            self._mend_field(holder, step, path, misfit)

    def _mend_field(self, holder: dict[str | int, Any], step: str | int, path: Path, misfit: Misfit) -> None:
        wrong = holder.get(step)
        if misfit.kind == "extra_forbidden":
            holder.pop(step, None)
        elif misfit.meant:
            holder[step] = misfit.meant
        elif misfit.kind == "missing":
            holder[step] = {}
            self.placed.add(path)
        elif path in self.placed:
            holder[step] = _STAND_INS.get(misfit.kind, {})
        elif misfit.kind in ("tuple_type", "list_type") and wrong is not None:
            holder[step] = [wrong]
            self.placed.add(path)
        else:
            holder.pop(step, None)


def _inside(value: Any, path: Path) -> Any:
    """Return the value at `path`, None where the path leads nowhere."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value
