# ruff: noqa: E501 - a row of a table stays on one line
"""Istio's admission of DestinationRules, ServiceEntries and Gateways, a row for each rule."""

from __future__ import annotations

import pytest

from chaos.mesh.check.admission.resource import validate
from chaos.mesh.read.documents import read_resources
from chaos.mesh.source.document import read_documents


def findings(kind: str, spec: str, metadata: str = "{name: t, namespace: shop}") -> list[str]:
    """`severity path: message` for a spec in flow style."""
    text = f"apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {metadata}\nspec:\n  {spec}\n"
    documents = read_documents(text, "f.yaml")
    resources, problems = read_resources(documents)
    assert not documents.problems and not problems, [*documents.problems, *problems]
    return [f"{p.severity} {p.path.removeprefix('spec.')}: {p.message}" for p in validate(resources)]


def policy(fields: str) -> str:
    return f"{{host: web, trafficPolicy: {{{fields}}}}}"


def hashed(fields: str) -> str:
    return policy(f"loadBalancer: {{consistentHash: {{{fields}}}}}")


def outlier(fields: str) -> str:
    return policy(f"outlierDetection: {{{fields}}}")


DESTINATION_RULES = [
    ("{host: web}", None),
    ("{host: '*.a.com', subsets: [{name: v1, labels: {version: v1}}]}", None),
    ("{host: ''}", "error host: empty; expected a host name"),
    ("{host: a_b}", "error host:"),
    ("{host: 'web:80'}", "error host:"),
    ("{host: web, subsets: [{name: v1}, {name: v1}]}", "error subsets[1].name: a second subset named v1"),
    ("{host: web, subsets: [{name: v_1}]}", 'error subsets[0].name: "v_1" is not a subset name'),
    ("{host: web, subsets: [{name: ''}]}", "error subsets[0].name:"),
    ("{host: web, subsets: [{name: v1, labels: {'a b': c}}]}", "error"),
    ("{host: web, subsets: [{name: v1, labels: {version: 'v 1'}}]}", "error subsets[0].labels.version:"),
    (
        "{host: web, subsets: [{name: v1, trafficPolicy: {}}]}",
        "error subsets[0].trafficPolicy: an empty traffic policy",
    ),
    ("{host: web, trafficPolicy: {}}", "error trafficPolicy: an empty traffic policy is refused"),
    ("{host: web, trafficPolicy: {portLevelSettings: []}}", "error trafficPolicy: an empty traffic policy is refused"),
    (policy("retryBudget: {percent: 20, budgetInterval: 0s}"), None),
    (policy("connectionPool: {}"), "error trafficPolicy.connectionPool: an empty connectionPool is refused"),
    (policy("connectionPool: {http: {}}"), None),
    (
        policy("connectionPool: {tcp: {maxConnections: -1}}"),
        "error trafficPolicy.connectionPool.tcp.maxConnections: -1 is less than 0",
    ),
    (policy("connectionPool: {tcp: {connectTimeout: 0s}}"), "error trafficPolicy.connectionPool.tcp.connectTimeout:"),
    (
        policy("connectionPool: {tcp: {connectTimeout: 1.5ms}}"),
        "error trafficPolicy.connectionPool.tcp.connectTimeout:",
    ),
    (policy("connectionPool: {tcp: {idleTimeout: 0s, connectTimeout: 1ms}}"), None),
    (
        policy("connectionPool: {tcp: {maxConnectionDuration: 0s}}"),
        "error trafficPolicy.connectionPool.tcp.maxConnectionDuration:",
    ),
    (
        policy("connectionPool: {tcp: {tcpKeepalive: {time: 0s}}}"),
        "error trafficPolicy.connectionPool.tcp.tcpKeepalive.time:",
    ),
    (
        policy("connectionPool: {http: {http1MaxPendingRequests: -1}}"),
        "error trafficPolicy.connectionPool.http.http1MaxPendingRequests:",
    ),
    (
        policy("connectionPool: {http: {http2MaxRequests: -1}}"),
        "error trafficPolicy.connectionPool.http.http2MaxRequests:",
    ),
    (
        policy("connectionPool: {http: {maxRequestsPerConnection: -1}}"),
        "error trafficPolicy.connectionPool.http.maxRequestsPerConnection:",
    ),
    (policy("connectionPool: {http: {maxRetries: -1}}"), "error trafficPolicy.connectionPool.http.maxRetries:"),
    (
        policy("connectionPool: {http: {maxConcurrentStreams: -1}}"),
        "error trafficPolicy.connectionPool.http.maxConcurrentStreams:",
    ),
    (policy("connectionPool: {http: {idleTimeout: 0s}}"), "error trafficPolicy.connectionPool.http.idleTimeout:"),
    (
        policy("connectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}}"),
        "error trafficPolicy.connectionPool.http.useClientProtocol:",
    ),
    (
        policy("connectionPool: {http: {http2KeepAlive: {interval: 5s}}}"),
        "error trafficPolicy.connectionPool.http.http2KeepAlive.timeout: required",
    ),
    (outlier(""), None),
    (outlier("consecutive5xxErrors: 0, interval: 1s, baseEjectionTime: 1m, maxEjectionPercent: 100"), None),
    (outlier("interval: 0s"), "error trafficPolicy.outlierDetection.interval: must be at least 1ms"),
    (outlier("baseEjectionTime: 1.5ms"), "error trafficPolicy.outlierDetection.baseEjectionTime:"),
    (
        outlier("maxEjectionPercent: 101"),
        "error trafficPolicy.outlierDetection.maxEjectionPercent: 101 is not between 0 and 100",
    ),
    (outlier("maxEjectionPercent: -1"), "error trafficPolicy.outlierDetection.maxEjectionPercent:"),
    (outlier("minHealthPercent: 101"), "error trafficPolicy.outlierDetection.minHealthPercent:"),
    (outlier("consecutiveErrors: 5"), "warning trafficPolicy.outlierDetection.consecutiveErrors: deprecated"),
    (
        outlier("consecutiveLocalOriginFailures: 5"),
        "error trafficPolicy.outlierDetection.consecutiveLocalOriginFailures: needs splitExternal",
    ),
    (outlier("consecutiveLocalOriginFailures: 0"), None),
    (outlier("consecutiveLocalOriginFailures: 5, splitExternalLocalOriginErrors: true"), None),
    (policy("loadBalancer: {simple: LEAST_CONN}"), None),
    (policy("loadBalancer: {}"), None),
    (
        policy("loadBalancer: {simple: RANDOM, consistentHash: {useSourceIp: true}}"),
        "error trafficPolicy.loadBalancer: only one of simple or consistentHash can be set",
    ),
    (hashed("httpHeaderName: x"), None),
    (
        hashed("httpHeaderName: x, useSourceIp: true"),
        "error trafficPolicy.loadBalancer.consistentHash: only one of httpHeaderName or useSourceIp",
    ),
    (
        hashed("httpCookie: {name: ''}"),
        "error trafficPolicy.loadBalancer.consistentHash.httpCookie.name: a cookie needs a name",
    ),
    (hashed("httpCookie: {name: c, ttl: 0s}"), None),
    (
        hashed("httpCookie: {name: c, attributes: [{name: a}, {name: a}]}"),
        "error trafficPolicy.loadBalancer.consistentHash.httpCookie.attributes[1].name:",
    ),
    (
        hashed("httpHeaderName: x, minimumRingSize: 1024"),
        "warning trafficPolicy.loadBalancer.consistentHash.minimumRingSize: deprecated",
    ),
    (
        hashed("httpHeaderName: x, minimumRingSize: 1024, ringHash: {}"),
        "error trafficPolicy.loadBalancer.consistentHash.minimumRingSize:",
    ),
    (
        hashed("httpHeaderName: x, ringHash: {}, maglev: {tableSize: 101}"),
        "error trafficPolicy.loadBalancer.consistentHash: only one of ringHash or maglev",
    ),
    (hashed("httpHeaderName: x, maglev: {tableSize: 65537}"), None),
    (
        hashed("httpHeaderName: x, maglev: {tableSize: 65536}"),
        "error trafficPolicy.loadBalancer.consistentHash.maglev.tableSize: 65536 is not a prime number",
    ),
    (
        hashed("httpHeaderName: x, maglev: {}"),
        "error trafficPolicy.loadBalancer.consistentHash.maglev.tableSize: required",
    ),
    (
        hashed("httpHeaderName: x, maglev: {tableSize: 5000011}"),
        "error trafficPolicy.loadBalancer.consistentHash.maglev.tableSize: 5000011 is too large",
    ),
    (
        policy("loadBalancer: {simple: RANDOM, warmup: {duration: 0s}}"),
        "error trafficPolicy.loadBalancer.warmup.duration:",
    ),
    (
        policy("loadBalancer: {simple: RANDOM, warmup: {duration: 1s, aggression: 0}}"),
        "error trafficPolicy.loadBalancer.warmup.aggression:",
    ),
    (policy("loadBalancer: {localityLbSetting: {distribute: [{from: a/*, to: {a: 60, b: 40}}]}}"), None),
    (
        policy("loadBalancer: {localityLbSetting: {distribute: [{from: a, to: {a: 60, b: 50}}]}}"),
        "error trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to: the shares sum to 110",
    ),
    (
        policy("loadBalancer: {localityLbSetting: {distribute: [{from: a, to: {a: 100}}, {from: a/b, to: {a: 100}}]}}"),
        'error trafficPolicy.loadBalancer.localityLbSetting.distribute: "a/b" overlaps',
    ),
    (
        policy("loadBalancer: {localityLbSetting: {distribute: [{from: '*/a', to: {a: 100}}]}}"),
        "error trafficPolicy.loadBalancer.localityLbSetting.distribute:",
    ),
    (
        policy("loadBalancer: {localityLbSetting: {failover: [{from: a, to: b}]}}"),
        "warning trafficPolicy.loadBalancer.localityLbSetting: failover has no effect without outlierDetection",
    ),
    (policy("outlierDetection: {}, loadBalancer: {localityLbSetting: {failover: [{from: a, to: b}]}}"), None),
    (
        policy("outlierDetection: {}, loadBalancer: {localityLbSetting: {failover: [{from: a, to: a}]}}"),
        "error trafficPolicy.loadBalancer.localityLbSetting.failover[0]:",
    ),
    (
        policy(
            "loadBalancer: {localityLbSetting: {failover: [{from: a, to: b}], distribute: [{from: a, to: {a: 100}}]}}"
        ),
        "error trafficPolicy.loadBalancer.localityLbSetting.failover: distribute and failover",
    ),
    (
        policy("loadBalancer: {localityLbSetting: {}, zoneAwareLbSetting: {}}"),
        "error trafficPolicy.loadBalancer.zoneAwareLbSetting:",
    ),
    (policy("portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: RANDOM}}]"), None),
    (
        policy("portLevelSettings: [{port: {number: 80}}]"),
        "error trafficPolicy.portLevelSettings[0]: a port's policy needs one of",
    ),
    (
        policy("portLevelSettings: [{loadBalancer: {simple: RANDOM}}]"),
        "error trafficPolicy.portLevelSettings[0].port: required",
    ),
    (
        policy("portLevelSettings: [{port: {number: 80}, outlierDetection: {interval: 0s}}]"),
        "error trafficPolicy.portLevelSettings[0].outlierDetection.interval:",
    ),
    (policy("tls: {mode: MUTUAL}"), "error trafficPolicy.tls.clientCertificate: required with mode MUTUAL"),
    (policy("tls: {mode: SIMPLE}"), None),
    (policy("tls: {mode: SIMPLE, credentialName: c, caCertificates: f}"), "error trafficPolicy.tls.credentialName:"),
    (
        policy("tls: {mode: SIMPLE, insecureSkipVerify: true, caCertificates: f}"),
        "error trafficPolicy.tls.insecureSkipVerify:",
    ),
    (policy("tunnel: {targetHost: a.com, targetPort: 0}"), "error trafficPolicy.tunnel.targetPort:"),
    (policy("tunnel: {targetHost: a.com, targetPort: 80, protocol: GET}"), "error trafficPolicy.tunnel.protocol:"),
    (policy("tunnel: {targetHost: a.com, targetPort: 80}, proxyProtocol: {}"), "error trafficPolicy.proxyProtocol:"),
    ("{host: web, exportTo: [a, a]}", "error exportTo[1]: a appears twice"),
    ("{host: web, workloadSelector: {matchLabels: {app: a}}, exportTo: [.]}", None),
    (
        "{host: web, workloadSelector: {matchLabels: {app: a}}, exportTo: ['*']}",
        "error exportTo: a rule with a workloadSelector",
    ),
    ("{host: web, workloadSelector: {matchLabels: {app: 'a*'}}}", "error workloadSelector.matchLabels.app:"),
    ("{host: web, workloadSelector: {}}", "warning workloadSelector:"),
]

