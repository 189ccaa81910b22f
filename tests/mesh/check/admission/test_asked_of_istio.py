# ruff: noqa: E501 - a row of a table stays on one line
"""Single specs whose verdict Istio's own admission was asked for: the schema with its CEL rules, then the webhook."""

from __future__ import annotations

import pytest

from chaos.mesh.check.report import check

TO_WEB = "route: [{destination: {host: web}}]"
SERVER = "port: {number: 443, name: h, protocol: HTTPS}, hosts: [a.com]"
RING = "{host: web, trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x, %s}}}}"
POLICY = "{host: web, trafficPolicy: {%s}}"
PORT = "{host: web, trafficPolicy: {portLevelSettings: [{port: {number: 80}, %s}]}}"
SUBSET = "{host: web, subsets: [{name: a, trafficPolicy: {%s}}]}"
ERRORS, FAILOVER = (
    "outlierDetection: {consecutiveErrors: 5}",
    "loadBalancer: {localityLbSetting: {failover: [{from: a, to: b}]}}",
)
CONFIG_MAP = "tls: {mode: SIMPLE, credentialName: 'configmap://%s'}"
SELECTOR = "{hosts: [a.com], ports: [{number: 80, name: h, protocol: HTTP}], resolution: STATIC, location: MESH_INTERNAL, workloadSelector: {labels: {app: %s}}}"


def rule(fields: str) -> str:
    return f"{{hosts: [web], http: [{{{fields}, {TO_WEB}}}]}}"


ROWS = [
    ("VirtualService", rule("timeuot: "), "reject"),
    ("VirtualService", rule("timeuot: {}"), "reject"),
    ("VirtualService", rule("timeout: １s"), "reject"),
    ("VirtualService", rule("retries: {attempts: 1, retryOn: '５03'}"), "reject"),
    ("VirtualService", rule(r"match: [{uri: {regex: '\C'}}]"), "reject"),
    ("VirtualService", rule(r"match: [{uri: {regex: 'a\\\C'}}]"), "reject"),
    ("VirtualService", rule(r"match: [{uri: {regex: '[\C]'}}]"), "reject"),
    ("VirtualService", rule(r"match: [{uri: {regex: '\\C'}}]"), "ok"),
    ("VirtualService", rule(r"match: [{uri: {regex: '\Q\C\E'}}]"), "ok"),
    ("VirtualService", rule(r"match: [{uri: {regex: '\Qa\E\C'}}]"), "reject"),
    ("VirtualService", rule(r"rewrite: {uriRegexRewrite: {match: '\C', rewrite: b}}"), "reject"),
    ("VirtualService", rule(r"corsPolicy: {allowOrigins: [{regex: '\C'}]}"), "reject"),
    ("VirtualService", rule("fault: {abort: {percentage: {value: 10}}}"), "ok"),
    ("VirtualService", rule("match: [{gateways: [gw.ns]}]"), "ok"),
    ("VirtualService", f"{{hosts: [web], tls: [{{match: [{{sniHosts: [web], gateways: [gw.ns]}}], {TO_WEB}}}]}}", "warn"),
    ("VirtualService", f"{{hosts: [web], http: [{{match: [{{uri: {{prefix: /a}}}}], {TO_WEB}}}, {{match: [{{uri: {{prefix: /a/b}}}}], {TO_WEB}}}]}}", "warn"),
    ("DestinationRule", POLICY % (CONFIG_MAP % "ca"), "reject"),
    ("DestinationRule", PORT % (CONFIG_MAP % "ca"), "reject"),
    ("DestinationRule", SUBSET % (CONFIG_MAP % "other/ca"), "reject"),
    ("DestinationRule", SUBSET % (CONFIG_MAP % "default/ca"), "ok"),
    ("DestinationRule", f"{{host: web, workloadSelector: {{matchLabels: {{app: {'a' * 64}}}}}}}", "reject"),
    ("DestinationRule", f"{{host: web, workloadSelector: {{matchLabels: {{app: {'a' * 63}}}}}}}", "ok"),
    ("DestinationRule", RING % "minimumRingSize: 9223372036854775808", "reject"),
    ("DestinationRule", RING % "ringHash: {minimumRingSize: 18446744073709551615}", "reject"),
    ("DestinationRule", RING % "maglev: {tableSize: 9223372036854775808}", "reject"),
    ("DestinationRule", POLICY % ERRORS, "warn"),
    ("DestinationRule", PORT % ERRORS, "ok"),
    ("DestinationRule", SUBSET % ERRORS, "ok"),
    ("DestinationRule", POLICY % FAILOVER, "warn"),
    ("DestinationRule", PORT % FAILOVER, "ok"),
    ("DestinationRule", SUBSET % FAILOVER, "ok"),
    ("ServiceEntry", SELECTOR % ("a" * 64), "reject"),
    ("ServiceEntry", SELECTOR % ("a" * 63), "ok"),
    ("Gateway", f"{{servers: [{{{SERVER}, tls: {{mode: SIMPLE, credentialName: c, cipherSuites: [FOO]}}}}]}}", "warn"),
    ("Gateway", f"{{servers: [{{{SERVER}, tls: {{mode: SIMPLE, credentialName: c, cipherSuites: [AES128-SHA, AES128-SHA]}}}}]}}", "warn"),
    ("VirtualService", rule("timeout: 1s") + "\nstatus: text", "reject"),
    ("VirtualService", rule("timeout: 1s") + "\nstatus: [1]", "reject"),
    ("VirtualService", rule("timeout: 1s") + "\nstatus: {a: b}", "ok"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "spec", "verdict"), ROWS)
