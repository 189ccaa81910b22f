"""Write documents as YAML that reads back as it was: by kubectl's rules (scalars.py), not by PyYAML's.

PyYAML leaves the texts `y`, `1e3` and `0o17` bare, because they are texts to it; to kubectl, and to us, they are a
boolean and numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from chaos.mesh.source.scalars import BareWord, is_trap, resolve


class Block(str):
    """A text of several lines that is written as such, if YAML can."""


class _Dumper(yaml.SafeDumper):
    pass


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    plain = (
        resolve(value) == value and not is_trap(value) and value.isprintable()
    )  # the emitter takes U+0085 and the like for line breaks
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')


def _block(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    """The emitter writes a text of which lines end with a space, say, in quotes all the same."""
    lines = value.split("\n")
    style = "|" if len(lines) > 1 and all(each.replace("\t", " ").isprintable() for each in lines) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Block, _block)
_Dumper.add_representer(BareWord, _text)


def to_yaml(*documents: Any) -> str:
    """Return a YAML stream of these plain values, keys in their order."""
    return to_yaml_stream(documents)


def to_yaml_stream(documents: Iterable[Any]) -> str:
    """Return a YAML stream of many documents."""
    text: str = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text