PORTS = "ports: [{number: 80, name: http, protocol: HTTP}]"

SERVICE_ENTRIES = [
    (f"{{hosts: [a.com], {PORTS}, resolution: STATIC, endpoints: [{{address: 127.0.0.1, labels: {{version: v1}}, ports: {{http: 9001}}}}]}}", None),
    (f"{{hosts: [a.com], {PORTS}}}", None),
    (f"{{hosts: [a.com], {PORTS}, resolution: DNS}}", None),
    (f"{{hosts: ['*.a.com'], {PORTS}, resolution: NONE}}", None),
    ("{hosts: [], resolution: NONE}", "error hosts: a ServiceEntry needs at least one host"),
    ("{hosts: ['*']}", "error hosts[0]: `*` is not a service"),
    ("{hosts: [a_b.com]}", "error hosts[0]:"),
    ("{hosts: ['*-a.com']}", "warning hosts[0]:"),
    (f"{{hosts: [a.com], {PORTS}, endpoints: [{{address: 1.2.3.4}}]}}", "error endpoints: resolution NONE (the default) has no endpoints"),
    (f"{{hosts: [a.com], {PORTS}, resolution: STATIC, endpoints: [{{address: b.com}}]}}", 'error endpoints[0].address: "b.com" is not an IP address, as STATIC needs'),
    (f"{{hosts: [a.com], {PORTS}, resolution: STATIC, endpoints: [{{address: '127.0.0.1:80'}}]}}", "error endpoints[0].address:"),
    (f"{{hosts: [a.com], {PORTS}, resolution: STATIC, endpoints: [{{}}]}}", "error endpoints[0].address: required"),
    (f"{{hosts: [a.com], {PORTS}, resolution: STATIC, endpoints: [{{address: 'unix:///a/b'}}]}}", None),
    (f"{{hosts: [a.com], {PORTS}, resolution: STATIC, endpoints: [{{address: 'unix://a'}}]}}", "error endpoints[0].address:"),
    (f"{{hosts: [a.com], {PORTS}, resolution: STATIC, endpoints: [{{address: 1.2.3.4, ports: {{other: 9}}}}]}}", 'error endpoints[0].ports.other: the service has no port named "other"'),
    (f"{{hosts: [a.com], {PORTS}, resolution: STATIC, endpoints: [{{address: 1.2.3.4, ports: {{http: 0}}}}]}}", "error endpoints[0].ports.http: 0 is not a port"),
    (f"{{hosts: [a.com], {PORTS}, resolution: STATIC, endpoints: [{{address: 1.2.3.4, labels: {{a: 'b c'}}}}]}}", "error endpoints[0].labels.a:"),
    (f"{{hosts: ['*.a.com'], {PORTS}, resolution: DNS}}", "error hosts[0]:"),
    (f"{{hosts: [a.com], {PORTS}, resolution: DNS_ROUND_ROBIN, endpoints: [{{address: b.com}}, {{address: c.com}}]}}", "error endpoints: DNS_ROUND_ROBIN takes one endpoint"),
    (f"{{hosts: [a.com], {PORTS}, resolution: DNS, endpoints: [{{address: b_c.com}}]}}", "error endpoints[0].address:"),
    (f"{{hosts: ['*.a.com'], {PORTS}, resolution: DYNAMIC_DNS}}", None),
    (f"{{hosts: [a.com], {PORTS}, resolution: DYNAMIC_DNS}}", "error hosts[0]: DYNAMIC_DNS needs a wildcard"),
    ("{hosts: [a.com], addresses: [10.0.0.0/8], resolution: DNS}", "error addresses[0]: a CIDR range needs resolution NONE or STATIC"),
    ("{hosts: [a.com], addresses: [ten]}", "error addresses[0]:"),
    ("{hosts: [a.com], ports: [{number: 0, name: http}]}", "error ports[0].number: 0 is not a port"),
    ("{hosts: [a.com], ports: [{number: 80, name: http}, {number: 80, name: b}]}", "error ports[1].number: port 80 appears twice"),
    ("{hosts: [a.com], ports: [{number: 80, name: http}, {number: 81, name: http}]}", "error ports[1].name: a second port named"),
    ("{hosts: [a.com], ports: [{number: 80, name: a_b}]}", "error ports[0].name:"),
    ("{hosts: [a.com], ports: [{number: 80, name: http, protocol: HTPP}]}", 'error ports[0].protocol: "HTPP" is not a protocol'),
    ("{hosts: [a.com], ports: [{number: 80, name: http, targetPort: 70000}]}", "error ports[0].targetPort:"),
    (f"{{hosts: [a.com], {PORTS}, resolution: STATIC, workloadSelector: {{labels: {{a: b}}}}}}", None),
    (f"{{hosts: [a.com], {PORTS}, resolution: STATIC, workloadSelector: {{labels: {{a: b}}}}, endpoints: [{{address: 1.2.3.4}}]}}", "error endpoints: workloadSelector and endpoints"),
    (f"{{hosts: [a.com], {PORTS}, resolution: STATIC, workloadSelector: {{}}}}", "warning workloadSelector:"),
    ("{hosts: [a.com, b.com], ports: [{number: 80, name: t, protocol: TCP}], resolution: DNS}", "error hosts: several hosts need HTTP or TLS"),
    (f"{{hosts: [a.com], {PORTS}, exportTo: ['~']}}", None),
    (f"{{hosts: [a.com], {PORTS}, exportTo: ['~', a]}}", "error exportTo: `~` is nobody; it stands alone"),
]  # fmt: skip


