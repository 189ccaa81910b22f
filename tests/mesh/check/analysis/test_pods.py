# ruff: noqa: E501 - a row of a table stays on one line
"""What Istio's analyzers say where a file has Pods, or what makes Pods from a template. Recorded from Istio itself."""

from __future__ import annotations

import pytest

from chaos.mesh.check.report import check


def k8s(kind: str, spec: str, name: str = "web", version: str = "v1", labels: str = "", more: str = "") -> str:
    metadata = f"{{name: {name}, labels: {{{labels}}}{more}}}"
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {metadata}\nspec: {spec}\n"


def pod(labels: str, name: str = "web-1", more: str = "", **given: str) -> str:
    return k8s("Pod", f"{{containers: [{{name: c, image: c}}]{more}}}", name, labels=labels, **given)


def made(kind: str, labels: str, group: str = "apps/v1") -> str:
    template = f"{{metadata: {{labels: {{{labels}}}}}, spec: {{containers: [{{name: c, image: c}}]}}}}"
    return k8s(kind, f"{{template: {template}}}", version=group)


def service(ports: str = "{port: 80, name: http}", selector: str = "app: web", **given: str) -> str:
    return k8s("Service", f"{{selector: {{{selector}}}, ports: [{ports}]}}", **given)


def rule(labels: str, host: str = "web", name: str = "v") -> str:
    return istio("DestinationRule", f"{{host: {host}, subsets: [{{name: {name}, labels: {{{labels}}}}}]}}")


def gateway(selector: str, port: int = 80, name: str = "front") -> str:
    server = f"{{port: {{number: {port}, name: http, protocol: HTTP}}, hosts: [a.com]}}"
    return istio("Gateway", f"{{selector: {{{selector}}}, servers: [{server}]}}", name)


def secure(name: str, credential: str) -> str:
    port, tls = "{number: 443, name: https, protocol: HTTPS}", f"{{mode: SIMPLE, credentialName: {credential}}}"
    server = f"{{port: {port}, hosts: [{name}.com], tls: {tls}}}"
    return istio("Gateway", f"{{selector: {{istio: ingressgateway}}, servers: [{server}]}}", name)


def istio(kind: str, spec: str, name: str = "web") -> str:
    return f"apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"


def found(*documents: str) -> list[str]:
    (report,) = check([("f.yaml", "---\n".join(documents))])
    return [f"{p.code} {p.severity}: {p.path}: {p.message}" for p in (*report.errors, *report.warnings)]


V1 = "app: web, version: v1"
EDGE = "istio: edge, app: edge"
EDGE_PORTS = service("{port: 80, targetPort: 8080, name: http}", "app: edge", name="edge")
NAMED = service("{port: 80, targetPort: web, name: http}", "app: edge", name="edge")
NAMED_POD = k8s("Pod", "{containers: [{name: c, ports: [{name: web, containerPort: 8081}]}]}", labels=EDGE)
JOB = k8s("CronJob", "{jobTemplate: {spec: {template: {metadata: {labels: {version: v1}}}}}}", version="batch/v1")

