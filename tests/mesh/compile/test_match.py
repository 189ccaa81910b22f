"""Which requests a match entry takes: path, headers, method, authority, scheme, query, and the static selectors."""

from __future__ import annotations

import pytest
from support.mesh import NEVER, WEB, request, rules_of, taken, virtual_service, web

from chaos.mesh.compile.rules import Rules
from chaos.mesh.names import Proxy

REST = "\n- {name: rest, directResponse: {status: 200}}"


def entry(match: str, proxy: Proxy | None = None) -> Rules:
    """One rule `hit` with this match entry, then `rest`."""
    services = {f"web:{proxy.port or 80}": [{}]} if proxy else WEB
    return web(f"- name: hit\n  match: [{{{match}}}]\n  directResponse: {{status: 200}}{REST}", services, proxy)


PATHS = [
    ("uri: {exact: /a}", "/a", True),
    ("uri: {exact: /a}", "/a?x=1", True),
    ("uri: {exact: /a}", "/a/", False),
    ("uri: {exact: /a}", "/A", False),
    ("uri: {exact: '/a?x=1'}", "/a?x=1", False),
    ("uri: {prefix: /p}", "/prefixed", True),
    ("uri: {prefix: /p/}", "/p", False),
    ("uri: {prefix: ''}", "/anything", True),
    ("uri: {prefix: /}", "/", True),
    ("uri: {regex: '/item/[0-9]+'}", "/item/42?x=abc", True),
    ("uri: {regex: '/item/[0-9]+'}", "/item/42/x", False),
    ("uri: {regex: '^/item/.$'}", "/item/a", True),
    ("uri: {regex: '/a.x=1'}", "/a?x=1", False),
    ("uri: {exact: /Case}, ignoreUriCase: true", "/cASE", True),
    ("uri: {prefix: /Ca}, ignoreUriCase: true", "/cASE", True),
    ("uri: {regex: /Case}, ignoreUriCase: true", "/case", False),
    ("uri: {regex: '(?i)/Case'}", "/case", True),
    ("uri: {exact: /b}", "/a/../b", True),
    ("uri: {exact: /a%2Fb}", "/a%2Fb", True),
    ("uri: {exact: /a%2Fb}", "/a/b", False),
    ("uri: {}", "/x", True),
]


@pytest.mark.parametrize(("match", "target", "hit"), PATHS)
def test_paths(match: str, target: str, hit: bool) -> None:
    """The normalised path without its query is compared; a regex must match all of it."""
    assert (taken(entry(match), request(target)) == "hit") is hit


HEADERS = [
    ("headers: {X-A: {exact: one}}", {"x-a": "one"}, True),
    ("headers: {x-a: {exact: one}}", {"X-A": "One"}, False),
    ("headers: {x-a: {prefix: ab}}", {"x-a": "abc"}, True),
    ("headers: {x-a: {regex: 'v[0-9]+'}}", {"x-a": "v12x"}, False),
    ("headers: {x-a: {regex: '.*'}}", {}, False),
    ("headers: {x-a: {regex: '.*'}}", {"x-a": ""}, True),
    ("headers: {x-a: {}}", {"x-a": ""}, True),
    ("headers: {x-a: {}}", {}, False),
    ("headers: {x-a: {exact: ''}}", {"x-a": ""}, True),
    ("headers: {x-a: {exact: ''}}", {}, False),
    ("headers: {x-a: {exact: b}}", {"x-a": ["a", "b"]}, True),
    ("headers: {x-a: {exact: 'a,b'}}", {"x-a": ["a", "b"]}, False),
    ("headers: {x-a: {exact: 'a, b'}}", {"x-a": "a, b"}, True),
    ("headers: {accept: {exact: 'a,b'}}", {"accept": ["a", "b"]}, True),
    ("headers: {accept: {exact: b}}", {"accept": ["a", "b"]}, False),
    ("headers: {x-forwarded-for: {exact: '1.1.1.1,2.2.2.2'}}", {"x-forwarded-for": ["1.1.1.1", "2.2.2.2"]}, True),
    ("headers: {accept-language: {exact: b}}", {"accept-language": ["a", "b"]}, True),
    ("headers: {x-a: {exact: '1'}, x-b: {exact: '2'}}", {"x-a": "1"}, False),
    ("headers: {x-a: {exact: '1'}, x-b: {exact: '2'}}", {"x-a": "1", "x-b": "2"}, True),
    ("withoutHeaders: {x-a: {}}", {}, True),
    ("withoutHeaders: {x-a: {}}", {"x-a": ""}, False),
    ("withoutHeaders: {x-a: {regex: '*'}}", {}, True),
    ("withoutHeaders: {x-a: {regex: '*'}}", {"x-a": "1"}, False),
    ("withoutHeaders: {x-a: {exact: '1'}}", {}, True),
    ("withoutHeaders: {x-a: {exact: '1'}}", {"x-a": "2"}, True),
    ("withoutHeaders: {x-a: {exact: '1'}}", {"x-a": ["2", "1"]}, False),
    ("withoutHeaders: {x-a: {exact: ''}}", {}, False),
    ("withoutHeaders: {x-a: {regex: '.*'}}", {}, False),
    ("withoutHeaders: {x-a: {prefix: b}}", {"x-a": "bc"}, False),
    ("withoutHeaders: {x-a: {}, x-b: {}}", {"x-b": "1"}, False),
    # What the proxy itself sets before it routes.
    ("headers: {x-forwarded-proto: {exact: http}}", {}, True),
    ("headers: {x-request-id: {}}", {}, True),
    ("headers: {x-envoy-retry-on: {}}", {"x-envoy-retry-on": "5xx"}, False),
    ("headers: {connection: {}}", {"connection": "keep-alive"}, False),
    # No token is ever verified here.
    ("headers: {'@request.auth.claims.iss': {exact: me}}", {}, False),
    ("withoutHeaders: {'@request.auth.claims.iss': {exact: me}}", {}, True),
]


