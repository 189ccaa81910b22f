"""Istio's admission: what the webhook and the API server would refuse or warn of, for one resource at a time.

Every problem is located, all at once. The shape (names, types, required fields) has been checked by the models before.
"""

from __future__ import annotations

from typing import Any

from chaos.errors import Problem
from chaos.mesh.findings import At
from chaos.mesh.model_destination_rule import DestinationRule
from chaos.mesh.model_gateway import Gateway
from chaos.mesh.model_service_entry import ServiceEntry
from chaos.mesh.model_virtual_service import VirtualService
from chaos.mesh.resources import Resource, Resources
from chaos.mesh.validate_destination_rule import validate_destination_rule
from chaos.mesh.validate_gateway import validate_gateway
from chaos.mesh.validate_service_entry import validate_service_entry
from chaos.mesh.validate_virtual_service import validate_virtual_service


def validate(resources: Resources) -> list[Problem]:
    """Admission's errors and warnings on all of them."""
    return [problem for resource in resources for problem in validate_resource(resource)]


def validate_resource(resource: Resource[Any]) -> list[Problem]:
    """Admission's errors and warnings on one resource, in the order of the file."""
    at = At(resource, ("spec",))
    match resource.spec:
        case VirtualService() as spec:
            validate_virtual_service(at, spec, resource.namespace)
        case DestinationRule() as spec:
            validate_destination_rule(at, spec, resource.namespace)
        case ServiceEntry() as spec:
            validate_service_entry(at, spec, resource.namespace, resource.labels)
        case Gateway() as spec:
            validate_gateway(at, spec, resource.name)
    for name in ("istio.io/dry-run", "internal.istio.io/parents", "internal.istio.io/parent-namespace"):
        if name in resource.annotations:
            At(resource, ("metadata", "annotations", name), at.problems).error("Istio refuses this annotation here")
    return sorted(at.problems, key=lambda problem: problem.location)
