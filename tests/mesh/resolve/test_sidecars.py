# ruff: noqa: E501 - a row of a table stays on one line
"""What a Sidecar leaves of the mesh. The tables are what istiod itself made of these documents."""

from __future__ import annotations

import pytest
from support.mesh import load_resources, virtual_service

from chaos.experiment.listeners import listener_problems
from chaos.experiment.read import read_experiment
from chaos.experiment.tasks import load_tasks
from chaos.mesh.check.report import check
from chaos.mesh.compile.rules import compile_rules
from chaos.mesh.decision import Request
from chaos.mesh.explain.asking import explain
from chaos.mesh.names import Proxy
from chaos.mesh.resolve.mesh import ResolvedMesh, resolve
from chaos.mesh.upstream.registry import Registry

CLIENT = Proxy(namespace="default", labels={"app": "client"})


def service(name: str, namespace: str = "default", ports: str = "80 http") -> str:
    listed = ", ".join(f"{{port: {each.split()[0]}, name: {each.split()[1]}}}" for each in ports.split(","))
    return f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{ports: [{listed}]}}\n"


def to(host: str, port: str = "") -> str:
    return f"- route: [{{destination: {{host: {host}{f', port: {{number: {port}}}' if port else ''}}}}}]"


def sidecar(hosts: str, port: str = "", namespace: str = "default", name: str = "default", selector: str = "") -> str:
    egress = f"egress: [{{hosts: [{hosts}]{f', port: {port}' if port else ''}}}]"
    return written(egress, namespace, name, selector)


def written(spec: str, namespace: str = "default", name: str = "default", selector: str = "") -> str:
    chosen = f", workloadSelector: {{labels: {{{selector}}}}}" if selector else ""
    return f"---\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{{spec}{chosen}}}\n"


MESH = (
    service("a") + service("b") + service("c", "other") + service("d", "other", "80 http,8080 http-x,9000 tcp")
    + service("e", ports="8080 http")
    + virtual_service(to("b"), hosts="[a]", name="a", creationTimestamp="2024-01-01T00:00:01Z")
    + virtual_service(to("a"), hosts="[c.other.svc.cluster.local]", name="c", namespace="other")
    + virtual_service(to("c.other.svc.cluster.local", "80"), hosts="[ext.com]", name="ext")
)  # fmt: skip


def hosts(mesh: ResolvedMesh) -> str:
    """The virtual hosts of each listener, by their short names: `80: a b; 8080: e`."""
    listed = {each.port: sorted(host.host.split(".svc.")[0] for host in each.virtual_hosts) for each in mesh.listeners}
    return "; ".join(f"{port}: {' '.join(names)}" for port, names in listed.items())


def resolved(sidecars: str, proxy: Proxy = CLIENT) -> ResolvedMesh:
    return resolve(load_resources(MESH + sidecars), Registry(), proxy)


ALL = "80: a.default b.default c.other d.other ext.com; 8080: d.other e.default"
OWN = "80: a.default b.default ext.com; 8080: e.default"
THEIRS = "80: c.other d.other; 8080: d.other"
ON_80 = "{number: 80, protocol: HTTP, name: http}"
ON_8080 = "{number: 8080, protocol: HTTP, name: http}"

ROWS = [
    ("", ALL),
    (sidecar("./*"), OWN),
    (sidecar("other/*"), THEIRS),
    (sidecar("'*/a.default.svc.cluster.local'"), "80: a.default"),
    (sidecar("'*/*.default.svc.cluster.local'"), "80: a.default b.default; 8080: e.default"),
    (sidecar("'*/*', ~other/*"), OWN),
    (sidecar("'~/*', ./*"), ""),
    (sidecar("'~*/c.other.svc.cluster.local', '*/*'"), "80: a.default b.default d.other ext.com; 8080: d.other e.default"),
    (sidecar("istio-system/*"), ""),
    (sidecar("./e.default.svc.cluster.local"), "8080: e.default"),
    # which one counts
    (sidecar("./*", namespace="istio-system"), OWN),
    (sidecar("other/*", namespace="istio-system") + sidecar("./*"), OWN),
    (sidecar("./*", selector="app: x"), ALL),
    (sidecar("./*", selector="app: client", name="w") + sidecar("other/*"), OWN),
    (sidecar("./*", namespace="istio-system", selector="app: client"), ALL),
    (written("outboundTrafficPolicy: {mode: REGISTRY_ONLY}"), ALL),
    # listeners of their own
    (written(f"egress: [{{port: {ON_80}, hosts: [./*]}}, {{hosts: [other/*]}}]"), "80: a.default b.default ext.com; 8080: d.other"),
    (sidecar("./*", ON_8080), "8080: e.default"),
]  # fmt: skip


@pytest.mark.parametrize(("sidecars", "expected"), ROWS, ids=range(len(ROWS)))
def test_a_sidecar_limits_what_the_proxy_sees(sidecars: str, expected: str) -> None:
    assert hosts(resolved(sidecars)) == expected


def test_destinations_of_imported_rules_are_seen_too() -> None:
    """The rule for ext.com leads to port 80 of c, whose namespace is not imported; d is led to by nothing."""
    mesh = resolved(sidecar("./*"))
    assert set(mesh.registry.services) == {
        f"{name}.svc.cluster.local" for name in ("a.default", "b.default", "c.other", "e.default")
    }


def test_a_gateway_has_no_sidecar() -> None:
    assert resolved(sidecar("istio-system/*"), Proxy("gw")).scope is None


def asked(host: str, sidecars: str) -> str:
    rules = compile_rules(load_resources(MESH + sidecars), Registry(), CLIENT)
    return explain(rules, Request(b"GET", b"/", host.encode(), ())).nothing_here


