"""Find where each scalar of a YAML stream stands in its text, to replace some without touching the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from chaos.mesh.source.document import Path, marked

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Span:
    """A scalar: the path to it, where it begins and ends in the text, its value, and in which of the stream's documents
    it stands."""

    path: Path
    begin: int
    end: int
    value: str
    document: int = 0


def spans(text: str) -> Iterator[Span]:
    """Yield the scalars of all documents in their order; those of an alias where its anchor is. Nothing for a text
    that is no YAML."""
    for each in (text, marked(text)):
        try:
            nodes = list(yaml.compose_all(each, Loader=_Loader))
        except yaml.YAMLError:
            continue
        for document, node in enumerate(nodes):
            yield from _inside(node, (), document)
        return


def _inside(node: Any, path: Path, document: int) -> Iterator[Span]:
    if isinstance(node, yaml.ScalarNode):
        yield Span(path, node.start_mark.index, node.end_mark.index, str(node.value), document)
    elif isinstance(node, yaml.SequenceNode):
        for index, each in enumerate(node.value):
            yield from _inside(each, (*path, index), document)
    elif isinstance(node, yaml.MappingNode):
        for key, each in node.value:
            name = str(getattr(key, "value", ""))
            yield from _inside(each, path if name == "<<" else (*path, name), document)
