"""Istio's admission: what the webhook and the API server would refuse or warn about, for one resource at a time.

All problems are reported at once, each located. The models have already checked the shape (names, types, required
fields)."""

from __future__ import annotations

from typing import Any

from chaos.errors import Problem
from chaos.mesh.check.cursor import At
from chaos.mesh.model.resources import Resource, Resources

_REFUSED_ANNOTATIONS = ("istio.io/dry-run", "internal.istio.io/parents", "internal.istio.io/parent-namespace")


def validate(resources: Resources) -> list[Problem]:
    """Return admission's errors and warnings on all resources."""
    return [problem for resource in resources for problem in validate_resource(resource)]


def validate_resource(resource: Resource[Any]) -> list[Problem]:
    """Return admission's errors and warnings on one resource, in the order of the file."""
    at = At(resource, ("spec",))
    _validate(at, resource)
    for name in filter(resource.annotations.__contains__, _REFUSED_ANNOTATIONS):
        At(resource, ("metadata", "annotations", name), at.problems).error("Istio refuses this annotation here")
    return sorted(at.problems, key=lambda problem: problem.location)


def _validate(at: At, resource: Resource[Any]) -> None:
    """Check by kind. The rules of a kind are imported on first use: most files have VirtualServices alone."""
    spec, namespace = resource.spec, resource.namespace
    if resource.kind == "VirtualService":
        from chaos.mesh.check.admission.virtual_service import validate_virtual_service

        validate_virtual_service(at, spec, namespace)
    elif resource.kind == "DestinationRule":
        from chaos.mesh.check.admission.destination_rule import validate_destination_rule

        validate_destination_rule(at, spec, namespace)
    elif resource.kind == "ServiceEntry":
        from chaos.mesh.check.admission.service_entry import validate_service_entry

        validate_service_entry(at, spec, namespace, resource.labels)
    elif resource.kind == "Sidecar":
        from chaos.mesh.check.admission.sidecar import validate_sidecar

        validate_sidecar(at, spec, namespace)
    else:
        from chaos.mesh.check.admission.gateway import validate_gateway

        validate_gateway(at, spec, resource.name)
