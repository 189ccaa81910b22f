"""Check Kubernetes Services: port names that say no protocol (IST0118, an info), unknown annotations (IST0108).

Source: istio analyzers service/portname.go, annotations/annotations.go; the annotations of istio/api annotation."""

from __future__ import annotations

from chaos.mesh.check.cursor import At
from chaos.mesh.model.kubernetes_service import KubernetesService
from chaos.mesh.model.resources import Resource
from chaos.mesh.read.shape import shown, suggestion
from chaos.mesh.upstream.protocols import SNIFFED, protocol_of_service_port

UNKNOWN_ANNOTATION, PORT_NAME = "IST0108", "IST0118"

_GROUP = "networking.istio.io/"
_ANNOTATIONS = [
    f"{_GROUP}{name}" for name in ("address-type", "exportTo", "service-type", "traffic-distribution", "tunnel")
]


def analyze_service(at: At, service: Resource[KubernetesService]) -> None:
    """Report on one Service; `at` points at its spec."""
    for index, port in enumerate(service.spec.ports):
        spoken = protocol_of_service_port(port.name, port.port, port.app_protocol, port.protocol)
        if spoken == SNIFFED and not port.app_protocol:
            message = f"the name {shown(port.name)} says no protocol; write it like http-{port.name or 'web'}"
            at.into("ports", index, "name").info(message, PORT_NAME)
    metadata = At(service, ("metadata", "annotations"), at.problems)
    for name in service.annotations:
        if name.startswith(_GROUP) and name not in _ANNOTATIONS:
            unknown = suggestion(name, _ANNOTATIONS).after("is not an annotation of Istio, and has no effect")
            metadata.into(name).warn(unknown, UNKNOWN_ANNOTATION)
