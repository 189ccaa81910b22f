"""Check that some pod serves a Gateway (IST0101), and that the pod's Service has the Gateway's ports (IST0162).

A file without Pods says nothing about which there are, so it is held against the gateways that Istio brings: another
selector is a warning there. Source: istio analyzers gateway/gateway.go; local/defaults.go for Istio's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from chaos.mesh.check.analysis.gateways import NOT_FOUND
from chaos.mesh.check.cursor import At
from chaos.mesh.model.gateway import Gateway
from chaos.mesh.model.kubernetes_service import KubernetesPort, KubernetesService
from chaos.mesh.model.resources import Resource
from chaos.mesh.names import ROOT_NAMESPACE
from chaos.mesh.resolve.workloads import Workload, selected

NO_SUCH_PORT = "IST0162"

_OWN = (
    {"istio": "ingressgateway", "app": "istio-ingressgateway"},
    {"istio": "egressgateway", "app": "istio-egressgateway"},
    {"istio": "eastwestgateway", "app": "istio-eastwestgateway"},
    {"istio": "ingress", "app": "istio-ingress"},  # as its Helm chart is installed in Istio's documentation
)
_INGRESS = _OWN[0]
_INGRESS_PORTS = (80, 443, 8080, 8443, 15443, 31400)  # of its Service, and those of its pods that they lead to

Services = Sequence[Resource[KubernetesService]]


def analyze_gateway_workloads(at: At, gateway: Resource[Gateway], pods: Sequence[Workload], services: Services) -> None:
    """Report on one Gateway; `at` points at its spec."""
    selector = gateway.spec.selector
    found = selected(pods, selector)
    if not found and not _is_istios(selector):
        _nobody(at.into("selector"), selector, pods)
        return
    ingress = selector.items() <= _INGRESS.items()
    if not found and not ingress:
        return
    ports = sorted({*_ports(found, services), *(_INGRESS_PORTS if ingress or _behind_ingress(found) else ())})
    having = f"; they have {', '.join(map(str, ports))}" if ports else ""
    for index, server in enumerate(gateway.spec.servers):
        number = server.port.number
        if number and number not in ports:
            message = f"no Service here leads to port {number} of the pods with {written(selector)}{having}"
            at.into("servers", index, "port", "number").warn(message, NO_SUCH_PORT)


def _behind_ingress(pods: Sequence[Workload]) -> bool:
    """Return whether Istio's own Service leads to one of these pods."""
    wanted = ("istio", _INGRESS["istio"])
    return any(pod.namespace == ROOT_NAMESPACE and wanted in pod.labels.items() for pod in pods)


def _is_istios(selector: Mapping[str, str]) -> bool:
    return any(selector.items() <= labels.items() for labels in _OWN)


def _nobody(at: At, selector: Mapping[str, str], pods: Sequence[Workload]) -> None:
    wanted = written(selector)
    if pods:
        near = {value for each in pods for key, value in each.labels.items() if key in selector}
        hint = f"; they have {', '.join(sorted(near))}" if near else ""
        at.error(f"no pod here has the labels {wanted}, so nothing serves this Gateway{hint}", NOT_FOUND)
    else:
        message = f"no pod with {wanted} is here, and Istio's own gateway has istio=ingressgateway"
        at.warn(f"{message}; without such a pod nothing serves this Gateway", NOT_FOUND)


def written(labels: Mapping[str, str]) -> str:
    """Return labels as kubectl writes a selector: `app=web,version=v1`."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _ports(pods: Sequence[Workload], services: Services) -> dict[int, None]:
    """Return the ports that the Services of these pods have, and those of the pods that they lead to."""
    return {
        port: None
        for pod in pods
        for service in services
        if service.namespace == pod.namespace and service.spec.selector.items() <= pod.labels.items()
        for each in service.spec.ports
        if each.protocol == "TCP"
        for port in _numbers(each, pod)
    }


def _numbers(port: KubernetesPort, pod: Workload) -> Iterator[int]:
    yield port.port
    if isinstance(port.target_port, int):
        yield port.target_port or port.port
        return
    for container in pod.pod.containers:
        for each in container.ports:
            if each.name == port.target_port:
                yield each.container_port
