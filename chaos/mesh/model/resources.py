"""Istio resources as values: what was read, its name, and where each of its fields is in the file.

The rest of `mesh` works on `Resources`; `read/documents.py` reads documents into it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from chaos.errors import Location
from chaos.mesh.model.message import Message
from chaos.mesh.source.document import Document, Path, field_path

if TYPE_CHECKING:
    from chaos.mesh.model.destination_rule import DestinationRule
    from chaos.mesh.model.gateway import Gateway
    from chaos.mesh.model.kubernetes_service import KubernetesService
    from chaos.mesh.model.service_entry import ServiceEntry
    from chaos.mesh.model.sidecar import Sidecar
    from chaos.mesh.model.virtual_service import VirtualService

T = TypeVar("T", bound=Message, covariant=True)

_LATEST = datetime.max.replace(tzinfo=UTC)


class Gaps:
    """The places at which a document has no right value, so that its resource has something else there."""

    __slots__ = ("_around", "_paths")

    def __init__(self, paths: Iterable[Path] = ()):
        self._paths = frozenset(paths)
        self._around = frozenset(path[:length] for path in self._paths for length in range(len(path)))

    def meet(self, path: Path) -> bool:
        """Return whether there is a gap at this path, in it, or around it."""
        if not self._paths:
            return False
        return path in self._around or any(path[:length] in self._paths for length in range(len(path) + 1))


_NO_GAPS = Gaps()


@dataclass(frozen=True, slots=True, eq=False)
class Resource(Generic[T]):
    """One Istio resource. `prefix` is its path inside its document: empty, or `items[i]` of a List.

    `gaps` is empty in every resource that is used for more than checking."""

    kind: str
    api_version: str
    name: str
    namespace: str
    spec: T
    document: Document
    prefix: Path = ()
    creation_timestamp: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    gaps: Gaps = _NO_GAPS

    @property
    def file(self) -> str:
        return self.document.file

    @property
    def precedence(self) -> tuple[datetime, str, str]:
        """A sort key in Istio's order: oldest first, then by name, then by namespace.

        A document without a timestamp counts as created when it is applied, after all that have one."""
        return self.creation_timestamp or _LATEST, self.name, self.namespace

    def locate(self, path: Path = ()) -> Location:
        """Return line and column of a field, such as `("spec", "http", 0, "fault")`; of its nearest parent when it is
        absent."""
        return self.document.locate((*self.prefix, *path))

    def locate_key(self, path: Path = ()) -> Location:
        """Return line and column of a field's key, also where its value is a scalar."""
        return self.document.locate_key((*self.prefix, *path))

    def path(self, path: Path) -> str:
        """Return the field's path as a Problem shows it."""
        return field_path((*self.prefix, *path))

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, eq=False)
class Resources:
    """All resources, each kind in the order of the files. Iteration yields Istio's kinds; `services` and
    `workloads` (Pods, and what makes them from a template) are Kubernetes' own."""

    virtual_services: tuple[Resource[VirtualService], ...] = ()
    destination_rules: tuple[Resource[DestinationRule], ...] = ()
    service_entries: tuple[Resource[ServiceEntry], ...] = ()
    gateways: tuple[Resource[Gateway], ...] = ()
    sidecars: tuple[Resource[Sidecar], ...] = ()
    services: tuple[Resource[KubernetesService], ...] = ()
    workloads: tuple[Resource[Message], ...] = ()

    def __iter__(self) -> Iterator[Resource[Any]]:
        yield from self.virtual_services
        yield from self.destination_rules
        yield from self.service_entries
        yield from self.gateways
        yield from self.sidecars

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @classmethod
    def of(cls, resources: list[Resource[Any]]) -> Resources:
        """Sort resources by kind."""

        def kind(name: str) -> tuple[Resource[Any], ...]:
            return tuple(resource for resource in resources if resource.kind == name)

        own = ("VirtualService", "DestinationRule", "ServiceEntry", "Gateway", "Sidecar", "Service")
        return cls(
            kind("VirtualService"),
            kind("DestinationRule"),
            kind("ServiceEntry"),
            kind("Gateway"),
            kind("Sidecar"),
            kind("Service"),
            tuple(resource for resource in resources if resource.kind not in own),
        )
