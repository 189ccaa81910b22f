"""Turn documents into Resources: kind, name, namespace, and a spec that has the shape of its model.

Every problem is located and returned in a list; a resource that has one is left out. `kind: Experiment` documents are
skipped: they belong to `chaos.experiment`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chaos.errors import Location, Problem, Severity
from chaos.mesh.model.kubernetes_service import KubernetesService
from chaos.mesh.model.message import KubernetesMetadata, Message, Metadata
from chaos.mesh.model.resources import Resource, Resources
from chaos.mesh.read.kinds import (
    EXPERIMENT,
    GATEWAY_API,
    GATEWAY_API_ROUTES,
    GROUP,
    KINDS,
    OURS,
    POLICIES,
    VERSIONS,
    is_kubernetes,
    model_of,
    skipped_policy,
    summary,
    unknown_kind,
)
from chaos.mesh.read.shape import Wording, one_of, shown, suggestion, validate_model
from chaos.mesh.source.document import Document, Path, field_path, one_line
from chaos.mesh.source.templates import RENDER_FIRST, is_template

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Item:
    """One Kubernetes object: a document, or an item of a List."""

    document: Document
    prefix: Path
    value: dict[str, Any]

    @property
    def kind(self) -> Any:
        return self.value.get("kind")

    @property
    def api_version(self) -> Any:
        return self.value.get("apiVersion")

    def problem(self, path: Path, message: str | Wording, severity: Any = "error", code: str = "schema") -> Problem:
        """Return a problem at `path` inside this object."""
        full = (*self.prefix, *path)
        return _problem(self.document.locate(full), full, message, severity, code)


def _problem(
    location: Location, path: Path, message: str | Wording, severity: Severity = "error", code: str = "schema"
) -> Problem:
    fix = message.fix if isinstance(message, Wording) else None
    return Problem(location, field_path(path), one_line(str(message)), severity, code, fix)


def read_resources(documents: Iterable[Document]) -> tuple[Resources, list[Problem]]:
    """Return all Istio resources of the documents, of one file or several, and every problem of their shape.

    Problems of severity info name Kubernetes objects that were skipped."""
    problems: list[Problem] = []
    resources: list[Resource[Any]] = []
    for item in items(documents, problems):
        resource, found = read_resource(item)
        problems += found
        if resource is not None:
            resources.append(resource)
    problems += duplicates(resources)
    return Resources.of(resources), problems


def items(documents: Iterable[Document], problems: list[Problem]) -> Iterator[Item]:
    """Yield every object that is read; values that are not objects, and what is said of kinds that are not read, are
    added to `problems`."""
    others: dict[str, list[Item]] = {}
    for document in documents:
        for item in _objects(document, (), document.value, problems):
            problem = _strange(item)
            if problem is not None:
                problems.append(problem)
            elif _is_read(item):
                yield item
            elif item.kind not in OURS:
                others.setdefault(document.file, []).append(item)
    problems += [
        found[0].problem(("kind",), summary(item.kind for item in found), "info", "not-used")
        for found in others.values()
    ]


def _objects(document: Document, prefix: Path, value: Any, problems: list[Problem]) -> Iterator[Item]:
    """Yield the objects of a document: itself, or the items of a List."""
    if not isinstance(value, dict):
        message = f"expected a mapping with apiVersion, kind, metadata and spec, not {shown(value)}"
        problems.append(Problem(document.locate(prefix), field_path(prefix), message, "error", "schema"))
        return
    item = Item(document, prefix, value)
    if item.kind != "List" or prefix:
        yield item
        return
    children = value.get("items")
    if not isinstance(children, list):
        problems.append(item.problem(("items",), f"expected a list, not {shown(children)}"))
        return
    for index, child in enumerate(children):
        yield from _objects(document, ("items", index), child, problems)


def _is_read(item: Item) -> bool:
    return item.kind in KINDS or is_kubernetes(item.kind, item.api_version)


def _strange(item: Item) -> Problem | None:
    """Return the problem with an object's apiVersion or kind, or what is said of one of Istio's that is skipped."""
    kind, version = item.kind, item.api_version
    if not isinstance(kind, str) or not kind:
        return item.problem(("kind",), f"expected {one_of([*KINDS, 'Experiment'])}, not {shown(kind)}")
    if not isinstance(version, str) or not version:
        return item.problem(("apiVersion",), f"expected {_right_version(kind)}, not {shown(version)}")
    if kind in KINDS:
        return _wrong_version(item, kind, version) or _unrendered(item)
    if kind in OURS:
        if version == EXPERIMENT:
            return None
        return item.problem(("apiVersion",), f"{shown(version)} is not known for {OURS[kind]}; write {EXPERIMENT}")
    if is_kubernetes(kind, version):
        return None
    if wrong := unknown_kind(kind, version):
        return item.problem(("kind",), wrong)
    if kind in GATEWAY_API_ROUTES and version.partition("/")[0] == GATEWAY_API:
        return item.problem(
            ("kind",), f"this {kind} of the Kubernetes Gateway API is not played", "warning", "not-used"
        )
    if kind in POLICIES and version.partition("/")[0].endswith("istio.io"):
        message, severity = skipped_policy(kind, item.value)
        return item.problem(("kind",), message, severity, "not-used")
    return None


def _unrendered(item: Item) -> Problem | None:
    """Return the problem with an object that is a template's, although it is YAML: its actions stand in quotes."""
    path = _template_in(item.value)
    return None if path is None else item.problem(path, RENDER_FIRST)


def _template_in(value: Any) -> Path | None:
    if isinstance(value, str):
        return () if "{{" in value and is_template(value) else None
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return next(((key, *path) for key, item in inside if (path := _template_in(item)) is not None), None)


