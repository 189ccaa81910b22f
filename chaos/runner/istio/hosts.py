"""The VirtualServices of the file beside those of the mesh: which are about the same hosts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from chaos.engines.istio.marks import Json
from chaos.mesh.model.resources import Resource
from chaos.mesh.model.virtual_service import VirtualService
from chaos.mesh.names import full_name

Written = Resource[VirtualService]
"""A VirtualService of the file."""


def hosts_of(written: Written) -> frozenset[str]:
    """Return the full names of its hosts."""
    return frozenset(full_name(host, written.namespace) for host in written.spec.hosts)


def spec_of(written: Written) -> Json:
    """Return its spec as it is written in the file."""
    value = written.document.value
    for step in written.prefix:
        value = value[step]
    spec: Json = value["spec"]
    return spec


def virtual_services_of(items: Iterable[Json], hosts: Collection[str]) -> Iterator[Json]:
    """Yield the VirtualServices that have one of these hosts, which are full names."""
    for live in items:
        namespace = live["metadata"].get("namespace", "default")
        if any(full_name(str(host), namespace) in hosts for host in (live.get("spec") or {}).get("hosts") or ()):
            yield live