@pytest.mark.parametrize(("match", "headers", "hit"), HEADERS)
def test_headers(match: str, headers: dict[str, str | list[str]], hit: bool) -> None:
    """Names without regard to case, values with; each line is tested on its own unless Envoy merges the header."""
    assert (taken(entry(match), request("/", headers)) == "hit") is hit


OTHERS = [
    ("method: {exact: POST}", request("/", method="POST"), True),
    ("method: {exact: post}", request("/", method="POST"), False),
    ("method: {exact: GET}", request("/", method="HEAD"), False),
    ("method: {regex: PUT|PATCH}", request("/", method="PATCH"), True),
    ("method: {prefix: OPT}", request("/", method="OPTIONS"), True),
    ("authority: {exact: web}", request("/", host="web"), True),
    ("authority: {exact: web}", request("/", host="web:80"), False),
    ("authority: {exact: web}", request("/", host="WEB"), False),
    ("authority: {regex: 'we.'}", request("/", host="web"), True),
    ("authority: {prefix: 'web.'}", request("/", host="web.default"), True),
    ("scheme: {exact: http}", request("/"), True),
    ("scheme: {exact: https}", request("/", {"x-forwarded-proto": "https"}), True),
    ("scheme: {exact: http}", request("/", {"x-forwarded-proto": "gopher"}), True),
    ("headers: {':method': {exact: GET}}", request("/"), True),
    ("headers: {':authority': {exact: web}}", request("/"), True),
    ("headers: {host: {exact: web}}", request("/"), True),
    ("headers: {':scheme': {exact: http}}", request("/"), True),
    ("headers: {':path': {exact: '/a?x=1'}}", request("/a?x=1"), True),
    ("headers: {':path': {exact: '/a'}}", request("/a?x=1"), False),
]


@pytest.mark.parametrize(("match", "asked", "hit"), OTHERS)
def test_method_authority_scheme(match: str, asked: object, hit: bool) -> None:
    assert (taken(entry(match), asked) == "hit") is hit  # type: ignore[arg-type]


