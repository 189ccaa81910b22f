# ruff: noqa: E501 - a row of a table stays on one line
"""What Istio's analyzers say about several resources together, and about rules that no request reaches."""

from __future__ import annotations

from textwrap import dedent

import pytest

from chaos.mesh.check.report import check


def document(kind: str, spec: str, name: str = "t", namespace: str = "default", **metadata: str) -> str:
    more = "".join(f", {key}: {value}" for key, value in metadata.items())
    return f"apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}{more}}}\nspec: {spec}\n"


def found(*documents: str) -> list[str]:
    """Errors and warnings with their codes."""
    (report,) = check([("f.yaml", "---\n".join(documents))])
    return [
        f"{problem.code} {problem.severity}: {problem.path}: {problem.message}"
        for problem in (*report.errors, *report.warnings)
    ]


def infos(*documents: str) -> list[str]:
    (report,) = check([("f.yaml", "---\n".join(documents))])
    return [f"{problem.code} {problem.path}: {problem.message}" for problem in report.infos]


def service(routes: str, hosts: str = "[web]", more: str = "", **metadata: str) -> str:
    return document("VirtualService", f"{{hosts: {hosts}, http: [{routes}]{more}}}", **metadata)


def to(host: str = "web", more: str = "") -> str:
    return f"route: [{{destination: {{host: {host}{more}}}}}]"


def entry(host: str = "web.default.svc.cluster.local", ports: str = "80", labels: str = "", **metadata: str) -> str:
    listed = ", ".join(f"{{number: {port}, name: http-{port}, protocol: HTTP}}" for port in ports.split())
    endpoints = f", endpoints: [{{address: 127.0.0.1, labels: {{{labels}}}}}]" if labels else ""
    spec = f"{{hosts: [{host}], ports: [{listed}], resolution: STATIC{endpoints}}}"
    return document(
        "ServiceEntry", spec, **{"name": f"entry-{'wide' if '*' in host else host.split('.')[0]}", **metadata}
    )


def gateway(hosts: str = "['*']", name: str = "gw", namespace: str = "default") -> str:
    server = f"{{port: {{number: 80, name: http, protocol: HTTP}}, hosts: {hosts}}}"
    return document("Gateway", f"{{selector: {{istio: ingressgateway}}, servers: [{server}]}}", name, namespace)


def rule(host: str = "web", subsets: str = "v1", labels: str = "version: v1", **metadata: str) -> str:
    listed = ", ".join(f"{{name: {subset}, labels: {{{labels}}}}}" for subset in subsets.split())
    return document("DestinationRule", f"{{host: {host}, subsets: [{listed}]}}", **metadata)


A, B, OPEN = "match: [{uri: {prefix: /a}}]", "match: [{uri: {prefix: /b}}]", to()

REACH: list[tuple[str, list[str]]] = [
    (f"{{{A}, {OPEN}}}, {{{OPEN}}}", []),
    (f"{{{OPEN}}}, {{{A}, {OPEN}}}", ["IST0130 spec.http[1]"]),
    (f"{{{OPEN}}}, {{{OPEN}}}", ["IST0130 spec.http[1]"]),
    (f"{{{A}, {OPEN}}}, {{{OPEN}}}, {{{OPEN}}}", ["IST0130 spec.http[2]"]),
    (f"{{{A}, {OPEN}}}, {{{A}, {OPEN}}}, {{{OPEN}}}", ["IST0130 spec.http[1]"]),
    (f"{{match: [{{name: x, uri: {{prefix: /a}}}}], {OPEN}}}, {{match: [{{name: z, uri: {{prefix: /a}}}}], {OPEN}}}", ["IST0130 spec.http[1]"]),
    (f"{{{A}, {OPEN}}}, {{match: [{{uri: {{prefix: /a}}}}, {{uri: {{prefix: /c}}}}], {OPEN}}}", []),
    (f"{{match: [{{uri: {{prefix: /a}}, headers: {{x: {{exact: '1'}}, z: {{exact: '2'}}}}}}], {OPEN}}}, {{match: [{{headers: {{z: {{exact: '2'}}, x: {{exact: '1'}}}}, uri: {{prefix: /a}}}}], {OPEN}}}", ["IST0130 spec.http[1]"]),
    (f"{{match: [{{uri: {{prefix: /a}}, ignoreUriCase: true}}], {OPEN}}}, {{{A}, {OPEN}}}", []),
    (f"{{match: [{{uri: {{exact: /a}}}}], {OPEN}}}, {{match: [{{uri: {{prefix: /a}}}}], {OPEN}}}", []),
    (f"{{{A}, {OPEN}}}, {{match: [{{uri: {{prefix: /a/b}}}}], {OPEN}}}", ["IST0131 spec.http[1].match[0].uri.prefix"]),
    (f"{{match: [{{}}], {OPEN}}}, {{{A}, {OPEN}}}", []),
]  # fmt: skip