def _wrong_version(item: Item, kind: str, version: str) -> Problem | None:
    group, _, number = version.rpartition("/")
    if group == GROUP and number in VERSIONS:
        return None
    if kind == "Gateway" and group == GATEWAY_API:
        message = f"this is a Gateway of the Kubernetes Gateway API; chaos reads Istio's ({GROUP}/v1)"
        return item.problem(("apiVersion",), message, "warning", "not-used")
    return item.problem(("apiVersion",), f"{shown(version)} is not known for a {kind}; write {_right_version(kind)}")


def _right_version(kind: str) -> str:
    return EXPERIMENT if kind in OURS else f"{GROUP}/v1 (or v1beta1, v1alpha3)"


def read_resource(item: Item) -> tuple[Resource[Any] | None, list[Problem]]:
    """Return one resource, or None and every problem of its shape."""
    metadata, problems = read_metadata(item)
    if item.kind in KINDS:
        problems += _unknown_keys(item)
    model = model_of(item.kind)
    spec, found = validate_model(model, spec_of(item), item.document, (*item.prefix, "spec"))
    problems += found
    if isinstance(spec, KubernetesService):
        problems += [item.problem(("spec", *path), text) for path, text in _bad_service(spec)]
    if spec is None or metadata is None or problems:
        return None, problems
    return resource_at(item, metadata, spec), []


def _bad_service(spec: KubernetesService) -> Iterator[tuple[Path, str]]:
    """Yield what the API server refuses in a Service's ports: path and message."""
    if not spec.ports and not spec.is_headless and spec.type != "ExternalName":
        yield ("ports",), "required, but missing: a Service needs a port, like {port: 80, name: http}"
    if spec.type == "ExternalName" and not spec.external_name:
        yield ("externalName",), "required, but missing: the name that this Service stands for"
    for index, port in enumerate(spec.ports):
        if not 1 <= port.port <= 65535:
            yield ("ports", index, "port"), f"{port.port} is not a port; write a number from 1 to 65535"
        elif len(spec.ports) > 1 and not port.name:
            yield ("ports", index), "needs a name: a Service with several ports names each of them"


def spec_of(item: Item) -> Any:
    """Return the object's spec, an empty mapping when it is absent."""
    spec = item.value.get("spec")
    return {} if spec is None else spec


def resource_at(item: Item, metadata: Metadata, spec: Message) -> Resource[Any]:
    """Build the resource from its checked parts."""
    return Resource(
        kind=item.kind,
        api_version=item.api_version,
        name=metadata.name,
        namespace=metadata.namespace or "default",
        spec=spec,
        document=item.document,
        prefix=item.prefix,
        creation_timestamp=_timestamp(metadata.creation_timestamp),
        labels=metadata.labels,
        annotations=metadata.annotations,
    )


def read_metadata(item: Item) -> tuple[Metadata | None, list[Problem]]:
    """Return the metadata, or None when they are missing or malformed, and every problem."""
    value = item.value.get("metadata")
    if value is None:
        return None, [item.problem(("metadata",), f"required, but missing: a {item.kind} needs metadata.name")]
    model = Metadata if item.kind in KINDS else KubernetesMetadata
    metadata, problems = validate_model(model, value, item.document, (*item.prefix, "metadata"))
    if metadata is not None:
        problems += [item.problem(("metadata", key), message) for key, message in _bad_metadata(metadata)]
    return metadata, problems


def _bad_metadata(metadata: Metadata) -> Iterator[tuple[str, str]]:
    name, namespace = metadata.name, metadata.namespace
    if not name:
        yield "name", "required, but missing"
    elif len(name) > 253 or not _NAME.fullmatch(name):
        yield (
            "name",
            f"{shown(name)} is not a Kubernetes name; use a-z, 0-9, - and ., with a letter or digit at both ends",
        )
    if namespace and (len(namespace) > 63 or not _LABEL.fullmatch(namespace)):
        yield (
            "namespace",
            f"{shown(namespace)} is not a namespace; use a-z, 0-9 and -, with a letter or digit at both ends",
        )
    if metadata.creation_timestamp and _timestamp(metadata.creation_timestamp) is None:
        yield (
            "creationTimestamp",
            f"{shown(metadata.creation_timestamp)} is not a time; write it like 2024-01-31T12:00:00Z",
        )


def _timestamp(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _unknown_keys(item: Item) -> list[Problem]:
    known = ["apiVersion", "kind", "metadata", "spec", "status"]
    problems = []
    for key in item.value:
        if key not in known:
            misplaced = key in _spec_fields(item.kind)
            hint = Wording("; it belongs under `spec`") if misplaced else suggestion(key, known, quote="`")
            path = (*item.prefix, key)
            location = item.document.locate_key(path)
            problems.append(_problem(location, path, hint.after(f"unknown field `{key}`")))
    status = item.value.get("status")
    if status is not None and not isinstance(status, dict):
        problems.append(item.problem(("status",), f"expected a mapping, not {shown(status)}; leave it out"))
    return problems


def _spec_fields(kind: str) -> set[str]:
    return {info.alias or name for name, info in model_of(kind).model_fields.items()}


def duplicates(resources: list[Resource[Any]]) -> list[Problem]:
    """Return a problem for each resource of the same kind, namespace and name as an earlier one: the API server would
    let it replace that."""
    first: dict[tuple[str, str, str], Resource[Any]] = {}
    problems = []
    for resource in resources:
        earlier = first.setdefault((resource.kind, resource.namespace, resource.name), resource)
        if earlier is not resource:
            name = ("metadata", "name")
            message = f"a second {resource}; the first is at {earlier.locate(name)}, and kubectl would replace it"
            problems.append(Problem(resource.locate(name), resource.path(name), message, "error", "duplicate"))
    return problems
