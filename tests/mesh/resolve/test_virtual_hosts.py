"""Which virtual host a Host leads to, and which VirtualService's rules it has, for a sidecar and for a gateway."""

from __future__ import annotations

import pytest
from support.mesh import forwarded, request, rules_of, taken, virtual_service

from chaos.mesh.compile.rules import Rules
from chaos.mesh.names import Proxy

WEB = {"web:80": [{}]}


def answer(name: str) -> str:
    return f"- {{name: {name}, directResponse: {{status: 200}}}}"


FAULTY = """
- name: x
  fault: {abort: {percentage: {value: 50}, httpStatus: 400}}
  route: [{destination: {host: multi}}]
"""


def reached(rules: Rules, host: str, target: str = "/") -> str | None:
    return taken(rules, request(target, host=host))


ALIASES = [
    ("web", "hit"),
    ("WEB", "hit"),
    ("web:80", "hit"),
    ("web:12345", None),
    ("web.default", "hit"),
    ("web.default.svc", "hit"),
    ("web.default.svc.cluster.local", "hit"),
    ("web.default.svc.cluster.local:80", "hit"),
    ("web.default.svc.cluster.local:9080", None),
    ("web:99999999", None),
    ("web:http", None),
    ("web.default.svc.cluster.local.", "hit"),
    ("web.default.svc.cluster", None),
    ("web.other", None),
    ("nosuch", None),
]


@pytest.mark.parametrize(("host", "rule"), ALIASES)
def test_every_alias_of_a_registered_service_leads_to_its_rules(host: str, rule: str | None) -> None:
    assert reached(rules_of(virtual_service(answer("hit")), WEB), host) == rule


def test_the_bare_name_means_the_clients_namespace() -> None:
    services = {"web.team.svc.cluster.local:80": [{}]}
    document = virtual_service(answer("hit"), hosts="[web.team.svc.cluster.local]")
    assert reached(rules_of(document, services), "web") is None
    assert reached(rules_of(document, services), "web.team") == "hit"
    assert reached(rules_of(document, services, Proxy(namespace="team")), "web") == "hit"


def test_a_host_that_is_no_registered_service_answers_to_that_name_alone() -> None:
    rules = rules_of(virtual_service(answer("hit"), hosts="[shop.example.com, ghost]"), WEB)
    assert reached(rules, "shop.example.com:80") == "hit"
    assert reached(rules, "shop.example.com:81") is None
    assert reached(rules, "shop.example.com.") is None
    assert reached(rules, "ghost.default.svc.cluster.local") == "hit"
    assert reached(rules, "ghost") is None


def test_a_dotted_host_is_taken_as_it_is() -> None:
    """`web.default` claims that spelling only; the others keep the service's own route."""
    rules = rules_of(virtual_service(answer("hit"), hosts="[web.default]"), WEB)
    assert reached(rules, "web.default") == "hit"
    assert reached(rules, "web") == "web.default.svc.cluster.local:80"


def test_exact_before_long_wildcard_before_short_before_star() -> None:
    gateway = "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: gw}\nspec:\n  servers:\n"
    gateway += "  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}\n"
    hosts = {"any": "'*'", "short": "'*.com'", "long": "'*.example.com'", "exact": "a.example.com"}
    documents = "".join(
        virtual_service(answer(name), name=name, hosts=f"[{host}]").replace("  http:", "  gateways: [gw]\n  http:")
        for name, host in hosts.items()
    )
    rules = rules_of(gateway + documents, WEB, Proxy(gateway="gw"))
    rows = {
        "a.example.com": "exact",
        "A.Example.com:8080": "exact",
        "b.example.com": "long",
        "a.b.example.com": "long",
        "example.com": "short",
        "x.org": "any",
        "10.1.2.3:80": "any",
    }
    assert {host: reached(rules, host) for host in rows} == rows