@pytest.mark.parametrize(("routes", "expected"), REACH)
def test_rules_that_no_request_reaches(routes: str, expected: list[str]) -> None:
    assert [
        " ".join(each.replace(" warning:", "").split(": ")[0].split()[:2]) for each in found(service(routes))
    ] == expected


OVERLAPS = [
    ("uri: {prefix: /a}", "uri: {prefix: /a/b}", True),
    ("uri: {prefix: /a}", "uri: {prefix: /ab}", True),
    ("uri: {prefix: /a/b}", "uri: {prefix: /a}", False),
    ("uri: {prefix: /a}, port: 80", "uri: {prefix: /a/b}", False),
    ("uri: {prefix: /a}", "uri: {prefix: /a/b}, method: {exact: GET}", True),
    ("uri: {prefix: /a}", "uri: {prefix: /a/b}, method: {exact: POST}", False),
    ("uri: {prefix: /a}, method: {exact: POST}", "uri: {prefix: /a/b}, method: {exact: POST}", True),
    ("uri: {prefix: /a}, authority: {exact: a.com}", "uri: {prefix: /a/b}", True),
    ("uri: {prefix: /a}, headers: {x: {exact: '1'}}", "uri: {prefix: /a/b}", False),
    ("uri: {prefix: /a}, headers: {x: {exact: '1'}}", "uri: {prefix: /a/b}, headers: {x: {exact: '1'}}", True),
    ("uri: {prefix: /a}, headers: {x: {exact: '1'}}", "uri: {prefix: /a/b}, headers: {x: {exact: '2'}}", False),
    ("uri: {prefix: /a}, queryParams: {x: {exact: '1'}}", "uri: {prefix: /a/b}, queryParams: {z: {exact: '1'}}", False),
    ("uri: {prefix: /a}, withoutHeaders: {x: {}}", "uri: {prefix: /a/b}, withoutHeaders: {x: {}}", True),
    ("uri: {regex: /a.*}", "uri: {prefix: /a/b}", False),
]


@pytest.mark.parametrize(("first", "second", "covered"), OVERLAPS)
def test_overlapping_prefixes_are_warned_of_as_istio_finds_them(first: str, second: str, covered: bool) -> None:
    """An info of its analyzer, and a warning of its webhook. With its oddity: a match without a method counts as GET, so
    it does not cover POST."""
    text = service(f"{{match: [{{{first}}}], {OPEN}}}, {{match: [{{{second}}}], {OPEN}}}")
    assert any(each.startswith("IST0131 warning: spec.http[1].match[0]") for each in found(text)) == covered


def test_a_single_repeated_match_is_an_info() -> None:
    text = service(f"{{{A}, {OPEN}}}, {{match: [{{uri: {{prefix: /a}}}}, {{uri: {{prefix: /c}}}}], {OPEN}}}")
    assert any(each.startswith("IST0131 spec.http[1].match[0]: repeats an entry in rule #0") for each in infos(text))


