"""Names: short and full, aliases, wildcards, intersections, visibility, and the registry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.mesh import forwarded, request, rules_of, taken, virtual_service

from chaos.mesh.compile.hosts import HostTable, without_port
from chaos.mesh.decision import Endpoint
from chaos.mesh.names import Proxy, aliases, covers, exported, full_name, intersection, qualified, specificity
from chaos.mesh.upstream.registry import Port, Registry, parse_host_port

FULL_NAMES = [
    ("web", "web.ns.svc.cluster.local"),
    ("WEB", "WEB.ns.svc.cluster.local"),
    ("web.default", "web.default"),
    ("*", "*"),
    ("*.com", "*.com"),
    ("10.0.0.1", "10.0.0.1"),
    ("::1", "::1"),
    ("2001:db8::1", "2001:db8::1"),
]


@pytest.mark.parametrize(("name", "full"), FULL_NAMES)
def test_full_names(name: str, full: str) -> None:
    assert full_name(name, "ns") == full


def test_aliases() -> None:
    full = "web.a.svc.cluster.local"
    assert aliases(full, "b") == (full, f"{full}.", "web.a", "web.a.svc")
    assert aliases(full, "a") == (full, f"{full}.", "web.a", "web.a.svc", "web")
    assert aliases("api.example.com", "a") == ("api.example.com", "api.example.com.")


COVERS = [
    ("*", "a", True),
    ("*", "*", True),
    ("*.x.y", "a.x.y", True),
    ("*.x.y", "a.b.x.y", True),
    ("*.x.y", "x.y", False),
    ("*x.y", "x.y", True),
    ("*x.y", "ax.y", True),
    ("*x.y", "*.x.y", True),
    ("*.x.y", "*.a.x.y", True),
    ("*.a.x.y", "*.x.y", False),
    ("*.x.y", "*.x.y", True),
    ("a.x", "a.x", True),
    ("a.x", "*.x", False),
]


@pytest.mark.parametrize(("pattern", "host", "expected"), COVERS)
def test_covers(pattern: str, host: str, expected: bool) -> None:
    assert covers(pattern, host) is expected


HOSTS = st.builds(
    lambda star, labels: ("*." if star else "") + ".".join(labels),
    st.booleans(),
    st.lists(st.sampled_from("abc"), min_size=1, max_size=3),
)


@given(HOSTS, HOSTS)
def test_an_intersection_is_covered_by_both_sides(left: str, right: str) -> None:
    for host in intersection([left], [right]):
        assert covers(left, host) and covers(right, host)
    assert intersection([left], [right]) == intersection([right], [left])


@given(st.lists(HOSTS, min_size=1, max_size=6, unique=True), HOSTS.filter(lambda host: not host.startswith("*")))
def test_the_host_table_finds_the_most_specific_pattern(patterns: list[str], host: str) -> None:
    fitting = sorted((pattern for pattern in patterns if covers(pattern, host)), key=specificity)
    found = HostTable((pattern, 80, pattern) for pattern in patterns).find(host.upper().encode() + b":80")
    assert found == (fitting[0] if fitting else None)


PORTS = [("web", "web"), ("web:80", "web"), ("web:", "web"), ("[::1]", "[::1]"), ("[::1]:80", "[::1]")]


@pytest.mark.parametrize(("authority", "host"), PORTS)
def test_the_port_of_a_host_is_ignored(authority: str, host: str) -> None:
    assert without_port(authority.encode()) == host.encode()


EXPORTS = [
    ([], "a", "b", True),
    (["*"], "a", "b", True),
    (["."], "a", "b", False),
    (["."], "a", "a", True),
    (["b"], "a", "b", True),
    (["c"], "a", "b", False),
    (["~"], "a", "a", False),
]


@pytest.mark.parametrize(("export_to", "owner", "namespace", "seen"), EXPORTS)
def test_exported(export_to: list[str], owner: str, namespace: str, seen: bool) -> None:
    assert exported(export_to, owner, namespace) is seen


def test_gateways_are_qualified() -> None:
    assert [qualified(name, "ns") for name in ("mesh", "gw", "a/gw", "./gw")] == ["mesh", "ns/gw", "a/gw", "ns/gw"]
    assert [qualified(name, "ns") for name in ("gw.a", "gw.a.svc.cluster.local")] == ["a/gw", "a/gw"]


HOST_PORTS = [("web", ("web", None)), ("web:80", ("web", 80)), ("[::1]:80", ("[::1]", 80)), ("::1", ("::1", None))]


@pytest.mark.parametrize(("text", "expected"), HOST_PORTS)
def test_parse_host_port(text: str, expected: tuple[str, int | None]) -> None:
    assert parse_host_port(text) == expected


@pytest.mark.parametrize("text", ["web:0", "web:65536", "web:x", "web:-1", "web:"])
def test_a_bad_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a port"):
        parse_host_port(text)


def test_endpoints_of_one_port_add_up() -> None:
    one, two = Endpoint("127.0.0.1", 1), Endpoint("127.0.0.1", 2)
    registry = Registry.of([("web", None, [one]), ("web.default.svc.cluster.local", 80, [two])])
    service = registry.get("web.default.svc.cluster.local")
    assert service is not None and service.ports == {80: Port((one, two))}


SERVICE_ENTRY = """---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ext}
spec:
  hosts: [api.example.com]
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: 9000}, {number: 81, name: other, protocol: HTTP}]
  resolution: STATIC
  endpoints:
  - {address: 127.0.0.2, labels: {version: v1}, weight: 3}
  - {address: 127.0.0.3, ports: {http: 9001}}
EXPORT"""


def test_a_service_entry_registers_its_hosts() -> None:
    rules = rules_of(SERVICE_ENTRY.replace("EXPORT", ""))
    found = forwarded(rules, request("/", host="api.example.com")).cluster
    assert found is not None
    assert found.endpoints == (
        Endpoint("127.0.0.2", 9000, (("version", "v1"),), 3),
        Endpoint("127.0.0.3", 9001),
    )
    assert rules.registry.services["api.example.com"].ports[81].endpoints[1] == Endpoint("127.0.0.3", 81)


def test_listed_endpoints_stay_beside_a_service_entry() -> None:
    rules = rules_of(SERVICE_ENTRY.replace("EXPORT", ""), {"api.example.com:80": [{}]})
    assert [endpoint.port for endpoint in rules.registry.services["api.example.com"].ports[80].endpoints] == [20000]


def test_a_hidden_service_entry_does_not_exist() -> None:
    text = SERVICE_ENTRY.replace("EXPORT", "  exportTo: ['.']\n").replace("name: ext", "name: ext, namespace: other")
    assert taken(rules_of(text), request("/", host="api.example.com")) is None


def test_a_virtual_service_may_take_a_service_entrys_host() -> None:
    document = virtual_service("- {name: hit, directResponse: {status: 200}}", hosts="[api.example.com]")
    rules = rules_of(SERVICE_ENTRY.replace("EXPORT", "") + document, proxy=Proxy())
    assert taken(rules, request("/", host="api.example.com:80")) == "hit"
