"""Apply `--set spec.load.users=50` to the Experiment document before it is validated."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

from chaos.errors import InvalidInput
from chaos.experiment.model import API_VERSION, KIND
from chaos.mesh.source.document import Document, Path, Place, read_documents

SOURCE = "--set"
_STEP = re.compile(r'\.?(?:(?P<name>[^.\[\]"]+)|\[(?P<index>\d+)\]|\["(?P<quoted>[^"]+)"\])')


def parse_override(text: str) -> tuple[Path, Any]:
    """Return (path, value) of `spec.load.tasks[0].weight=3`; the value is YAML. Raises InvalidInput."""
    left, equals, right = text.partition("=")
    if not equals or not left.startswith(("spec.", "metadata.")):
        raise InvalidInput.at(SOURCE, f"{text!r} is not a setting; write it like spec.load.users=50")
    return _path(left), _value(right)


def _path(text: str) -> Path:
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise InvalidInput.at(SOURCE, f"{text!r} is not a field path; write it like spec.load.tasks[0].weight")
        steps.append(int(match["index"]) if match["index"] else match["name"] or match["quoted"])
        at = match.end()
    return tuple(steps)


def _value(text: str) -> Any:
    if text.strip() in ("", "null", "~"):
        return None
    read = read_documents(text, SOURCE)
    if read.problems:
        raise InvalidInput(read.problems)
    return read.documents[0].value


def apply_overrides(document: Document | None, overrides: Iterable[tuple[Path, Any]]) -> Document | None:
    """Return the Experiment document with the overrides applied; an empty one is made if the file has none."""
    overrides = list(overrides)
    if not overrides:
        return document
    if document is None:
        document = Document(SOURCE, 0, {"apiVersion": API_VERSION, "kind": KIND}, Place((1, 1), (1, 1)))
    value = copy.deepcopy(document.value)
    for path, wanted in overrides:
        _put(value, path, wanted)
    return replace(document, value=value)


def _put(value: Any, path: Path, wanted: Any) -> None:
    """Set one field, and make missing mappings on its path. Raises InvalidInput if the path leads through a value."""
    for step, following in pairwise(path):
        if isinstance(step, int):
            _check(value, step, path)
            value = value[step]
        elif isinstance(value, dict):
            if not isinstance(value.get(step), dict | list):
                value[step] = [] if isinstance(following, int) else {}
            value = value[step]
        else:
            raise _blocked(path, step)
    last = path[-1]
    if isinstance(last, int):
        _check(value, last, path)
        value[last] = wanted
    elif isinstance(value, dict):
        value[last] = wanted
    else:
        raise _blocked(path, last)


def _check(value: Any, index: int, path: Path) -> None:
    if not isinstance(value, list) or not index < len(value):
        raise _blocked(path, index)


def _blocked(path: Path, step: str | int) -> InvalidInput:
    return InvalidInput.at(SOURCE, f"there is no {step!r} to set in {'.'.join(str(each) for each in path)}")