NOT_HERE = "IST0101 warning: spec.gateways[0]: the Gateway default/g"
NO_HOST = "IST0132 warning: spec.gateways[0]: no Gateway "

TOGETHER = [
    # destination hosts: compared as soon as services are known
    ([service(f"{{{to()}}}")], []),
    ([service(f"{{{to('other')}}}"), entry()], ["IST0101 error: spec.http[0].route[0].destination.host: no service other is known"]),
    ([service(f"{{{to()}}}"), entry()], []),
    ([service(f"{{{to('web.default.svc.cluster.local')}}}"), entry()], []),
    ([service(f"{{{to('web.default')}}}"), entry()], ["IST0101 error: spec.http[0].route[0].destination.host: no service web.default is known: a name with a dot is taken as it is; write web.default.svc.cluster.local"]),
    ([service(f"{{{to()}}}", namespace="shop"), entry()], ["IST0101 error: spec.http[0].route[0].destination.host: no service web is known in the namespace shop; did you mean web.default.svc.cluster.local?"]),
    ([service(f"{{{to('wbe')}}}"), entry()], ["IST0101 error: spec.http[0].route[0].destination.host: no service wbe is known; did you mean web?"]),
    ([service(f"{{{to('x.a.com')}}}"), entry("'*.a.com'")], []),
    ([service(f"{{{to('x.a.com')}}}"), entry("'*.a.com'", "80 81")], ["IST0112 error"]),
    ([service(f"{{{to('a.com')}}}"), document("ServiceEntry", "{hosts: [a.com], ports: [{number: 80, name: http, protocol: HTTP}], exportTo: [.]}", "s", "shop")], ["IST0101 error"]),
    ([service(f"{{{to()}, mirror: {{host: other}}}}"), entry()], ["IST0101 error: spec.http[0].mirror.host:"]),
    ([service(f"{{{to()}, mirrors: [{{destination: {{host: other}}}}]}}"), entry()], ["IST0101 error: spec.http[0].mirrors[0].destination.host:"]),
    ([service(f"{{{to('web', ', port: {number: 80}')}}}"), entry()], []),
    ([service(f"{{{to('web', ', port: {number: 81}')}}}"), entry()], ["IST0101 error: spec.http[0].route[0].destination.port.number: web has no port 81; it has 80"]),
    ([service(f"{{{to()}}}"), entry(ports="80 81")], ["IST0112 error: spec.http[0].route[0].destination.host: web has several ports (80, 81)"]),
    ([service(f"{{{to('web', ', port: {number: 81}')}}}"), entry(ports="80 81")], []),
    ([service(f"{{{to()}}}"), "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n"], []),
    ([service(f"{{{to('b')}}}"), "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n"], ["IST0101 error"]),
    # subsets: compared as soon as there is a DestinationRule
    ([service(f"{{{to('web', ', subset: v1')}}}")], []),
    ([service(f"{{{to('web', ', subset: v1')}}}"), rule()], []),
    ([service(f"{{{to('web', ', subset: v2')}}}"), rule()], ["IST0101 error: spec.http[0].route[0].destination.subset: no DestinationRule for web has a subset v2"]),
    ([service(f"{{{to('web', ', subset: v1')}}}"), rule("other")], ["IST0101 error: spec.http[0].route[0].destination.subset:"]),
    ([service(f"{{{to('web.default.svc.cluster.local', ', subset: v1')}}}"), rule()], []),
    ([service(f"{{{to('web', ', subset: v1')}}}"), rule(namespace="shop")], ["IST0101 error"]),
    ([service(f"{{{to('a.com', ', subset: v1')}}}"), rule("a.com", namespace="shop")], []),
    ([service(f"{{{to()}, mirror: {{host: web, subset: v2}}}}"), rule()], ["IST0101 error: spec.http[0].mirror.subset:"]),
    # gateways: an error as soon as there is one
    ([service(f"{{{to()}}}", more=", gateways: [gw]")], [NOT_HERE, NO_HOST]),
    ([service(f"{{{to()}}}", "[a.com]", ", gateways: [gw]"), gateway()], []),
    ([service(f"{{{to()}}}", "[a.com]", ", gateways: [default/gw, mesh]"), gateway()], []),
    ([service(f"{{{to()}}}", "[a.com]", ", gateways: [other]"), gateway()], ["IST0101 error: spec.gateways[0]: no Gateway default/other; known are default/gw", NO_HOST]),
    ([service(f"{{{to()}}}", "[a.com]", ", gateways: [gw]", namespace="shop"), gateway()], ["IST0101 error: spec.gateways[0]: no Gateway shop/gw", NO_HOST]),
    ([service(f"{{{to()}}}", "[a.com]", ", gateways: [gw]"), gateway("[b.com]")], ["IST0132 warning: spec.gateways[0]: the Gateway default/gw admits b.com: none of a.com"]),
    ([service(f"{{{to()}}}", "[a.com]", ", gateways: [gw]"), gateway("['*.com']")], []),
    ([service(f"{{{to()}}}", "['*.a.com']", ", gateways: [gw]"), gateway("[x.a.com]")], []),
    ([service(f"{{{to()}}}", "[a.com]", ", gateways: [gw]"), gateway("[default/a.com]")], []),
    ([service(f"{{{to()}}}", "[a.com]", ", gateways: [gw]"), gateway("[./a.com]")], []),
    ([service(f"{{{to()}}}", "[a.com]", ", gateways: [gw]"), gateway("['*/*']")], []),
    ([service(f"{{{to()}}}", "[a.com]", ", gateways: [gw]"), gateway("[shop/a.com]")], ["IST0132 warning"]),
    # hosts of several VirtualServices
    ([service(f"{{{to()}}}"), service(f"{{{to()}}}", name="u")], ["IST0109 error: spec.hosts[0]: web belongs to default/u (f.yaml:8:18) too; for a sidecar only this one counts", "IST0109 error: spec.hosts[0]: web belongs to default/t ("]),
    ([service(f"{{{to()}}}"), service(f"{{{to()}}}", "[web.default.svc.cluster.local]", name="u")], ["IST0109 error", "IST0109 error"]),
    ([service(f"{{{to()}}}"), service(f"{{{to()}}}", name="u", namespace="shop")], []),
    ([service(f"{{{to()}}}", "[a.com]"), service(f"{{{to()}}}", "[a.com]", name="u", namespace="shop")], ["IST0109 error", "IST0109 error"]),
    ([service(f"{{{to()}}}", "[a.com]", ", exportTo: [.]"), service(f"{{{to()}}}", "[a.com]", ", exportTo: [.]", name="u", namespace="shop")], []),
    ([service(f"{{{to()}}}", "[a.com]"), service(f"{{{to()}}}", "['*.com']", name="u")], []),
    ([service(f"{{{to()}}}", name=name) for name in ("a", "b", "c", "d", "e")], ["IST0109 error: spec.hosts[0]: web belongs to default/b"] + ["IST0109 error: spec.hosts[0]: web belongs to default/a"] * 4),
    ([service(f"{{{to()}}}", "[a.com]", ", gateways: [g]"), service(f"{{{to()}}}", "[a.com]", ", gateways: [g]", name="u")], [NOT_HERE, NO_HOST] * 2),
    ([service(f"{{{to()}}}", "[a.com]", ", gateways: [g]"), service(f"{{{to()}}}", "[a.com]", name="u")], [NOT_HERE, NO_HOST]),
    ([gateway("[a.com]"), gateway("[a.com]", "g2")], ["IST0145 error", "IST0145 error"]),
    ([gateway("[a.com]"), gateway("[b.com]", "g2")], []),
    # DestinationRules
    ([rule()], []),
    ([rule(), entry()], []),
    ([rule("other"), entry()], ["IST0174 warning: spec.host: no service other is known"]),
    ([rule(labels="version: v1"), entry(labels="version: v1")], []),
    ([rule(labels="version: v9"), entry(labels="version: v1")], ["IST0173 error: spec.subsets[0]: no endpoint of web has the labels version=v9"]),
]  # fmt: skip