def test_a_chosen_host_has_no_fallback() -> None:
    """No route of the exact host matches: 404, though a wildcard would take it."""
    exact = virtual_service(
        "- {name: exact, match: [{uri: {exact: /only}}], directResponse: {status: 200}}", name="a", hosts="[a.x.org]"
    )
    rules = rules_of(exact + virtual_service(answer("wild"), name="w", hosts="['*.x.org']"), WEB)
    assert reached(rules, "a.x.org") is None
    assert reached(rules, "b.x.org") == "wild"


def test_a_sidecar_uses_the_oldest_virtual_service_of_a_host_alone() -> None:
    old = virtual_service(
        "- {name: old, match: [{uri: {exact: /old}}], directResponse: {status: 200}}",
        name="z",
        creationTimestamp="2020-01-01T00:00:00Z",
    )
    new = virtual_service(answer("new"), name="a", creationTimestamp="2021-01-01T00:00:00Z", hosts="[web, other]")
    rules = rules_of(new + old, WEB)
    assert (reached(rules, "web", "/old"), reached(rules, "web", "/x")) == ("old", None)
    assert reached(rules, "other.default.svc.cluster.local") == "new"
    assert [problem.code for problem in rules.problems] == ["IST0109"]


def test_without_timestamps_the_name_decides_then_the_namespace() -> None:
    rules = rules_of(virtual_service(answer("b"), name="b") + virtual_service(answer("a"), name="a"), WEB)
    assert reached(rules, "web") == "a"
    full = "[web.default.svc.cluster.local]"
    two = virtual_service(answer("n2"), name="x", namespace="n2", hosts=full)
    assert (
        reached(rules_of(two + virtual_service(answer("n1"), name="x", namespace="n1", hosts=full), WEB), "web") == "n1"
    )


def test_a_sidecars_wildcard_stands_for_the_services_it_covers() -> None:
    services = {
        "a.shop.svc.cluster.local:80": [{}],
        "b.shop.svc.cluster.local:80": [{}],
        "c.other.svc.cluster.local:80": [{}],
    }
    documents = virtual_service(answer("all"), name="all", hosts="['*.svc.cluster.local']")
    documents += virtual_service(answer("shop"), name="shop", hosts="['*.shop.svc.cluster.local']")
    documents += virtual_service(answer("a"), name="z", hosts="[a.shop.svc.cluster.local]")
    rules = rules_of(documents, services)
    assert reached(rules, "a.shop") == "a"
    assert reached(rules, "b.shop.svc") == "shop"
    assert reached(rules, "c.other") == "all"
    assert reached(rules, "d.shop.svc.cluster.local") is None  # the wildcard itself is no virtual host then


def test_binding_and_export_decide_what_exists() -> None:
    gateway = virtual_service(answer("gw"), name="a").replace("  http:", "  gateways: [gw]\n  http:")
    hidden = virtual_service(answer("hidden"), name="b", namespace="other", hosts="[web.default.svc.cluster.local]")
    hidden = hidden.replace("  http:", "  exportTo: ['.']\n  http:")
    both = virtual_service(answer("both"), name="c").replace("  http:", "  gateways: [gw, mesh]\n  http:")
    assert reached(rules_of(gateway + hidden + both, WEB), "web") == "both"


def test_a_registered_service_without_virtual_service_has_its_own_route() -> None:
    rules = rules_of("", {"web:8080": [{}]})
    assert reached(rules, "web:8080") == "web.default.svc.cluster.local:8080"
    assert reached(rules, "web") is None
    assert [(info.key, info.is_default) for info in rules.rules] == [
        ("service/web.default.svc.cluster.local:8080", True)
    ]


GATEWAY = """---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: edge}
spec:
  servers:
  - {port: {number: 8080, name: http, protocol: HTTP}, hosts: HOSTS}
  - {port: {number: 9090, name: other, protocol: HTTP}, hosts: ['*']}
"""


def at_gateway(hosts: str, *documents: str, port: int | None = None) -> Rules:
    bound = [document.replace("  http:", "  gateways: [edge/gw]\n  http:") for document in documents]
    return rules_of(
        GATEWAY.replace("HOSTS", hosts) + "".join(bound), WEB, Proxy(gateway="gw", namespace="edge", port=port)
    )


