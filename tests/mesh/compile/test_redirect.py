"""Redirects and direct responses: location, code, body and headers."""

from __future__ import annotations

import pytest
from support.mesh import by_name, decide, request, web

from chaos.mesh.compile.rules import Rules
from chaos.mesh.decision import DirectResponse, Redirect, Reply, Request
from chaos.mesh.names import Proxy


def redirected(redirect: str, asked: Request | str = "/", match: str = "", proxy: Proxy | None = None) -> Reply:
    proxy = proxy or Proxy(port=80)  # whatever port the request's Host names
    rules = web(f"- {{{match}redirect: {redirect}}}", {f"web:{proxy.port}": [{}]}, proxy)
    action = decide(rules, asked).action
    assert isinstance(action, Redirect)
    return action.reply


def location(reply: Reply) -> str:
    return by_name(reply.headers)["location"][0]


LOCATIONS = [
    ("{uri: /t}", "web", "/a/b", "http://web/t"),
    ("{uri: /t}", "web", "/a?x=1&y=2", "http://web/t?x=1&y=2"),
    ("{uri: '/t?z=1'}", "web", "/a?x=1", "http://web/t?z=1"),
    ("{uri: t}", "web", "/a", "http://web/t"),
    ("{uri: 'http://h/x'}", "web", "/a", "http://web/http://h/x"),
    ("{authority: new.example}", "web:8080", "/p?q=1", "http://new.example/p?q=1"),
    ("{authority: 'new.example:99'}", "web", "/p", "http://new.example:99/p"),
    ("{uri: /t, authority: n.example}", "web", "/p", "http://n.example/t"),
    ("{scheme: https}", "web", "/a?b=1", "https://web/a?b=1"),
    ("{scheme: https}", "web:8080", "/a", "https://web:8080/a"),
    ("{scheme: https}", "web:80", "/a", "https://web/a"),  # the port of the scheme that is left goes with it
    ("{port: 8443}", "web", "/a", "http://web:8443/a"),
    ("{port: 8443}", "web:80", "/a", "http://web:8443/a"),
    ("{port: 8443, authority: o}", "web:80", "/a", "http://o:8443/a"),
    ("{port: 8443, authority: 'n:9'}", "web:80", "/a", "http://n:9/a"),
    ("{port: 80, uri: /}", "web:8080", "/", "http://web:8080/"),
    ("{port: 443, scheme: https}", "web:8080", "/", "https://web:8080/"),
    ("{port: 443}", "web:8080", "/", "http://web:443/"),
    ("{derivePort: FROM_PROTOCOL_DEFAULT, uri: /}", "web:8080", "/", "http://web:8080/"),
    ("{derivePort: FROM_REQUEST_PORT, uri: /}", "web:8080", "/", "http://web:8080/"),
    ("{derivePort: FROM_REQUEST_PORT, scheme: https}", "web:8080", "/", "https://web:80/"),
    ("{prefixRewrite: /p2}", "web", "/x?c=1", "http://web/p2x?c=1"),
    ("{uri: /t}", "WEB:80", "/", "http://WEB:80/t"),
]


@pytest.mark.parametrize(("redirect", "host", "target", "expected"), LOCATIONS)
def test_location(redirect: str, host: str, target: str, expected: str) -> None:
    assert location(redirected(redirect, request(target, host=host))) == expected


def test_a_prefix_is_replaced_by_length() -> None:
    reply = redirected("{prefixRewrite: /p2/}", "/prefix/a/b?c=1", match="match: [{uri: {prefix: /prefix/}}], ")
    assert location(reply) == "http://web/p2/a/b?c=1"


def test_the_scheme_is_the_requests() -> None:
    asked = request("/", {"x-forwarded-proto": "https"})
    assert location(redirected("{uri: /t}", asked)) == "https://web/t"


def test_from_request_port_is_the_listeners() -> None:
    asked = request("/", host="web:1234")
    reply = redirected("{derivePort: FROM_REQUEST_PORT, uri: /}", asked, proxy=Proxy(port=9080))
    assert location(reply) == "http://web:9080/"


def test_the_answer() -> None:
    reply = redirected("{uri: /t}")
    assert (reply.status, reply.body) == (301, b"")
    assert by_name(reply.headers) == {"location": ["http://web/t"], "content-length": ["0"], "server": ["envoy"]}