@pytest.mark.parametrize(("documents", "expected"), TOGETHER, ids=range(len(TOGETHER)))
def test_resources_together(documents: list[str], expected: list[str]) -> None:
    """Each finding begins with the text expected, and there is no other."""
    actual = found(*documents)
    assert len(actual) == len(expected), actual
    for each, start in zip(sorted(actual), sorted(expected), strict=True):
        assert each.startswith(start)


def test_the_oldest_virtual_service_of_a_host_counts() -> None:
    texts = [
        service(f"{{{to()}}}", creationTimestamp="2024-02-01T00:00:00Z"),
        service(f"{{{to()}}}", name="u", creationTimestamp="2024-01-01T00:00:00Z"),
    ]
    assert any("for a sidecar only default/u counts" in each for each in found(*texts))


EXPERIMENT = dedent("""\
    apiVersion: chaos/v1alpha1
    kind: Experiment
    metadata: {name: e}
    spec:
      services:
        web:8080: {builtin: webserver}
        api.default.svc.cluster.local: {endpoints: [{address: "127.0.0.1:9", labels: {version: v1}}]}
    """)


def test_an_experiments_services_are_known_services() -> None:
    assert found(EXPERIMENT, service(f"{{{to()}}}"), rule("api")) == []
    assert found(EXPERIMENT, service(f"{{{to('wbe')}}}"))[0].endswith("no service wbe is known; did you mean web?")
    assert found(EXPERIMENT, rule("api", labels="version: v2"))[0].startswith("IST0173 error")
    assert found(EXPERIMENT, rule("web", labels="version: v2")) == [], "a built-in service's labels are not in the file"


