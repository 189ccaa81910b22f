"""CORS: preflights answered by the proxy, and what answers get. Every row was seen on Envoy 1.40."""

from __future__ import annotations

import pytest
from support.mesh import answered, by_name, decide, forwarded, request, web

from chaos.mesh.compile.rules import Rules
from chaos.mesh.decision import Forward, Preflight, Request

FULL = """{
  allowOrigins: [{exact: 'http://a.test'}, {prefix: 'https://pre.'}, {regex: 'https://.*\\.rx\\.test'}],
  allowMethods: [GET, POST], allowHeaders: [x-one, X-Two], exposeHeaders: [x-exp, x-exp2],
  maxAge: 24h, allowCredentials: true}"""


def with_cors(policy: str) -> Rules:
    return web(f"- corsPolicy: {policy}\n  route: [{{destination: {{host: web}}}}]")


def preflight(origin: str = "http://a.test", **headers: str) -> Request:
    lines = {"origin": origin, "access-control-request-method": "PUT"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    return request("/", lines, method="OPTIONS")


def cors_headers(rules: Rules, asked: Request) -> dict[str, str] | None:
    """Of the answer to a preflight; None when it goes upstream."""
    action = decide(rules, asked).action
    if isinstance(action, Forward):
        return None
    assert isinstance(action, Preflight)
    assert (action.reply.status, action.reply.body) == (200, b"")
    headers = by_name(action.reply.headers)
    assert headers.pop("server") == ["envoy"] and headers.pop("content-length") == ["0"]
    return {name.removeprefix("access-control-"): values[0] for name, values in headers.items()}


def test_an_allowed_preflight_gets_what_is_configured() -> None:
    assert cors_headers(with_cors(FULL), preflight()) == {
        "allow-origin": "http://a.test",
        "allow-credentials": "true",
        "allow-methods": "GET,POST",
        "allow-headers": "x-one,X-Two",
        "expose-headers": "x-exp,x-exp2",
        "max-age": "86400",
    }
    assert cors_headers(with_cors("{allowOrigins: [{exact: 'http://a.test'}]}"), preflight()) == {
        "allow-origin": "http://a.test"
    }


ORIGINS = [
    ("http://a.test", True),
    ("http://A.test", False),
    ("https://pre.fix.test", True),
    ("https://x.rx.test", True),
    ("https://x.rx.test:8080", False),
    ("http://b.test", False),
    ("null", False),
    ("", False),
]


@pytest.mark.parametrize(("origin", "allowed"), ORIGINS)
def test_origins(origin: str, allowed: bool) -> None:
    """One that is not allowed goes upstream as any request does."""
    assert (cors_headers(with_cors(FULL), preflight(origin)) is not None) is allowed


def test_a_star_origin_is_echoed() -> None:
    for policy in ("{allowOrigins: [{exact: '*'}]}", "{allowOrigin: ['*']}"):
        assert cors_headers(with_cors(policy), preflight("http://any")) == {"allow-origin": "http://any"}


def test_the_deprecated_list_counts_without_the_new_one() -> None:
    assert cors_headers(with_cors("{allowOrigin: [http://a.test]}"), preflight()) is not None
    both = "{allowOrigin: [http://a.test], allowOrigins: [{exact: http://b.test}]}"
    assert cors_headers(with_cors(both), preflight()) is None


def test_a_star_of_methods_or_headers_echoes_what_was_asked() -> None:
    rules = with_cors("{allowOrigins: [{exact: 'http://a.test'}], allowMethods: ['*'], allowHeaders: ['*']}")
    asked = preflight(access_control_request_headers="x-q, y")
    assert cors_headers(rules, asked) == {
        "allow-origin": "http://a.test",
        "allow-methods": "PUT",
        "allow-headers": "x-q, y",
    }
    assert (cors_headers(rules, preflight()) or {})["allow-headers"] == ""


def test_an_unmatched_preflight_may_be_answered() -> None:
    rules = with_cors(FULL[:-1] + ", unmatchedPreflights: IGNORE}")
    assert cors_headers(rules, preflight("http://b.test")) == {
        "allow-credentials": "true",
        "allow-methods": "GET,POST",
        "allow-headers": "x-one,X-Two",
        "max-age": "86400",
    }


NO_PREFLIGHT = [
    request("/", {"origin": "http://a.test"}, method="OPTIONS"),
    request("/", {"access-control-request-method": "GET"}, method="OPTIONS"),
    request("/", {"origin": "http://a.test", "access-control-request-method": ""}, method="OPTIONS"),
    request("/", {"origin": "http://a.test", "access-control-request-method": "GET"}),
]


@pytest.mark.parametrize("asked", NO_PREFLIGHT)
def test_what_is_no_preflight_goes_upstream(asked: Request) -> None:
    assert cors_headers(with_cors(FULL), asked) is None


def test_a_method_match_keeps_preflights_out() -> None:
    rules = web(
        f"- match: [{{method: {{exact: GET}}}}]\n  corsPolicy: {FULL}\n  route: [{{destination: {{host: web}}}}]"
    )
    assert decide(rules, preflight()).rule is None


UP = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"up"),
    (b"access-control-allow-credentials", b"false"),
    (b"access-control-allow-methods", b"up"),
]


def test_a_simple_request_of_an_allowed_origin_overwrites_upstreams_values() -> None:
    found = answered(with_cors(FULL), request("/", {"origin": "http://a.test"}), list(UP))
    assert found["access-control-allow-origin"] == ["http://a.test"]
    assert found["access-control-expose-headers"] == ["x-exp,x-exp2"]
    assert found["access-control-allow-credentials"] == ["true"]
    assert found["access-control-allow-methods"] == ["up"]
    assert "vary" not in found


@pytest.mark.parametrize("headers", [{}, {"origin": "http://b.test"}])
def test_others_get_upstreams_own(headers: dict[str, str]) -> None:
    found = answered(with_cors(FULL), request("/", headers), list(UP))
    assert found["access-control-allow-origin"] == ["*"]
    assert found["access-control-expose-headers"] == ["up"]


def test_cors_wins_over_response_operations_and_shows_on_local_replies() -> None:
    rules = web(
        f"- corsPolicy: {FULL}\n  headers: {{response: {{set: {{access-control-allow-origin: mine}}}}}}\n"
        "  route: [{destination: {host: web}}]"
    )
    asked = request("/", {"origin": "http://a.test"})
    assert answered(rules, asked)["access-control-allow-origin"] == ["http://a.test"]
    reply = forwarded(rules, asked).headwork.local_reply(asked, 503, b"no healthy upstream")
    assert by_name(reply.headers)["access-control-allow-origin"] == ["http://a.test"]
    assert (cors_headers(rules, preflight()) or {})["allow-origin"] == "http://a.test"


def test_without_origins_a_policy_has_no_effect() -> None:
    assert cors_headers(with_cors("{allowMethods: [GET]}"), preflight()) is None
