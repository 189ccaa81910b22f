"""Istio's analyzers, which look across resources: unknown names, hosts claimed twice, empty subsets.

All given resources are checked together. A name is called unknown only where there is something to compare it with: a
destination when services are known, a subset when there is a DestinationRule, a gateway when there is one. Source:
istio pkg/config/analysis/analyzers/{virtualservice,destinationrule,gateway}; codes from its messages.yaml."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chaos.errors import Problem
from chaos.mesh.check.analysis.annotations import analyze_annotations
from chaos.mesh.check.analysis.certificates import analyze_certificates
from chaos.mesh.check.analysis.destination_rules import analyze_destination_rules
from chaos.mesh.check.analysis.destinations import Subsets, analyze_destinations
from chaos.mesh.check.analysis.entries import analyze_entries
from chaos.mesh.check.analysis.gateway_workloads import analyze_gateway_workloads
from chaos.mesh.check.analysis.gateways import analyze_gateways
from chaos.mesh.check.analysis.hosts import analyze_hosts
from chaos.mesh.check.analysis.lost_subsets import analyze_lost_subsets
from chaos.mesh.check.analysis.pods import analyze_pod
from chaos.mesh.check.analysis.routes import analyze_routes
from chaos.mesh.check.analysis.services import analyze_service
from chaos.mesh.check.analysis.sidecars import analyze_sidecars
from chaos.mesh.check.cursor import At
from chaos.mesh.check.known_services import known_services
from chaos.mesh.check.pitfalls.binding import proxy_played
from chaos.mesh.model.resources import Resource, Resources
from chaos.mesh.resolve.gateway_hosts import name_of, proxy_in_full
from chaos.mesh.resolve.workloads import workloads
from chaos.mesh.source.document import Document


def analyze(resources: Resources, documents: Iterable[Document] = ()) -> list[Problem]:
    """Return all findings. Services in `documents` (Experiments and Kubernetes Services) count as known."""
    documents = tuple(documents)
    known = known_services(resources, documents)
    subsets = Subsets(resources.destination_rules)
    pods = workloads(resources)
    played = proxy_in_full(proxy_played(documents), resources.gateways).gateway_names
    problems: list[Problem] = []

    def at(resource: Resource[Any]) -> At:
        return At(resource, ("spec",), problems)

    for service in resources.virtual_services:
        analyze_routes(at(service), service.spec)
        analyze_destinations(at(service), service, resources, known, subsets)
        analyze_gateways(at(service), service, resources)
    for rule in resources.destination_rules:
        analyze_destination_rules(at(rule), rule, known, pods)
    for gateway in resources.gateways:
        if name_of(gateway) not in played:
            analyze_gateway_workloads(at(gateway), gateway, pods, resources.services)
    analyze_certificates(at, resources.gateways)
    analyze_lost_subsets(at, resources.virtual_services)
    analyze_hosts(at, resources, pods)
    analyze_entries(at, resources.service_entries)
    analyze_sidecars(at, resources.sidecars, pods, known)
    for each in resources.services:
        analyze_service(at(each), each)
    for pod in pods:
        analyze_pod(at(pod.source), pod)
    for annotated in (*resources.services, *resources.workloads):
        analyze_annotations(At(annotated, (), problems), annotated)
    return problems