@pytest.mark.parametrize("code", [302, 303, 307, 308])
def test_codes(code: int) -> None:
    assert redirected(f"{{uri: /t, redirectCode: {code}}}").status == code


def test_response_operations_may_overwrite_the_location() -> None:
    rules = web("- {redirect: {uri: /t}, headers: {response: {set: {location: /mine, x-a: '1'}}}}")
    action = decide(rules).action
    assert isinstance(action, Redirect)
    assert by_name(action.reply.headers)["location"] == ["/mine"]


def test_cors_has_no_effect_on_a_redirect() -> None:
    rules = web("- {redirect: {uri: /t}, corsPolicy: {allowOrigins: [{exact: http://a}]}}")
    preflight = request("/", {"origin": "http://a", "access-control-request-method": "GET"}, method="OPTIONS")
    assert isinstance(decide(rules, preflight).action, Redirect)


# ---------------------------------------------------------------------------------------------- direct response


def direct(text: str, asked: Request | str = "/") -> Reply:
    rules: Rules = web(f"- {{directResponse: {text}}}")
    action = decide(rules, asked).action
    assert isinstance(action, DirectResponse)
    return action.reply


DIRECT = [
    (
        "{status: 503, body: {string: unknown error}}",
        503,
        b"unknown error",
        {"content-type": "text/plain", "content-length": "13"},
    ),
    ("{status: 404}", 404, b"", {"content-length": "0"}),
    ("{status: 200, body: {bytes: aGVsbG8=}}", 200, b"hello", {"content-type": "text/plain", "content-length": "5"}),
    (
        "{status: 200, body: {string: 'é %REQ(x)%'}}",
        200,
        "é %REQ(x)%".encode(),
        {"content-type": "text/plain", "content-length": "11"},
    ),
    (
        "{status: 200, body: {string: '{}'}}, headers: {response: {set: {content-type: application/json}}}",
        200,
        b"{}",
        {"content-type": "application/json", "content-length": "2"},
    ),
    (
        "{status: 200, body: {string: hi}}, headers: {response: {add: {content-type: a/b}, remove: [content-length]}}",
        200,
        b"hi",
        {"content-type": "a/b", "content-length": "2"},
    ),
    (
        "{status: 200, body: {string: hi}}, headers: {response: {remove: [content-type]}}",
        200,
        b"hi",
        {"content-type": "text/plain", "content-length": "2"},
    ),
    (
        "{status: 200}, headers: {response: {set: {content-type: a/b, x-a: '1'}}}",
        200,
        b"",
        {"x-a": "1", "content-length": "0"},
    ),
    ("{status: 302}", 302, b"", {"location": "http://web/p?q", "content-length": "0"}),
    (
        "{status: 201}, headers: {response: {set: {location: /mine}}}",
        201,
        b"",
        {"location": "/mine", "content-length": "0"},
    ),
    (
        "{status: 201}, headers: {response: {add: {location: /mine}}}",
        201,
        b"",
        {"location": "http://web/p?q,/mine", "content-length": "0"},
    ),
]


@pytest.mark.parametrize(("text", "status", "body", "headers"), DIRECT)
def test_direct_responses(text: str, status: int, body: bytes, headers: dict[str, str]) -> None:
    reply = direct(text, "/p?q")
    assert (reply.status, reply.body) == (status, body)
    assert dict(by_name(reply.headers)) == {name: [value] for name, value in headers.items()} | {"server": ["envoy"]}


def test_a_grpc_client_gets_its_form() -> None:
    reply = direct("{status: 200, body: {string: '100 % é'}}", request("/", {"content-type": "application/grpc"}))
    assert (reply.status, reply.body) == (200, b"")
    headers = by_name(reply.headers)
    assert (headers["grpc-status"], headers["grpc-message"]) == (["2"], ["100 %25 %C3%A9"])


def test_static_answers_are_shared() -> None:
    rules = web("- {directResponse: {status: 200, body: {string: hi}}}")
    first, second = decide(rules, "/a").action, decide(rules, "/b").action
    assert isinstance(first, DirectResponse) and isinstance(second, DirectResponse)
    assert first.reply is second.reply


def test_a_gateway_names_itself() -> None:
    assert (b"server", b"envoy") in direct("{status: 200}").headers