SERVER_HOSTS = [
    ("['*']", True),
    ("['*.example.com']", True),
    ("[a.example.com]", True),
    ("[b.example.com]", False),
    ("['default/*']", True),
    ("['team/*']", False),
    ("['*/a.example.com']", True),
    ("['./*']", False),
]


@pytest.mark.parametrize(("hosts", "open_"), SERVER_HOSTS)
def test_a_gateway_admits_hosts_and_namespaces(hosts: str, open_: bool) -> None:
    rules = at_gateway(hosts, virtual_service(answer("hit"), hosts="[a.example.com]"))
    assert (reached(rules, "a.example.com") == "hit") is open_


def test_of_server_host_and_virtual_service_host_the_narrower_counts() -> None:
    rules = at_gateway("[a.example.com, b.example.com]", virtual_service(answer("hit"), hosts="['*.example.com']"))
    assert rules.hosts == ("a.example.com", "b.example.com")
    assert reached(rules, "c.example.com") is None


def test_a_gateway_concatenates_and_moves_catch_alls_to_the_end() -> None:
    first = "- {name: one, match: [{uri: {exact: /1}}], directResponse: {status: 200}}\n" + answer("rest-1")
    second = "- {name: two, match: [{uri: {exact: /2}}], directResponse: {status: 200}}\n" + answer("rest-2")
    documents = [virtual_service(text, name=name, hosts="[a.org]") for name, text in (("v1", first), ("v2", second))]
    rules = at_gateway("['*']", *documents)
    assert [reached(rules, "a.org", path) for path in ("/1", "/2", "/3")] == ["one", "two", "rest-1"]


def test_the_listener_is_the_first_servers_unless_the_proxy_says_another() -> None:
    document = virtual_service(answer("hit"), hosts="[a.org]")
    assert at_gateway("[b.org]", document).listener_of(b"a.org") == 8080
    assert reached(at_gateway("[b.org]", document), "a.org") is None
    assert reached(at_gateway("[b.org]", document, port=9090), "a.org") == "hit"


def test_a_gateway_serves_no_mesh_service_by_itself() -> None:
    assert at_gateway("['*']").hosts == ()


def test_a_gateways_name_may_leave_out_the_namespace_when_there_is_only_one() -> None:
    documents = GATEWAY.replace("HOSTS", "['*']") + virtual_service(answer("hit"), hosts="[a.org]").replace(
        "  http:", "  gateways: [edge/gw]\n  http:"
    )
    assert reached(rules_of(documents, WEB, Proxy(gateway="gw", namespace="istio-system")), "a.org") == "hit"


BOOKINFO = {"ratings:9080": [{}], "reviews:9080": [{}], "multi:80": [{}], "multi:8080": [{}]}


def test_a_sidecar_has_a_listener_for_each_http_port() -> None:
    """The port that Host names says which; a service's rules are where it has a port."""
    documents = virtual_service(answer("ratings"), hosts="[ratings]", name="ratings")
    documents += virtual_service(
        "- {name: other, match: [{port: 8080}], directResponse: {status: 200}}\n" + answer("rest"),
        hosts="[multi]",
        name="multi",
    )
    rules = rules_of(documents, BOOKINFO)
    rows = {
        "ratings:9080": "ratings",
        "ratings": None,
        "ratings.default.svc.cluster.local": "ratings@80",  # a virtual host without a service, on 80 alone
        "reviews:9080": "reviews.default.svc.cluster.local:9080",
        "multi": "rest",
        "multi:8080": "other",
        "multi:9080": None,
        "ratings:7777": None,
    }
    found = {host: reached(rules, host) for host in rows}
    assert found == {**rows, "ratings:9080": "ratings@9080", "ratings.default.svc.cluster.local": "ratings"}


def test_a_listener_that_is_named_takes_whatever_port_host_names() -> None:
    rules = rules_of(virtual_service(answer("hit"), hosts="[ratings]"), BOOKINFO, Proxy(port=9080))
    assert {reached(rules, host) for host in ("ratings", "ratings:80", "ratings:9080", "ratings:1")} == {"hit"}


