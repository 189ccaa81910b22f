"""What a sidecar and a gateway add to requests and strip from them. Seen on Envoy 1.40 with Istio's settings."""

from __future__ import annotations

import pytest
from support.mesh import answered, forwarded, request, rules_of, sent, virtual_service

from chaos.mesh.compile.rules import Rules
from chaos.mesh.decision import Request
from chaos.mesh.names import Proxy

GATEWAY = """---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw}
spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}
"""
ROUTE = virtual_service("- route: [{destination: {host: web.default.svc.cluster.local}}]", hosts="[web.test]")
SIDECAR = rules_of(ROUTE)
EDGE = rules_of(GATEWAY + ROUTE.replace("  http:", "  gateways: [gw]\n  http:"), proxy=Proxy(gateway="gw"))


def got(rules: Rules, headers: dict[str, str | list[str]] | None = None, **more: str) -> dict[str, list[str]]:
    return sent(rules, request("/", headers, host="web.test", **more))


def test_a_sidecar_adds_scheme_and_id() -> None:
    assert got(SIDECAR) == {"host": ["web.test"], "x-forwarded-proto": ["http"], "x-request-id": ["id-1"]}


def test_a_gateway_says_who_called() -> None:
    assert got(EDGE) == {
        "host": ["web.test"],
        "x-forwarded-for": ["127.0.0.1"],
        "x-forwarded-proto": ["http"],
        "x-envoy-external-address": ["127.0.0.1"],
        "x-request-id": ["id-1"],
    }


# header, value(s) sent, what upstream of a sidecar gets, what upstream of a gateway gets (None: nothing)
CLIENT = [
    ("x-request-id", "client", ["client"], ["id-1"]),
    ("x-forwarded-proto", "https", ["https"], ["http"]),
    ("x-forwarded-for", ["1.1.1.1", "2.2.2.2"], ["1.1.1.1,2.2.2.2"], ["1.1.1.1,2.2.2.2,127.0.0.1"]),
    ("x-envoy-external-address", "8.8.8.8", ["8.8.8.8"], ["127.0.0.1"]),
    ("x-envoy-original-path", "/c", ["/c"], None),
    ("x-envoy-original-host", "c", ["c"], None),
    ("x-envoy-decorator-operation", "c", ["c"], None),
    ("x-envoy-internal", "true", None, None),
    ("x-envoy-retry-on", "5xx", None, None),
    ("x-envoy-max-retries", "3", None, None),
    ("x-envoy-upstream-rq-timeout-ms", "1", None, None),
    ("x-envoy-upstream-rq-per-try-timeout-ms", "1", None, None),
    ("x-envoy-expected-rq-timeout-ms", "1", None, None),
    ("x-envoy-attempt-count", "9", None, None),
    ("x-envoy-force-trace", "1", None, None),
    ("x-forwarded-client-cert", "x", None, None),
    ("x-envoy-fault-delay-request", "1", ["1"], ["1"]),
    ("x-forwarded-host", "h", ["h"], ["h"]),
    ("forwarded", "f", ["f"], ["f"]),
    ("connection", "keep-alive", None, None),
    ("keep-alive", "timeout=5", None, None),
    ("proxy-connection", "keep-alive", None, None),
    ("upgrade", "h2c", None, None),
    ("te", "trailers, deflate", ["trailers"], ["trailers"]),
    ("te", "gzip", None, None),
    ("trailer", "x-t", ["x-t"], ["x-t"]),
    ("proxy-authorization", "b", ["b"], ["b"]),
    ("x_under_score", "1", ["1"], ["1"]),
    ("accept", ["a", "b"], ["a,b"], ["a,b"]),
    ("cookie", ["a=1", "b=2"], ["a=1", "b=2"], ["a=1", "b=2"]),
    ("x-multi", ["1", "2"], ["1", "2"], ["1", "2"]),
    ("x-empty", "", [""], [""]),
]


@pytest.mark.parametrize(("name", "value", "sidecar", "edge"), CLIENT)
def test_client_headers(name: str, value: str | list[str], sidecar: list[str] | None, edge: list[str] | None) -> None:
    assert got(SIDECAR, {name: value}).get(name) == sidecar
    assert got(EDGE, {name: value}).get(name) == edge


def test_headers_that_connection_names_are_stripped() -> None:
    found = got(SIDECAR, {"connection": "close, X-Foo", "x-foo": "1", "x-bar": "1"})
    assert "x-foo" not in found and "connection" not in found and found["x-bar"] == ["1"]
    assert got(SIDECAR, {"connection": "te", "te": "trailers"})["te"] == ["trailers"]


def test_a_websocket_upgrade_passes() -> None:
    found = got(SIDECAR, {"connection": "keep-alive, Upgrade", "upgrade": "WebSocket"})
    assert found["upgrade"] == ["WebSocket"] and "Upgrade" in found["connection"][0]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "OPTIONS", "PROPFIND"])
def test_a_method_that_may_have_a_body_says_that_there_is_none(method: str) -> None:
    assert got(SIDECAR, method=method)["content-length"] == ["0"]
    assert got(SIDECAR, {"content-length": "3"}, method=method)["content-length"] == ["3"]
    assert "content-length" not in got(SIDECAR, {"transfer-encoding": "chunked"}, method=method)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "TRACE"])
def test_others_say_nothing(method: str) -> None:
    assert "content-length" not in got(SIDECAR, method=method)


def test_answers() -> None:
    up = [
        (b"server", b"upstream"),
        (b"connection", b"x-b"),
        (b"keep-alive", b"timeout=5"),
        (b"x-b", b"1"),
        (b"trailer", b"t"),
        (b"location", b"a"),
        (b"location", b"b"),
        (b"set-cookie", b"a"),
        (b"set-cookie", b"b"),
    ]
    expected = {"x-b": ["1"], "trailer": ["t"], "location": ["a,b"], "set-cookie": ["a", "b"], "server": ["envoy"]}
    assert answered(SIDECAR, request("/", host="web.test"), up) == expected
    assert answered(EDGE, request("/", host="web.test"), up) == expected | {"server": ["istio-envoy"]}


def test_the_same_request_may_be_sent_again() -> None:
    """Header work changes neither the request nor what a second call gives."""
    asked: Request = request("/", {"accept": ["a", "b"], "te": "trailers"}, host="web.test")
    before = list(asked.headers)
    forward = forwarded(SIDECAR, asked)
    first = forward.headwork.upstream_headers(asked, forward)
    assert forward.headwork.upstream_headers(asked, forward) == first
    assert asked.headers == before
