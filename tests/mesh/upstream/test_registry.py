"""What Kubernetes Services and ServiceEntries put into the registry: hosts, ports, what they speak, who sees them."""

from __future__ import annotations

import pytest
from support.mesh import Services, forwarded, request, rules_of, taken, virtual_service

from chaos.mesh.compile.rules import Rules
from chaos.mesh.names import Proxy
from chaos.mesh.read.documents import read_resources
from chaos.mesh.source.document import read_documents
from chaos.mesh.upstream.protocols import may_be_http, protocol_of, protocol_of_service_port

PORTS = [
    ("http", 80, "", "HTTP"),
    ("HTTP", 80, "", "HTTP"),
    ("http-web", 443, "", "HTTP"),
    ("http2", 80, "", "HTTP2"),
    ("grpc-web", 80, "", "GRPC-WEB"),
    ("grpc-web-x", 80, "", "GRPC-WEB"),
    ("grpc", 80, "", "GRPC"),
    ("httpx", 80, "", ""),
    ("", 80, "", ""),
    ("web", 80, "", ""),
    ("tcp-db", 5432, "", "TCP"),
    ("https", 443, "", "HTTPS"),
    ("mysql", 3306, "", "MYSQL"),
    ("", 3306, "", "TCP"),
    ("x", 8003, "http", "HTTP"),
    ("http", 8003, "tcp", "TCP"),
    ("x", 80, "kubernetes.io/h2c", "HTTP2"),
    ("x", 80, "kubernetes.io/wss", "HTTPS"),
]


@pytest.mark.parametrize(("name", "number", "app_protocol", "protocol"), PORTS)
def test_what_a_services_port_speaks(name: str, number: int, app_protocol: str, protocol: str) -> None:
    assert protocol_of_service_port(name, number, app_protocol) == protocol


def test_udp_is_udp_and_an_unknown_protocol_is_sniffed() -> None:
    assert protocol_of_service_port("http", 80, "", "UDP") == "UDP"
    assert (protocol_of("htp"), may_be_http(protocol_of("htp"))) == ("", True)
    assert not may_be_http("TLS")


def service(spec: str, name: str = "web", annotations: str = "{}") -> str:
    return (
        f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, annotations: {annotations}}}\n"
        f"spec: {{{spec}}}\n"
    )


HIT = "- {name: hit, directResponse: {status: 200}}"
LOCATED: Services = {"web:80": [{}], "web:8080": [{}], "web:9090": [{}]}


def at(rules: Rules, host: str) -> str | None:
    return taken(rules, request("/", host=host))


def test_a_service_document_says_which_ports_there_are_and_what_they_speak() -> None:
    document = service("ports: [{name: http, port: 80}, {name: tcp, port: 8080}]")
    rules = rules_of(document + virtual_service(HIT), LOCATED)
    assert [at(rules, host) for host in ("web", "web:8080", "web:9090")] == ["hit", None, None]
    assert len(rules.registry.services["web.default.svc.cluster.local"].ports[80].endpoints) == 1


def test_a_headless_service_answers_for_each_of_its_pods_and_a_virtual_address_for_its_service() -> None:
    headless = rules_of(service("clusterIP: None, ports: [{name: http, port: 80}]") + virtual_service(HIT))
    assert [at(headless, host) for host in ("web-0.web", "web-0.web.default.svc.cluster.local", "web")] == ["hit"] * 3
    addressed = rules_of(service("clusterIP: 10.1.2.3, ports: [{name: http, port: 80}]") + virtual_service(HIT))
    assert [at(addressed, host) for host in ("10.1.2.3", "web-0.web")] == ["hit", None]


@pytest.mark.parametrize(
    ("export_to", "seen"), [("'.'", False), ("'*'", True), ("'team, other'", True), ("'~'", False)]
)
def test_a_service_is_seen_where_its_annotation_says(export_to: str, seen: bool) -> None:
    """Elsewhere the host is no service: it has the rule for its full name alone, and no cluster."""
    document = service("ports: [{name: http, port: 80}]", annotations=f"{{networking.istio.io/exportTo: {export_to}}}")
    to_web = virtual_service("- route: [{destination: {host: web.default.svc.cluster.local}}]", hosts="[front]")
    located: Services = {"web.default.svc.cluster.local:80": [{}], "front.team.svc.cluster.local:80": [{}]}
    rules = rules_of(
        document + to_web.replace("name: web", "name: web, namespace: team"), located, Proxy(namespace="team")
    )
    assert (forwarded(rules, request("/", host="front")).cluster is not None) is seen


def test_an_external_name_is_another_name_of_its_service() -> None:
    documents = service("type: ExternalName, externalName: web.default.svc.cluster.local", name="alias")
    documents += service("ports: [{name: http, port: 80}]")
    to_alias = virtual_service("- route: [{destination: {host: alias}}]", hosts="[front]", name="front")
    rules = rules_of(documents + virtual_service(HIT) + to_alias, {"web:80": [{}], "front:80": [{}]})
    assert at(rules, "alias") == "hit"
    cluster = forwarded(rules, request("/", host="front")).cluster
    assert cluster is not None and cluster.name == "web.default.svc.cluster.local:80"


BAD = [
    ("ports: []", "spec.ports: required, but missing: a Service needs a port, like {port: 80, name: http}"),
    ("ports: [{port: 0}]", "spec.ports[0].port: 0 is not a port; write a number from 1 to 65535"),
    ("ports: [{port: 70000}]", "spec.ports[0].port: 70000 is not a port; write a number from 1 to 65535"),
    ("ports: [{port: 80}, {port: 81}]", "spec.ports[0]: needs a name: a Service with several ports names each of them"),
    ("type: ExternalName", "spec.externalName: required, but missing: the name that this Service stands for"),
]


@pytest.mark.parametrize(("spec", "said"), BAD)
def test_a_bad_service_is_told_where(spec: str, said: str) -> None:
    problems = read_resources(read_documents(service(spec), "f.yaml"))[1]
    assert said in [f"{problem.path}: {problem.message}" for problem in problems]


def test_two_services_of_one_name_are_told() -> None:
    document = service("ports: [{port: 80}]")
    (problem,) = read_resources(read_documents(document + document, "f.yaml"))[1]
    assert problem.message.startswith("a second Service default/web")