ROWS = [
    # subsets and pods
    ([service(), rule("version: v2")], []),
    ([service(), pod(V1), rule("version: v1")], []),
    ([service(), pod(V1), rule("version: v2")], ["IST0173 error: spec.subsets[0]: no pod of web has the labels version=v2"]),
    *(([service(), made(kind, V1), rule("version: v1")], []) for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")),
    ([service(), made("Job", V1, "batch/v1"), rule("version: v1")], []),
    ([service(), JOB, rule("version: v1")], []),
    ([service(), made("Deployment", V1), rule("version: v2")], ["IST0173 error: spec.subsets[0]"]),
    ([service(), pod(V1), rule("topology.kubernetes.io/zone: a")], []),
    # a Gateway's pods
    ([gateway("istio: ingressgateway")], []),
    ([gateway("istio: ingressgateway", 8081)], ["IST0162 warning: spec.servers[0].port.number: no Service here leads to port 8081 of the pods with istio=ingressgateway; they have 80, 443"]),
    ([gateway("istio: edge")], ["IST0101 warning: spec.selector: no pod with istio=edge is here"]),
    ([gateway("istio: edge"), pod("istio: egde")], ["IST0101 error: spec.selector: no pod here has the labels istio=edge, so nothing serves this Gateway; they have egde"]),
    ([gateway("istio: edge"), pod(EDGE)], ["IST0162 warning: spec.servers[0].port.number: no Service here leads to port 80 of the pods with istio=edge"]),
    ([gateway("istio: edge"), made("Deployment", EDGE), EDGE_PORTS], []),
    ([gateway("istio: edge"), pod(EDGE), EDGE_PORTS], []),
    ([gateway("istio: edge", 8080), pod(EDGE), EDGE_PORTS], []),
    ([gateway("istio: edge", 8081), pod(EDGE), EDGE_PORTS], ["IST0162 warning: spec.servers[0].port.number: no Service here leads to port 8081 of the pods with istio=edge; they have 80, 8080"]),
    ([gateway("istio: edge", 8081), NAMED_POD, NAMED], []),
    # two Gateways for the same pods
    ([gateway("istio: edge"), gateway("istio: edge, app: edge", name="b"), pod(EDGE), EDGE_PORTS], ["IST0145 error: spec.servers[0]: Gateway default/b admits a.com", "IST0145 error: spec.servers[0]: Gateway default/front admits a.com"]),
    ([gateway("istio: edge"), gateway("app: edge", name="b"), pod(EDGE), EDGE_PORTS], []),
    # certificates
    ([secure("a", "one"), secure("b", "one")], ["IST0138 warning: spec.servers[0].tls: Gateway default/a has the same", "IST0138 warning: spec.servers[0].tls: Gateway default/b has the same"]),
    ([secure("a", "one"), secure("b", "two")], []),
    # users and annotations
    ([pod(V1, more=", securityContext: {runAsUser: 1337}")], ["IST0144 warning: spec.securityContext.runAsUser: 1337 is the user of Istio's proxy"]),
    ([service(more=", annotations: {networking.istio.io/exporTo: .}")], ['IST0108 warning: metadata.annotations["networking.istio.io/exporTo"]: is not an annotation of Istio, and has no effect; did you mean networking.istio.io/exportTo?']),
    ([service(more=", annotations: {sidecar.istio.io/logLevel: debug}")], ['IST0107 warning: metadata.annotations["sidecar.istio.io/logLevel"]: belongs on Pod']),
    ([pod(V1, more="")], []),
    ([k8s("Service", "{type: ExternalName, externalName: a.com, ports: [{port: 80, name: tcp}]}")], ["IST0150 warning: spec.ports[0].name"]),
]  # fmt: skip


@pytest.mark.parametrize(("documents", "expected"), ROWS, ids=range(len(ROWS)))
def test_pods_in_a_file_count(documents: list[str], expected: list[str]) -> None:
    actual = found(*documents)
    assert len(actual) == len(expected), actual
    assert all(each.startswith(start) for each, start in zip(sorted(actual), sorted(expected), strict=True)), actual


def test_the_gateway_that_is_played_needs_no_pod() -> None:
    experiment = "apiVersion: chaos/v1alpha1\nkind: Experiment\nspec: {proxy: {gateway: front}}\n"
    assert found(experiment, gateway("istio: edge", 8081)) == []


def test_a_subset_is_lost_behind_a_gateway() -> None:
    """A rule for sidecars chooses a subset; the gateway's rule sends to the whole service."""
    inner = istio("VirtualService", "{hosts: [web], http: [{route: [{destination: {host: web, subset: v1}}]}]}")
    outer = "{hosts: [a.com], gateways: [front], http: [{route: [{destination: {host: web}}]}]}"
    lost = found(
        gateway("istio: ingressgateway"),
        service(),
        rule("version: v1", name="v1"),
        inner,
        istio("VirtualService", outer, "edge"),
    )
    assert lost == [
        "IST0140 warning: spec.http[0].route[0].destination: "
        "VirtualService default/web is not applied behind a gateway; name its subset of web here"
    ]