DELEGATES = [
    (["{delegate: {name: d}}"], "delegate spec.http[0].delegate: the delegate default/d is not here; without it this rule is left out"),
    (["{delegate: {name: t}}"], "delegate spec.http[0].delegate: a VirtualService cannot delegate to itself"),
    (["{delegate: {name: d}}", service(f"{{{to()}}}", name="d")], "delegate spec.http[0].delegate: default/d has hosts, so it is not a delegate"),
    (["{delegate: {name: d, namespace: shop}}", document("VirtualService", f"{{exportTo: [.], http: [{{{to()}}}]}}", "d", "shop")], "delegate spec.http[0].delegate: shop/d is not exported to the namespace default"),
    (["{delegate: {name: d}}", document("VirtualService", f"{{http: [{{{to()}}}]}}", "d")], None),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "expected"), DELEGATES)
def test_delegates_that_istio_would_pass_over_in_silence(parts: list[str], expected: str | None) -> None:
    said = [each for each in infos(service(parts[0], "[root]"), *parts[1:]) if each.startswith("delegate ")]
    assert said == [] if expected is None else said[0].startswith(expected)


ENTRY = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\nspec: {{hosts: [api.example.com], ports: [{port}], resolution: DNS{more}}}\n"
RULE = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: r}}\nspec: {{host: web, trafficPolicy: {policy}}}\n"
SEEN = [
    (ENTRY.format(name="db", port="{number: 5432, name: tcp, protocol: TCP}", more=""), ["IST0134 warning: spec.ports[0]"]),
    (ENTRY.format(name="db", port="{number: 5432, name: tcp, protocol: TCP}", more=", addresses: [10.0.0.1]"), []),
    (ENTRY.format(name="db", port="{number: 80, name: http, protocol: HTTP}", more=""), []),
    (
        ENTRY.format(name="one", port="{number: 443, name: https, protocol: HTTPS}", more="")
        + "---\n"
        + ENTRY.format(name="two", port="{number: 443, name: tls, protocol: TLS}", more=""),
        ["IST0177 warning: spec.ports[0].protocol"],
    ),
    (RULE.format(policy="{tls: {mode: SIMPLE}}"), ["IST0128 warning: spec.trafficPolicy.tls"]),
    (
        RULE.format(policy="{portLevelSettings: [{port: {number: 80}, tls: {mode: SIMPLE}}]}"),
        ["IST0129 warning: spec.trafficPolicy.portLevelSettings[0].tls"],
    ),
    (RULE.format(policy="{tls: {mode: SIMPLE, caCertificates: /ca}}"), []),
    (
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: web}\n"
        "spec: {hosts: [web, web.default.svc.cluster.local], http: [{route: [{destination: {host: web}}]}]}\n",
        ["IST0109 error: spec.hosts[1]"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SEEN)
def test_what_istios_other_analyzers_see(text: str, expected: list[str]) -> None:
    shown = [": ".join(each.split(": ")[:2]) for each in found(text)]
    assert shown == expected


@pytest.mark.parametrize(
    ("suites", "problem"), [("AES128-SHA", 0), ("RC4-FOO", 1), ("AES128-SHA, AES128-SHA", 1), ("-AES128-SHA", 0)]
)
def test_cipher_suites_that_are_ignored_are_warned_of(suites: str, problem: int) -> None:
    text = (
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec: {servers: [{port: {number: 443, "
        "name: https, protocol: HTTPS}, hosts: [a.com], tls: {mode: SIMPLE, serverCertificate: /c, privateKey: /k, "
        f"cipherSuites: [{suites}]}}}}]}}\n"
    )
    assert sum("IST0133 warning" in each for each in found(text)) == problem


def test_any_entry_of_a_host_that_is_seen_here_will_do() -> None:
    """One for another namespace beside one for all."""
    one = ENTRY.format(name="one", port="{number: 80, name: http, protocol: HTTP}", more=", exportTo: [other]")
    two = ENTRY.format(name="two", port="{number: 80, name: http, protocol: HTTP}", more="")
    assert found(one, two, service("{route: [{destination: {host: api.example.com}}]}")) == []


HTTP, OTHER = "{number: 80, name: http, protocol: HTTP}", "{number: 8080, name: other, protocol: HTTP}"
TO_API = service("{route: [{destination: {host: api.example.com}}]}")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((f"{HTTP}, {OTHER}", ", exportTo: [other]"), (HTTP, "")),
        ((HTTP, ""), (f"{HTTP}, {OTHER}", ", exportTo: [other]")),
        ((OTHER, ""), (HTTP, "")),  # of two that everybody sees the last one counts
        ((f"{HTTP}, {OTHER}", ", exportTo: [.]"), (HTTP, "")),  # one that everybody sees, before one for here alone
    ],
)
def test_the_ports_of_a_host_are_those_of_one_entry(first: tuple[str, str], second: tuple[str, str]) -> None:
    """Asked of Istio: no IST0112, as the entry that counts has one port."""
    one, two = (
        ENTRY.format(name=name, port=port, more=more) for name, (port, more) in zip("ab", (first, second), strict=True)
    )
    assert found(one, two, TO_API) == []


@pytest.mark.parametrize(
    ("export_to", "reach"), [("other", "other"), (".", "shop"), ("other, more", "other, more"), ("'~'", "nobody")]
)
def test_a_service_of_another_namespace_is_not_unknown(export_to: str, reach: str) -> None:
    """It was `not known; did you mean` itself."""
    entry = ENTRY.format(name="a, namespace: shop", port=HTTP, more=f", exportTo: [{export_to}]")
    why = f"api.example.com belongs to the namespace shop and is exported to {reach}, not to default"
    assert found(entry, TO_API, document("DestinationRule", "{host: api.example.com}")) == [
        f"IST0101 error: spec.http[0].route[0].destination.host: {why}",
        f"IST0174 warning: spec.host: {why}; the rule has no effect",
    ]


def test_nobody_is_told_to_write_what_he_has_written() -> None:
    """`web` is the first word of web.example.com, and so it was proposed."""
    entry = ENTRY.format(name="a", port=HTTP, more="").replace("api.", "web.")
    assert found(entry, service(f"{{{to()}}}")) == [
        "IST0101 error: spec.http[0].route[0].destination.host: no service web is known; did you mean web.example.com?"
    ]


def test_of_several_servers_of_a_gateway_on_a_port_the_last_one_is_compared() -> None:
    """Asked of Istio: no IST0145 for a host that both have in an earlier server."""

    def servers(name: str, *hosts: str) -> str:
        each = ", ".join(
            f"{{port: {{number: 80, name: http-{host[0]}, protocol: HTTP}}, hosts: [{host}]}}" for host in hosts
        )
        return document("Gateway", f"{{selector: {{istio: ingressgateway}}, servers: [{each}]}}", name)

    assert found(servers("one", "a.com", "b.com"), servers("two", "a.com", "c.com")) == []
    assert [each.split(":")[0] for each in found(servers("one", "a.com"), servers("two", "a.com"))] == [
        "IST0145 error"
    ] * 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (service("{match: [{uri: {prefix: /a}, ignoreUriCase: y}], " + OPEN + "}"), ""),
        (
            service("{match: [{uri: {prefix: /a}, ignoreUriCase: 'y'}], " + OPEN + "}"),
            'expected true or false, not "y"',
        ),
        (
            service("{headers: {request: {set: {a: on}}}, " + OPEN + "}"),
            'expected a string, not true; write "on" in quotes',
        ),
        (service("{headers: {request: {set: {a: y}}}, " + OPEN + "}"), ""),
        (
            document(
                "VirtualService", "{hosts: [web], tcp: [{match: [{sourceNamespace: A_B, port: 0}], " + OPEN + "}]}"
            ),
            "",
        ),
        (
            document(
                "VirtualService",
                "{hosts: [web], tls: [{match: [{sniHosts: [web], sourceNamespace: A_B}], " + OPEN + "}]}",
            ),
            "",
        ),
        (service("{timeuot: , " + OPEN + "}"), "unknown field `timeuot`; did you mean `timeout`?"),
        (service("{timeout: , " + OPEN + "}"), ""),
        (
            RULE.format(policy="{tls: {mode: SIMPLE, credentialName: 'configmap://ca'}}"),
            "write configmap://default/NAME",
        ),
        (RULE.format(policy="{tls: {mode: SIMPLE, credentialName: 'configmap://default/ca'}}"), ""),
    ],
)
def test_what_admission_refuses_however_little_it_says(text: str, problem: str) -> None:
    shown = found(text)
    assert any(problem in each for each in shown) if problem else shown == []


@pytest.mark.parametrize(
    ("port", "noted"),
    [
        ("{port: 80, name: web}", True),
        ("{port: 80, name: http-web}", False),
        ("{port: 80, name: web, appProtocol: http}", False),
        ("{port: 53, name: dns, protocol: UDP}", False),
    ],
)
def test_a_port_name_that_says_no_protocol_is_noted(port: str, noted: bool) -> None:
    text = f"apiVersion: v1\nkind: Service\nmetadata: {{name: shop}}\nspec: {{ports: [{port}]}}\n"
    assert any(each.startswith("IST0118 spec.ports[0].name") for each in infos(text)) == noted


def test_a_misspelt_annotation_is_warned_of() -> None:
    text = "apiVersion: v1\nkind: Service\nmetadata: {name: shop, annotations: {networking.istio.io/exporTo: .}}\nspec: {ports: [{port: 80, name: http}]}\n"
    (warning,) = found(text)
    assert warning.startswith("IST0108 warning") and warning.endswith("did you mean networking.istio.io/exportTo?")
