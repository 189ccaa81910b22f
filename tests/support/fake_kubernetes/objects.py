"""What the server holds: objects with versions, their changes in order, and who owns whom."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from support.fake_kubernetes.documents import Refusal

Json = dict[str, Any]
Key = tuple[str, str, str]
"""Resource (`jobs.batch`), namespace, name."""

Event = tuple[int, str, str, Json]
"""Version, resource, type, object."""


class Objects:
    """All objects of a cluster. `later` moves its clock: what time brings comes at once."""

    def __init__(self) -> None:
        self.version = 100
        self.events: list[Event] = []
        self.heard: list[Callable[[Event], None]] = []
        self._items: dict[Key, Json] = {}
        self._finished: dict[str, float] = {}  # Jobs by uid
        self._later = 0.0

    # ---------------------------------------------------------------- reading
    def get(self, key: Key) -> Json:
        found = self._items.get(key)
        if found is None:
            raise Refusal(404, f'{key[0]} "{key[2]}" not found', "NotFound")
        return copy.deepcopy(found)

    def list(self, resource: str, namespace: str | None = None, labels: str = "") -> list[Json]:
        wanted = dict(each.split("=", 1) for each in labels.split(",") if each)
        return [
            copy.deepcopy(item)
            for (of, where, _), item in sorted(self._items.items())
            if of == resource and namespace in (None, where) and wanted.items() <= _labels(item).items()
        ]

    # ---------------------------------------------------------------- writing
    def create(self, key: Key, document: Json, manager: str, *, dry: bool = False) -> Json:
        if key in self._items:
            raise Refusal(409, f'{key[0]} "{key[2]}" already exists', "AlreadyExists")
        made = copy.deepcopy(document)
        made["metadata"] |= {
            "namespace": key[1],
            "uid": str(uuid4()),
            "generation": 1,
            "creationTimestamp": self._now(),
        }
        self._sign(made, manager)
        if dry:
            return made
        if key[0] == "jobs.batch" and made["spec"].get("completions") == 0:
            self._finished[made["metadata"]["uid"]] = self._clock()
            made["status"] = {"conditions": [{"type": "Complete", "status": "True"}], "completionTime": self._now()}
        return self._store(key, made, "ADDED")

    def change(self, key: Key, wanted: Json, manager: str, *, dry: bool = False) -> Json:
        before = self._items[key]
        if wanted == before:
            return copy.deepcopy(before)
        made = copy.deepcopy(wanted)
        if made.get("spec") != before.get("spec"):
            made["metadata"]["generation"] = before["metadata"]["generation"] + 1
        self._sign(made, manager)
        return made if dry else self._store(key, made, "MODIFIED")

    def delete(self, key: Key, *, dry: bool = False) -> Json:
        found = self.get(key)
        if not dry:
            del self._items[key]
            self._tell(key[0], "DELETED", found)
        return found

    # ---------------------------------------------------------------- controllers
    def later(self, seconds: float) -> None:
        """Let time pass."""
        self._later += seconds
        self.collect()

    def collect(self) -> None:
        """Delete Jobs whose time to live is over, and then everything of which no owner is left."""
        for key, item in list(self._items.items()):
            finished = self._finished.get(item["metadata"]["uid"])
            lives = (item.get("spec") or {}).get("ttlSecondsAfterFinished")
            if finished is not None and lives is not None and self._clock() >= finished + lives:
                self.delete(key)
        there = {item["metadata"]["uid"] for item in self._items.values()}
        for key, item in list(self._items.items()):
            owners = item["metadata"].get("ownerReferences")
            if owners and not any(owner["uid"] in there for owner in owners):
                self.delete(key)

    # ---------------------------------------------------------------- inside
    def since(self, version: int) -> Iterator[Event]:
        return (event for event in self.events if event[0] > version)

    def _store(self, key: Key, made: Json, kind: str) -> Json:
        self._items[key] = made
        self._tell(key[0], kind, made)
        return copy.deepcopy(made)

    def _tell(self, resource: str, kind: str, item: Json) -> None:
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)
        event = (self.version, resource, kind, copy.deepcopy(item))
        self.events.append(event)
        for each in self.heard:
            each(event)

    def _sign(self, made: Json, manager: str) -> None:
        """Note who wrote, to the second."""
        fields = [each for each in made["metadata"].get("managedFields") or () if each["manager"] != manager]
        entry = {"manager": manager, "operation": "Update", "apiVersion": made["apiVersion"], "time": self._now()}
        made["metadata"]["managedFields"] = [*fields, {**entry, "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}}]

    def _clock(self) -> float:
        return time.monotonic() + self._later

    def _now(self) -> str:
        return datetime.fromtimestamp(time.time() + self._later, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _labels(item: Json) -> dict[str, str]:
    found: dict[str, str] = item["metadata"].get("labels") or {}
    return found