def test_the_verdict_is_the_one_of_istio(kind: str, spec: str, verdict: str) -> None:
    text = f"apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: t}}\nspec: {spec}\n"
    (report,) = check([("f.yaml", text)])
    webhooks = [each for each in report.warnings if each.by == "admission" or each.code in ("IST0131", "IST0133")]
    assert ("reject" if report.errors else "warn" if webhooks else "ok") == verdict, [*report.errors, *webhooks]


def test_a_warning_that_istio_loses_is_an_info() -> None:
    text = f"apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: t}}\nspec: {PORT % ERRORS}\n"
    (report,) = check([("f.yaml", text)])
    assert [(each.code, each.by) for each in report.infos if "deprecated" in each.message] == [("not-warned", "chaos")]


@pytest.mark.parametrize(
    ("kind", "spec", "by"),
    [
        ("VirtualService", rule("timeout: 0s"), "schema"),
        ("VirtualService", rule("timeout: 1.5ms"), "admission"),
        ("VirtualService", rule("match: [{uri: {exact: /a, prefix: /a}}]"), "schema"),
        ("VirtualService", rule("match: [{uri: {regex: '('}}]"), "admission"),
        ("VirtualService", rule("retries: {attempts: -1}"), "admission"),
        ("DestinationRule", f"{{host: web, workloadSelector: {{matchLabels: {{app: {'a' * 64}}}}}}}", "schema"),
        ("DestinationRule", "{host: a_b}", "admission"),
        ("ServiceEntry", "{hosts: ['*'], ports: [{number: 80, name: http}]}", "schema"),
        ("ServiceEntry", "{hosts: [a_b.com], ports: [{number: 80, name: http}]}", "admission"),
        ("ServiceEntry", "{hosts: [a.com], ports: [{number: 0, name: http}]}", "schema"),
    ],
)
def test_who_refuses_first(kind: str, spec: str, by: str) -> None:
    """Asked of Istio: the API server's schema with its CEL rules comes before the webhook."""
    text = f"apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: t}}\nspec: {spec}\n"
    (report,) = check([("f.yaml", text)])
    assert {problem.by for problem in report.errors} == {by}
