"""The files of an experiment as they stand in a pod: below one folder, each where the others look for it.

The keys of a ConfigMap hold no slash, so each file has a key of its own, and the volume says its path."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chaos.errors import Location, Problem
from chaos.formatting import plain_count

MOST = 1_000_000
"""Bytes of all files. A ConfigMap holds 1 MiB (ValidateConfigMap in k8s.io/kubernetes/pkg/apis/core/validation)."""
MOST_FOR_CLIENT = 200_000
"""Bytes from which `kubectl apply` cannot keep its copy in an annotation, of which all hold 256 KiB."""

_NOT_IN_KEY = re.compile(r"[^-._a-zA-Z0-9]+")


@dataclass(frozen=True, slots=True)
class Shipped:
    """One file: its key in the ConfigMap, its path below the folder of all, its text."""

    key: str
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Shipment:
    """All files, the experiment's own first."""

    files: tuple[Shipped, ...]

    @property
    def experiment(self) -> str:
        """The experiment's path below the folder of all."""
        return self.files[0].path

    @property
    def size(self) -> int:
        return sum(len(each.text.encode()) for each in self.files)

    @property
    def data(self) -> dict[str, str]:
        """The texts by key."""
        return {each.key: each.text for each in self.files}

    @property
    def items(self) -> list[dict[str, str]]:
        """Where a volume has each key."""
        return [{"key": each.key, "path": each.path} for each in self.files]


def shipment(experiment: str, texts: Mapping[str, str]) -> Shipment:
    """Return the files by their absolute paths, `experiment` among them, as they stand below the folder that holds all
    of them."""
    paths = [experiment, *sorted(set(texts) - {experiment})]
    root = posixpath.commonpath([posixpath.dirname(path) for path in paths])
    relative = [posixpath.relpath(path, root) for path in paths]
    keys = _keys(relative)
    return Shipment(
        tuple(Shipped(key, path, texts[full]) for key, path, full in zip(keys, relative, paths, strict=True))
    )


def _keys(paths: Sequence[str]) -> list[str]:
    """Return a key for each path, no two alike."""
    found: list[str] = []
    for path in paths:
        key = _NOT_IN_KEY.sub("_", path.replace("/", "__"))[:240].lstrip(".") or "file"
        found.append(key if key not in found else f"{len(found)}-{key}")
    return found


def size_problems(files: Shipment, shown: str) -> list[Problem]:
    """Return what there is to say of the files' size; `shown` names the experiment's file."""
    if files.size <= MOST_FOR_CLIENT:
        return []
    largest = max(files.files, key=lambda each: len(each.text.encode()))
    size = f"the files have {plain_count(files.size)} bytes, {largest.path} most of them"
    if files.size > MOST:
        message = f"{size}; a ConfigMap holds {plain_count(MOST)}: make them smaller, or build them into the image"
        return [Problem(Location(shown), "", message, code="too-large")]
    message = f"{size}; `kubectl apply` alone cannot keep so many: add --server-side"
    return [Problem(Location(shown), "", message, "warning", "too-large")]
