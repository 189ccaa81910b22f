"""Istio's analyzers, which look across resources: unknown names, hosts claimed twice, empty subsets.

All given resources are checked together. A name is called unknown only where there is something to compare it with: a
destination when services are known, a subset when there is a DestinationRule, a gateway when there is one. Source:
istio pkg/config/analysis/analyzers/{virtualservice,destinationrule,gateway}; codes from its messages.yaml."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chaos.errors import Problem
from chaos.mesh.check.analysis.destination_rules import analyze_destination_rules
from chaos.mesh.check.analysis.destinations import Subsets, analyze_destinations
from chaos.mesh.check.analysis.entries import analyze_entries
from chaos.mesh.check.analysis.gateways import analyze_gateways
from chaos.mesh.check.analysis.hosts import analyze_hosts
from chaos.mesh.check.analysis.routes import analyze_routes
from chaos.mesh.check.analysis.services import analyze_service
from chaos.mesh.check.cursor import At
from chaos.mesh.check.known_services import known_services
from chaos.mesh.model.resources import Resource, Resources
from chaos.mesh.source.document import Document


def analyze(resources: Resources, documents: Iterable[Document] = ()) -> list[Problem]:
    """Return all findings. Services in `documents` (Experiments and Kubernetes Services) count as known."""
    known = known_services(resources, documents)
    subsets = Subsets(resources.destination_rules)
    problems: list[Problem] = []

    def at(resource: Resource[Any]) -> At:
        return At(resource, ("spec",), problems)

    for service in resources.virtual_services:
        analyze_routes(at(service), service.spec)
        analyze_destinations(at(service), service, resources, known, subsets)
        analyze_gateways(at(service), service, resources)
    for rule in resources.destination_rules:
        analyze_destination_rules(at(rule), rule, known)
    analyze_hosts(at, resources)
    analyze_entries(at, resources.service_entries)
    for each in resources.services:
        analyze_service(at(each), each)
    return problems
