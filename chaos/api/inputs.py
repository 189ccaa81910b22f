"""What the functions of the library are handed, as the rest of `chaos` takes it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from chaos.errors import InvalidInput

Name = str | os.PathLike[str]
"""A file's or a folder's name."""

Overrides = Mapping[str, object]
"""Fields of the Experiment by their path, as `chaos run --set` names them: `{"spec.load.users": 50}`."""


def settings_of(overrides: Overrides | None) -> tuple[str, ...]:
    """The overrides as `--set` takes them. Raises InvalidInput for a value that no YAML file can hold."""
    return tuple(f"{path}={_value(path, value)}" for path, value in (overrides or {}).items())


def _value(path: str, value: object) -> str:
    try:
        return json.dumps(value)  # JSON is YAML
    except (TypeError, ValueError) as error:
        raise InvalidInput.at("overrides", f"{path}: {error}") from None


def at_least(name: str, value: int | None, least: int) -> None:
    """Raises InvalidInput for an argument that is smaller than it may be."""
    if value is not None and value < least:
        raise InvalidInput.at(name, f"{value} is less than {least}")
