"""Find destinations behind a gateway that lack the subset which another rule chooses for that host (IST0140).

A rule for sidecars is not applied to what a gateway has routed already. Source: istio analyzers
virtualservice/destinationhosts.go, analyzeSubset."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from chaos.mesh.check.cursor import At
from chaos.mesh.model.resources import Resource
from chaos.mesh.model.virtual_service import VirtualService

LOST_SUBSET = "IST0140"


def analyze_lost_subsets(at: Callable[[Resource[Any]], At], services: Iterable[Resource[VirtualService]]) -> None:
    """Report on all VirtualServices together. Hosts are compared as written, as Istio does."""
    services = tuple(services)
    choosing: dict[str, Resource[VirtualService]] = {}
    for service in services:
        for http in service.spec.http:
            for share in http.route:
                if share.destination.subset and share.destination.host in service.spec.hosts:
                    choosing.setdefault(share.destination.host, service)
    for service in services:
        if not service.spec.gateways:
            continue
        for index, http in enumerate(service.spec.http):
            for number, share in enumerate(http.route):
                other = choosing.get(share.destination.host)
                if other is not None and not share.destination.subset:
                    where = at(service).into("http", index, "route", number, "destination")
                    where.warn(_message(share.destination.host, other), LOST_SUBSET)


def _message(host: str, other: Resource[VirtualService]) -> str:
    return (
        f"VirtualService {other.namespace}/{other.name} is not applied behind a gateway; name its subset of {host} here"
    )
