# ruff: noqa: E501 - a row of a table stays on one line
"""What does nothing, or something else, beside another resource: infos."""

from __future__ import annotations

import pytest

from chaos.mesh.check.report import check

VERSIONS = {"Service": "v1"}


def resource(kind: str, spec: str, namespace: str = "default") -> str:
    version = VERSIONS.get(kind, "networking.istio.io/v1")
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: web, namespace: {namespace}}}\nspec: {spec}\n"


def infos(code: str, *resources: str) -> list[str]:
    (report,) = check([("f.yaml", "---\n".join(resources))])
    return [f"{info.path}: {info.message}" for info in report.infos if info.code == code]


ABORT = resource(
    "VirtualService",
    "{hosts: [web], http: [{fault: {abort: {httpStatus: 503, percentage: {value: 5}}}, route: [{destination: {host: web}}]}]}",
)
DELAY = resource(
    "VirtualService",
    "{hosts: [web], http: [{fault: {delay: {fixedDelay: 1s, percentage: {value: 5}}}, route: [{destination: {host: web}}]}]}",
)
OUTLIERS = "outlierDetection: {consecutive5xxErrors: 5, maxEjectionPercent: 100}"


@pytest.mark.parametrize(
    ("rule", "policy", "said"),
    [
        (ABORT, f"{{host: web, trafficPolicy: {{{OUTLIERS}}}}}", True),
        (ABORT, f"{{host: '*.svc.cluster.local', trafficPolicy: {{{OUTLIERS}}}}}", True),
        (ABORT, f"{{host: web, subsets: [{{name: a, labels: {{v: a}}, trafficPolicy: {{{OUTLIERS}}}}}]}}", True),
        (ABORT, f"{{host: web, trafficPolicy: {{portLevelSettings: [{{port: {{number: 80}}, {OUTLIERS}}}]}}}}", True),
        (ABORT, f"{{host: other, trafficPolicy: {{{OUTLIERS}}}}}", False),
        (ABORT, "{host: web, trafficPolicy: {loadBalancer: {simple: RANDOM}}}", False),
        (DELAY, f"{{host: web, trafficPolicy: {{{OUTLIERS}}}}}", False),
    ],
)  # fmt: skip
def test_an_injected_abort_ejects_no_endpoint(rule: str, policy: str, said: bool) -> None:
    found = infos("fault-and-outliers", rule, resource("DestinationRule", policy))
    why = "does not count for the outlierDetection of DestinationRule default/web: an injected abort is the proxy's own, and ejects no endpoint"
    assert found == ([f"spec.http[0].fault.abort: {why}"] if said else [])


def test_a_redirect_to_https_is_not_applied() -> None:
    gateway = "{{servers: [{{port: {{number: 80, name: http, protocol: HTTP}}, hosts: [a.com], tls: {{httpsRedirect: {}}}}}]}}"
    found = infos("not-served", resource("Gateway", gateway.format("true")))
    assert [each.split(": ")[0] for each in found] == ["spec.servers[0].tls.httpsRedirect"]
    assert infos("not-served", resource("Gateway", gateway.format("false"))) == []


@pytest.mark.parametrize(
    ("namespace", "serve"), [("default", "the endpoints of both serve them"), ("shop", "this one does not")]
)
def test_a_host_that_is_a_service_and_an_entry(namespace: str, serve: str) -> None:
    """Asked of istiod: one cluster a port of the Service, none for the entry's; endpoints of one namespace are joined."""
    ports = "ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, endpoints: [{address: 127.0.0.1}]"
    entry = resource("ServiceEntry", f"{{hosts: [web.default.svc.cluster.local], {ports}}}", namespace)
    service = resource("Service", "{ports: [{port: 80, name: http}]}")
    why = f"is the Service default/web too: in a mesh that one's ports count, and {serve}"
    assert infos("service-and-entry", entry, service) == [f"spec.hosts[0]: {why}"]
    assert infos("service-and-entry", entry) == []