QUERIES = [
    ("{q: {exact: '1'}}", "/?q=1", True),
    ("{q: {exact: '1'}}", "/?z=2&q=1", True),
    ("{q: {exact: '1'}}", "/?q=2&q=1", False),
    ("{q: {exact: '2'}}", "/?q=2&q=1", True),
    ("{Q: {exact: '1'}}", "/?q=1", False),
    ("{q: {exact: A}}", "/?q=a", False),
    ("{q: {exact: 'a b'}}", "/?q=a%20b", False),
    ("{q: {exact: 'a b'}}", "/?q=a+b", False),
    ("{q: {exact: 'a%20b'}}", "/?q=a%20b", True),
    ("{'k[]': {}}", "/?k%5B%5D=1", False),
    ("{k: {exact: ''}}", "/?k", True),
    ("{k: {exact: ''}}", "/?k=", True),
    ("{k: {exact: ''}}", "/", False),
    ("{k: {exact: ''}}", "/?", False),
    ("{k: {}}", "/?k", True),
    ("{k: {}}", "/?kk=1", False),
    ("{r: {regex: a+}}", "/?r=aaab", False),
    ("{r: {regex: a+}}", "/?r=aaa", True),
    ("{r: {prefix: a}}", "/?r=abc", True),
    ("{a: {exact: '1;b=2'}}", "/?a=1;b=2", True),
    ("{a: {exact: '1?b=2'}}", "/?a=1?b=2", True),
    ("{a: {exact: '1=2'}}", "/?a=1=2", True),
]


@pytest.mark.parametrize(("match", "target", "hit"), QUERIES)
def test_query_parameters(match: str, target: str, hit: bool) -> None:
    """The first value counts; nothing is decoded; only `&` separates."""
    assert (taken(entry(f"queryParams: {match}"), request(target)) == "hit") is hit


SELECTORS = [
    ("port: 80", Proxy(), True),
    ("port: 8080", Proxy(), False),
    ("port: 8080", Proxy(port=8080), True),
    ("sourceLabels: {app: shop}", Proxy(labels={"app": "shop", "v": "1"}), True),
    ("sourceLabels: {app: shop, v: '2'}", Proxy(labels={"app": "shop", "v": "1"}), False),
    ("sourceLabels: {app: shop}", Proxy(), False),
    ("sourceNamespace: default", Proxy(), True),
    ("sourceNamespace: prod", Proxy(), False),
    ("gateways: [mesh]", Proxy(), True),
    ("gateways: [gw]", Proxy(), False),
    ("gateways: [mesh], sourceLabels: {app: other}", Proxy(), True),
]


@pytest.mark.parametrize(("match", "proxy", "hit"), SELECTORS)
def test_static_selectors(match: str, proxy: Proxy, hit: bool) -> None:
    """Decided for the proxy, not for a request; with `gateways` the other source selectors are ignored."""
    assert (taken(entry(match, proxy)) == "hit") is hit


def test_entries_are_alternatives_and_the_first_rule_wins() -> None:
    rules = web(
        """
- name: either
  match: [{headers: {x-c: {exact: "1"}}}, {headers: {x-d: {exact: "1"}}}]
  directResponse: {status: 200}
- name: specific
  match: [{uri: {exact: /a}, headers: {x-d: {exact: "1"}}}]
  directResponse: {status: 200}
"""
    )
    assert taken(rules, request("/a", {"x-d": "1"})) == "either"
    assert taken(rules, request("/a")) is None


def test_a_virtual_service_whose_entries_all_fail_leaves_the_host_to_another() -> None:
    nobody = "- match: [{sourceLabels: {app: x}}]\n  name: never\n  directResponse: {status: 200}"
    somebody = "- name: second\n  directResponse: {status: 200}"
    rules = rules_of(virtual_service(nobody, name="a") + virtual_service(somebody, name="b"))
    assert taken(rules) == "second"


@pytest.mark.parametrize("match", ["[{}]", "[{uri: {prefix: /}}]", "[{uri: {regex: '.*'}}]", "[{port: 80}]"])
def test_everything_after_a_catch_all_is_dropped(match: str) -> None:
    late = "- {name: late, match: [{uri: {exact: /x}}], directResponse: {status: 200}}"
    rules = web(f"- name: all\n  match: {match}\n  directResponse: {{status: 200}}\n{late}")
    assert taken(rules, "/x") == "all"
    assert [info.name for info in rules.rules if not info.is_default] == ["all"]
    assert [left.reason for left in rules.left_out] == ["comes after all, which takes every request"]


def test_a_refused_target_is_answered_400() -> None:
    """A fragment anywhere, or %00 in the path; %00 in the query is data."""
    rules = entry("uri: {prefix: /}")
    assert [type(rules.decide(request(target), NEVER).action).__name__ for target in ("/a#b", "/a?b#c", "/%00")] == [
        "BadRequest"
    ] * 3
    assert taken(rules, "/?%00") == "hit"


def test_options_star_has_no_route() -> None:
    assert taken(entry("uri: {prefix: /}"), request("*", method="OPTIONS")) is None
