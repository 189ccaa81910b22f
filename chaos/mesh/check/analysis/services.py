"""Check the port names of Kubernetes Services: one that says no protocol (IST0118, an info), which makes TCP of an
ExternalName (IST0150).

Source: istio analyzers service/portname.go."""

from __future__ import annotations

from chaos.mesh.check.cursor import At
from chaos.mesh.model.kubernetes_service import KubernetesService
from chaos.mesh.model.resources import Resource
from chaos.mesh.read.shape import shown, suggestion
from chaos.mesh.upstream.protocols import SNIFFED, protocol_of_service_port

PORT_NAME, EXTERNAL_NAME = "IST0118", "IST0150"
_MANAGED = "gateway.istio.io/managed"
_WORDS = ["http", "http2", "https", "grpc", "grpc-web", "tcp", "tls", "mongo", "redis", "mysql"]


def analyze_service(at: At, service: Resource[KubernetesService]) -> None:
    """Report on one Service; `at` points at its spec. Istio's own and those that it makes for a gateway are passed
    over."""
    labels = service.labels
    if "istio" in labels or labels.get("release") == "istio" or labels.get(_MANAGED, "").startswith("istio.io-"):
        return
    external = service.spec.type == "ExternalName"
    for index, port in enumerate(service.spec.ports):
        spoken = protocol_of_service_port(port.name, port.port, port.app_protocol, port.protocol)
        here = at.into("ports", index, "appProtocol" if port.app_protocol else "name")
        said = shown(port.app_protocol or port.name)
        if external and (spoken == SNIFFED or port.name == "tcp"):
            message = f"{said} makes it TCP, which may take other traffic of this port along; write it like http-web"
            here.warn(message, EXTERNAL_NAME)
        elif spoken == SNIFFED and port.app_protocol:
            hint = suggestion(port.app_protocol, _WORDS)
            here.info(hint.after(f"{said} is no protocol that Istio knows; the proxy detects it"), PORT_NAME)
        elif spoken == SNIFFED:
            here.info(f"the name {said} says no protocol; write it like http-{port.name or 'web'}", PORT_NAME)