def test_a_rule_on_two_listeners_has_a_key_for_each() -> None:
    rules = rules_of(virtual_service(FAULTY, hosts="[multi]", name="multi"), BOOKINFO)
    own = [info for info in rules.rules if not info.is_default]
    base = "virtualservice/default/multi/0"
    assert [(info.key, info.rule.base_key) for info in own] == [(base, base), (f"{base}@8080", base)]


def test_rules_for_hosts_that_are_no_service_stand_beside_a_service_on_its_port() -> None:
    """And on 80, where some service is said to speak HTTP."""
    documents = virtual_service(answer("hit"), hosts="[foo.com, ratings]")
    rules = rules_of(documents, BOOKINFO)
    assert reached(rules, "foo.com") is not None and reached(rules, "foo.com:9080") is not None
    assert reached(rules, "foo.com:8080") is None
    assert reached(rules_of(documents, {"ratings:9080": [{}]}), "foo.com") is None


def test_a_virtual_service_without_a_rule_for_this_proxy_keeps_its_service_from_wildcards() -> None:
    unreachable = "- {name: x, match: [{sourceLabels: {a: b}}], directResponse: {status: 200}}"
    documents = virtual_service(unreachable) + virtual_service(answer("wild"), name="w", hosts="['*.local']")
    assert reached(rules_of(documents, WEB), "web") == "web.default.svc.cluster.local:80"
    same_host = virtual_service(unreachable) + virtual_service(answer("second"), name="z")
    assert reached(rules_of(same_host, WEB), "web") == "second"


def exporting(name: str, to: str, **more: str) -> str:
    document = virtual_service(answer(name), name=name, hosts="[web.default.svc.cluster.local]", **more)
    return document.replace("  http:", f"  exportTo: {to}\n  http:")


def test_private_rules_come_before_those_exported_by_name_and_these_before_public_ones() -> None:
    """Whatever their age."""
    public = exporting("public", "['*']", creationTimestamp="2001-01-01T00:00:00Z")
    named = exporting("named", "[default]", namespace="other", creationTimestamp="2002-01-01T00:00:00Z")
    private = exporting("private", "['.']")
    assert reached(rules_of(public + named + private, WEB), "web") == "private"
    assert reached(rules_of(public + named, WEB), "web") == "named"


WORKLOAD = """---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: NAME}
spec:
  selector: {istio: SELECTOR}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]
"""


def test_gateways_for_the_same_workload_play_together() -> None:
    selectors = {"one": "in", "two": "in", "three": "out"}
    documents = [WORKLOAD.replace("NAME", name).replace("SELECTOR", label) for name, label in selectors.items()]
    for name in selectors:
        bound = virtual_service(answer(name), name=name, hosts=f"[{name}.org]")
        documents.append(bound.replace("  http:", f"  gateways: [{name}]\n  http:"))
    rules = rules_of("".join(documents), WEB, Proxy(gateway="one"))
    assert [reached(rules, host) for host in ("one.org", "two.org", "three.org")] == ["one", "two", None]


def test_hosts_of_gateway_rules_and_destinations_are_compared_as_written() -> None:
    assert forwarded(rules_of(virtual_service("- route: [{destination: {host: WEB}}]"), WEB)).cluster is None
    assert reached(rules_of(virtual_service(answer("hit"), hosts="[WEB]"), WEB), "web") == "hit"


ENTRIES = """---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: entries}
spec:
  hosts: [ledger, '*.wild.org']
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1}]
"""


def test_entries_keep_their_names_and_a_wildcard_serves_every_name_under_it() -> None:
    rules = rules_of(ENTRIES + virtual_service(answer("hit"), hosts="[ledger]"), WEB)
    assert reached(rules, "ledger") == "ledger:80"  # the rule is for ledger.default.svc.cluster.local
    assert reached(rules, "a.wild.org") == "*.wild.org:80"
    assert forwarded(rules, request("/", host="a.wild.org")).cluster is not None
    assert reached(rules, "ledger:443") is None
