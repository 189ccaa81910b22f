"""What documents mean to an API server: merge patches, JSON Patch, and which fields it knows."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]


class Refusal(Exception):  # noqa: N818 - an answer
    """An answer that is a Status, with its HTTP status, message and reason."""

    def __init__(self, code: int, message: str, reason: str = ""):
        self.code, self.message, self.reason = code, message, reason
        super().__init__(message)

    def document(self) -> Json:
        about = {"reason": self.reason} if self.reason else {}
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        return {**status, "message": self.message, **about, "code": self.code}


def merged(value: Any, change: Any) -> Any:
    """A value after a merge patch (RFC 7386)."""
    if not isinstance(change, Mapping):
        return copy.deepcopy(change)
    made = dict(value) if isinstance(value, Mapping) else {}
    for name, new in change.items():
        if new is None:
            made.pop(name, None)
        else:
            made[name] = merged(made.get(name), new)
    return made


def patched(value: Json, operations: list[Json]) -> Json:
    """A value after JSON Patch (RFC 6902): add, remove, replace, test. Raises Refusal, which does not say why."""
    made = copy.deepcopy(value)
    try:
        for operation in operations:
            *steps, last = [step.replace("~1", "/").replace("~0", "~") for step in operation["path"].split("/")[1:]]
            where: Any = made
            for step in steps:
                where = where[int(step) if isinstance(where, list) else step]
            _apply(operation, where, last)
    except (LookupError, ValueError, TypeError, AssertionError):
        raise Refusal(422, "the server rejected our request due to an error in our request", "Invalid") from None
    return made


def _apply(operation: Json, where: Any, last: str) -> None:
    index: Any = last
    if isinstance(where, list):
        index = len(where) if last == "-" else int(last)
        assert 0 <= index <= len(where)
    match operation["op"]:
        case "test":
            assert where[index] == operation["value"]
        case "remove":
            del where[index]
        case "replace":
            where[index] = operation["value"]
        case "add" if isinstance(where, list):
            where.insert(index, operation["value"])
        case "add":
            where[index] = operation["value"]
        case _:
            raise ValueError(operation["op"])


# ------------------------------------------------------------------------------------------- known fields

ANY: Json = {}
"""Whatever there is."""


def _names(text: str, **deeper: Any) -> Json:
    return {**dict.fromkeys(text.split(), ANY), **deeper}


_METADATA = _names(
    "name namespace labels annotations ownerReferences resourceVersion uid generation creationTimestamp managedFields"
)
_VHOST = _names("name domainName", route=_names("name action"))
_ROUTES = _names("portNumber portName gateway name", vhost=_VHOST)
_PATCH = _names("operation filterClass value")
_CONFIG_PATCH = _names("applyTo", match=_names("context proxy", routeConfiguration=_ROUTES), patch=_PATCH)
_FAULT = _names("", abort=_names("percentage httpStatus grpcStatus"), delay=_names("percentage percent fixedDelay"))
_HTTP = _names(
    "name match route redirect directResponse delegate rewrite timeout retries mirror mirrors corsPolicy headers",
    fault=_FAULT,
)
_POD = _names("restartPolicy automountServiceAccountToken", containers=_names("name image command args resources"))
_JOB = _names(
    "completions parallelism backoffLimit ttlSecondsAfterFinished completionMode suspend activeDeadlineSeconds",
    template=_names("", metadata=_METADATA, spec=_POD),
)
_SPECS = {
    "VirtualService": _names("hosts gateways tls tcp exportTo", http=_HTTP),
    "EnvoyFilter": _names("workloadSelector targetRefs priority", configPatches=_CONFIG_PATCH),
    "Job": _JOB,
}


def unknown_fields(document: Json) -> list[str]:
    """The paths of fields that the kind of a document does not have."""
    known = _names("apiVersion kind status", metadata=_METADATA, spec=_SPECS.get(document.get("kind", ""), ANY))
    return sorted(_unknown("", document, known))


def _unknown(path: str, value: Any, known: Json) -> Iterator[str]:
    if not known:
        return
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _unknown(f"{path}[{index}]", each, known)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            where = f"{path}.{name}" if path else name
            if name in known:
                yield from _unknown(where, each, known[name])
            else:
                yield where
