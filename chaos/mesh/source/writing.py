"""Write documents as YAML that reads back as it was: by kubectl's rules (scalars.py), not by PyYAML's.

PyYAML leaves the texts `y`, `1e3` and `0o17` bare, because they are texts to it; to kubectl, and to us, they are a
boolean and numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from chaos.mesh.source.scalars import BareWord, is_trap, resolve


class _Dumper(yaml.SafeDumper):
    pass


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    plain = (
        resolve(value) == value and not is_trap(value) and value.isprintable()
    )  # the emitter takes U+0085 and the like for line breaks
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')


_Dumper.add_representer(str, _text)
_Dumper.add_representer(BareWord, _text)


def to_yaml(*documents: Any) -> str:
    """Return a YAML stream of these plain values, keys in their order."""
    return to_yaml_stream(documents)


def to_yaml_stream(documents: Iterable[Any]) -> str:
    """Return a YAML stream of many documents."""
    text: str = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text