def test_explain_says_which_sidecar_hides_a_service() -> None:
    said = asked("c.other", sidecar("./*"))
    assert said.startswith("Sidecar default/default (rules.yaml:")
    assert said.endswith("hides c; add other/c.other.svc.cluster.local to its egress hosts")
    assert asked("c.other:81", sidecar("./*")) == "c has no HTTP on port 81: its port is 80; ask for http://c:80/"


def test_a_rule_that_is_not_imported_is_left_out_with_the_reason() -> None:
    left = [each for each in resolved(sidecar("./*")).left_out if each.owner.name == "c"]
    assert {each.reason.partition(" (")[0] for each in left} == {"not imported by Sidecar default/default"}


def findings(text: str) -> list[str]:
    (report,) = check([("f.yaml", text)])
    return [f"{p.code} {p.severity}: {p.path}: {p.message}" for p in (*report.errors, *report.warnings, *report.infos)]


POD = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {app: a, v: b}}\nspec: {}\n"
ONE, TWO = sidecar("'*/*'", name="one"), sidecar("'*/*'", name="two")

CHECKS = [
    (sidecar("'*/*'"), []),
    (service("a") + sidecar("istio-system/*"), ["hides-all warning: spec.egress: hides every service here (a.default) from its workloads; to see them write ./*"]),
    (service("a", "other") + sidecar("./*"), ["hides-all warning: spec.egress: hides every service here (a.other) from its workloads; to see them write other/*"]),
    (service("a") + sidecar("./*, ./b.default.svc.cluster.local"), ["admission warning: spec.egress[0].hosts[1]: ./b.default.svc.cluster.local is imported already"]),
    (service("a") + sidecar("./a.default.svc.cluster.local, ./bb.default.svc.cluster.local"), ["no-effect info: spec.egress[0].hosts[1]: ./bb.default.svc.cluster.local imports none of the services here; did you mean a.default.svc.cluster.local?"]),
    (sidecar("reviews"), ["admission error: spec.egress[0].hosts[0]: \"reviews\" lacks its namespace; write ./reviews, namespace/reviews or */reviews"]),
    (sidecar("./reviews"), ["admission error: spec.egress[0].hosts[0]: the short name \"reviews\" is refused here"]),
    (sidecar("a_b/*"), ["admission error: spec.egress[0].hosts[0]: \"a_b\" is not a namespace"]),
    (sidecar(""), ["admission error: spec.egress[0].hosts: needs at least one host"]),
    (written(""), ["admission error: spec: a Sidecar needs egress, ingress"]),
    (written("egress: [{hosts: ['*/*']}, {hosts: [./*]}]"), ["admission error: spec.egress[0]: a listener without a port takes all"]),
    (written(f"egress: [{{port: {ON_80}, hosts: ['*/*']}}, {{port: {ON_80}, hosts: ['*/*']}}]"), ["admission error: spec.egress[1].port.number: a second listener on port 80"]),
    (written("egress: [{port: {number: 80, protocol: HTP}, hosts: ['*/*']}]"), ["admission error: spec.egress[0].port.protocol: \"HTP\" is not a protocol"]),
    (written("ingress: [{port: {number: 80, protocol: HTTP}, defaultEndpoint: '10.0.0.1:80'}]"), ["admission error: spec.ingress[0].defaultEndpoint"]),
    (written("outboundTrafficPolicy: {mode: REGISTRY_ONLY, egressProxy: {host: a.com}}"), ["admission error: spec.outboundTrafficPolicy.egressProxy: needs mode", "IST0002 warning: spec.outboundTrafficPolicy.egressProxy"]),
    (written("outboundTrafficPolicy: {mode: SOME}"), ["schema error: spec.outboundTrafficPolicy.mode"]),
    (ONE + TWO, ["IST0111 error: spec: Sidecar default/two has no selector either", "IST0111 error: spec: Sidecar default/one has no selector either"]),
    (POD + sidecar("'*/*'", selector="app: b"), ["IST0101 error: spec.workloadSelector: no pod of default here has the labels app=b"]),
    (POD + sidecar("'*/*'", selector="app: a") + sidecar("'*/*'", selector="v: b", name="w"), ["IST0110 error: spec.workloadSelector: Sidecar default/w selects", "IST0110 error: spec.workloadSelector: Sidecar default/default selects"]),
    (sidecar("'*/*'", selector="app: b"), []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CHECKS, ids=range(len(CHECKS)))
def test_a_sidecar_is_checked(text: str, expected: list[str]) -> None:
    actual = findings(text)
    assert len(actual) == len(expected), actual
    assert all(each.startswith(start) for each, start in zip(actual, expected, strict=True)), actual


def test_a_task_for_a_hidden_service_is_found() -> None:
    """validate, plan and run share this check."""
    experiment = (
        "---\napiVersion: chaos/v1alpha1\nkind: Experiment\nspec: {load: {tasks: [{url: 'http://c.other/'}]}}\n"
    )
    reading = read_experiment([("f.yaml", MESH + sidecar("./*") + experiment)])
    rules = compile_rules(reading.resources, Registry(), CLIENT)
    (problem,) = listener_problems(reading, rules, load_tasks(reading.experiment.spec.load.tasks or ()))
    assert problem.code == "no-listener"
    assert "in a mesh nothing responds to http://c.other/: Sidecar default/default (f.yaml:" in problem.message


def test_a_rule_that_a_sidecar_hides_is_an_info() -> None:
    (said,) = [each for each in findings(MESH + sidecar("./*")) if each.startswith("not-imported")]
    assert said.startswith("not-imported info: spec.hosts: not imported by Sidecar default/default (f.yaml:")