def server(fields: str = "", port: str = "{number: 80, name: http, protocol: HTTP}", hosts: str = "['*']") -> str:
    return f"{{selector: {{istio: ingressgateway}}, servers: [{{port: {port}, hosts: {hosts}{fields}}}]}}"


HTTPS = "{number: 443, name: https, protocol: HTTPS}"

GATEWAYS = [
    (server(), None),
    (server(hosts="[a.com, ns/b.com, ./c.com, '*/d.com', '*.e.com', 10.0.0.1]"), None),
    ("{servers: []}", "error servers: a Gateway needs at least one server"),
    ("{selector: {a: b}}", "error servers:"),
    (server(hosts="[]"), "error servers[0].hosts: a server needs at least one host"),
    (server(hosts="[web]"), 'error servers[0].hosts[0]: the short name "web" is refused'),
    (server(hosts="[ns/web]"), "error servers[0].hosts[0]: the short name"),
    (server(hosts="[n_s/a.com]"), "error servers[0].hosts[0]:"),
    (server(hosts="['/a.com']"), "error servers[0].hosts[0]:"),
    (server(hosts="['*a.com']"), "error servers[0].hosts[0]:"),
    (server(hosts="[a_b.com]"), "error servers[0].hosts[0]:"),
    (server(port="{number: 0, name: http, protocol: HTTP}"), "error servers[0].port.number: 0 is not a port"),
    (server(port="{number: 80, name: '', protocol: HTTP}"), "error servers[0].port.name: required"),
    (server(port="{number: 80, name: http, protocol: HTTPP}"), "error servers[0].port.protocol:"),
    (server(port="{number: 80, name: http, protocol: HTTP, targetPort: 8080}"), "error servers[0].port.targetPort: has no effect"),
    (server(", bind: a.com"), "error servers[0].bind:"),
    (server(", bind: 127.0.0.1"), None),
    (server(port=HTTPS), "error servers[0].tls: required with the protocol HTTPS"),
    (server(", tls: {mode: PASSTHROUGH}", port=HTTPS), None),
    (server(", tls: {mode: SIMPLE, credentialName: c}", port=HTTPS), None),
    (server(", tls: {mode: SIMPLE}", port=HTTPS), "error servers[0].tls.serverCertificate: required with mode SIMPLE"),
    (server(", tls: {mode: MUTUAL, serverCertificate: a, privateKey: b}", port=HTTPS), "error servers[0].tls.caCertificates:"),
    (server(", tls: {mode: ISTIO_MUTUAL, credentialName: c}", port=HTTPS), "error servers[0].tls.credentialName:"),
    (server(", tls: {mode: PASSTHROUGH, credentialName: c}", port=HTTPS), "warning servers[0].tls:"),
    (server(", tls: {mode: SIMPLE, credentialName: c, serverCertificate: a, privateKey: b}", port=HTTPS), "error servers[0].tls: certificates from one source only"),
    (server(", tls: {httpsRedirect: true}"), None),
    (server(", tls: {mode: SIMPLE, credentialName: c}"), "error servers[0].tls: a plain HTTP server may only have httpsRedirect"),
    (server(", tls: {mode: SIMPLE, credentialName: c, minProtocolVersion: TLSV1_0}", port=HTTPS), "warning servers[0].tls.minProtocolVersion:"),
    ("{servers: [{port: {number: 80, name: p, protocol: HTTP}, hosts: ['*']}, {port: {number: 81, name: p, protocol: HTTP}, hosts: ['*']}]}", "error servers[1].port.name: a second port named"),
]  # fmt: skip

TABLE = [
    *(("DestinationRule", *row) for row in DESTINATION_RULES),
    *(("ServiceEntry", *row) for row in SERVICE_ENTRIES),
    *(("Gateway", *row) for row in GATEWAYS),
]


@pytest.mark.parametrize(("kind", "spec", "expected"), TABLE, ids=[f"{kind} {spec[:90]}" for kind, spec, _ in TABLE])
def test_admission(kind: str, spec: str, expected: str | None) -> None:
    """None: accepted without a warning; otherwise a finding begins with this text."""
    found = findings(kind, spec)
    if expected is None:
        assert found == []
    else:
        assert any(each.startswith(expected) for each in found), found


def test_a_gateways_own_name_has_no_dots() -> None:
    found = findings("Gateway", server(), "{name: a.b}")
    assert found == ['error metadata.name: "a.b" is not a Gateway name; use letters, digits and - (no dots)']
