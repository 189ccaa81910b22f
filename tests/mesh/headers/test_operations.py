"""Header operations: order within a level, merging of levels, empty values, formatters."""

from __future__ import annotations

import pytest
from support.mesh import answered, forwarded, request, sent, web

from chaos.mesh.compile.rules import Rules
from chaos.mesh.decision import Headers

SERVICES = {"web:80": [{}], "v2:80": [{}]}


def rule(headers: str = "", destination: str = "", several: bool = False) -> Rules:
    own = f", headers: {destination}" if destination else ""
    more = ", weight: 1}, {destination: {host: v2}, weight: 0}" if several else "}"
    top = f"headers: {headers}, " if headers else ""
    return web(f"- {{{top}route: [{{destination: {{host: web}}{own}{more}]}}", SERVICES)


ONE_LEVEL = [
    ("{set: {x-a: new}}", {"x-a": ["1", "2"]}, {"x-a": ["new"]}),
    ("{set: {X-A: new}}", {}, {"x-a": ["new"]}),
    ("{add: {x-a: more}}", {"x-a": "first"}, {"x-a": ["first", "more"]}),
    ("{add: {accept: more}}", {"accept": "first"}, {"accept": ["first,more"]}),
    ("{add: {accept-language: more}}", {"accept-language": "first"}, {"accept-language": ["first", "more"]}),
    ("{remove: [X-A]}", {"x-a": "1"}, {"x-a": None}),
    ("{set: {x-a: kept}, remove: [x-a]}", {"x-a": "1"}, {"x-a": ["kept"]}),
    ("{set: {x-a: set}, add: {x-a: add}}", {"x-a": "1"}, {"x-a": ["set", "add"]}),
    ("{set: {x-a: ''}}", {"x-a": "1"}, {"x-a": ["1"]}),
    ("{add: {x-a: ''}}", {}, {"x-a": None}),
    ("{set: {x-a: '%REQ(x-none)%'}}", {"x-a": "1"}, {"x-a": ["1"]}),
    ("{set: {x-pct: '100%%'}}", {}, {"x-pct": ["100%"]}),
    ("{set: {x-b: '%REQ(x-a)%'}, remove: [x-a]}", {"x-a": "1"}, {"x-b": None}),  # computed after removing
    ("{set: {x-a: new, x-b: '%REQ(x-a)%'}}", {"x-a": "old"}, {"x-b": ["old"]}),  # and before setting
    (
        "{set: {content-length: '5', transfer-encoding: chunked}}",
        {},
        {"content-length": None, "transfer-encoding": None},
    ),
    ("{remove: [x-envoy-expected-rq-timeout-ms, x-request-id]}", {}, {"x-request-id": None}),
]


@pytest.mark.parametrize(("operations", "headers", "expected"), ONE_LEVEL)
def test_one_level(operations: str, headers: dict[str, str | list[str]], expected: dict[str, list[str] | None]) -> None:
    """Remove, then set, then add; a value that comes out empty does nothing."""
    found = sent(rule(f"{{request: {operations}}}"), request("/", headers))
    assert {name: found.get(name) for name in expected} == expected


LEVELS = [
    # rule, destination, one destination, several
    ("{set: {x: route}}", "{set: {x: dest}}", ["dest"], ["route"]),
    ("{add: {x: route}}", "{add: {x: dest}}", ["route", "dest"], ["dest", "route"]),
    ("{remove: [x]}", "{set: {x: dest}}", ["dest"], None),
    ("{set: {x: route}}", "{remove: [x]}", ["route"], ["route"]),
    ("{add: {x: route}}", "{set: {x: dest}}", ["dest", "route"], ["dest", "route"]),
    ("{set: {x: route}}", "{add: {x: dest}}", ["route", "dest"], ["route"]),
]


@pytest.mark.parametrize(("route", "destination", "one", "several"), LEVELS)
@pytest.mark.parametrize("side", ["request", "response"])
def test_levels(side: str, route: str, destination: str, one: list[str] | None, several: list[str] | None) -> None:
    """One destination: its operations are appended to the rule's. Several, zero weights too: they come before them."""
    for many, expected in ((False, one), (True, several)):
        rules = rule(f"{{{side}: {route}}}", f"{{{side}: {destination}}}", many)
        found = sent(rules) if side == "request" else answered(rules)
        assert found.get("x") == expected


FORMATTERS = [
    ("%REQ(x-in)%", "abc"),
    ("%REQ(x-in):2%", "ab"),
    ("%REQ(x-none?x-in)%", "abc"),
    ("pre %REQ(x-none)% post", "pre  post"),
    ("%REQ(:path)%", "/p?q=5"),
    ("%REQ(:authority)% %REQ(host)%", "web web"),
    ("%REQ(:method)% %REQ(:scheme)%", "GET http"),
    ("%PROTOCOL%", "HTTP/1.1"),
    ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "127.0.0.1"),
    ("%PATH(NQ)% %PATH(WQ)%", "/p /p?q=5"),
    ("%QUERY_PARAM(q)%", "5"),
    ("%STREAM_ID%", "id-1"),
    ("%RESPONSE_CODE% %RESPONSE_FLAGS%", "0 -"),
    ("%UPSTREAM_CLUSTER%", "outbound|80||web.default.svc.cluster.local;"),
    ("%REQ(accept)%", "1,2"),
    ("%REQ(x-multi)%", "1"),
    ("50%% of %REQ(x-in)%", "50% of abc"),
]


@pytest.mark.parametrize(("text", "value"), FORMATTERS)
def test_formatters_in_requests(text: str, value: str) -> None:
    """They see the request before it is rewritten."""
    rules = web(
        f"- {{rewrite: {{uri: /rw, authority: rw}}, headers: {{request: {{set: {{x-out: '{text}'}}}}}}, "
        "route: [{destination: {host: web}}]}"
    )
    asked = request("/p?q=5", {"x-in": "abc", "accept": ["1", "2"], "x-multi": ["1", "2"]})
    assert sent(rules, asked)["x-out"] == [value]


ON_THE_WAY_BACK = [
    ("%REQ(:path)%", "/rw?q=5"),  # the request as it went upstream
    ("%REQ(:authority)%", "rw"),
    ("%REQ(x-envoy-original-path)%", "/p?q=5"),
    ("%PATH(NQ)% %PATH(WQ)% %PATH(NQ:PATH)% %PATH(WQ:ORIG)%", "/p /p?q=5 /rw /p?q=5"),
    ("[%ROUTE_NAME%]", "[]"),
    ("%REQ(x-set)%", "1"),
    ("%RESP(x-up)%", "U"),
    ("%RESPONSE_CODE%", "202"),
    ("%RESP(:status)%", "202"),
    ("%RESPONSE_CODE_DETAILS%", "via_upstream"),
]


@pytest.mark.parametrize(("text", "value"), ON_THE_WAY_BACK)
def test_formatters_in_responses(text: str, value: str) -> None:
    rules = web(
        "- match: [{uri: {exact: /other}}, {uri: {prefix: /p}}]\n  rewrite: {uri: /rw, authority: rw}\n"
        f"  headers: {{request: {{set: {{x-set: '1'}}}}, response: {{set: {{x-out: '{text}'}}}}}}\n"
        "  route: [{destination: {host: web}}]"
    )
    assert answered(rules, "/p?q=5", [(b"x-up", b"U")], 202)["x-out"] == [value]


def test_formatters_of_local_replies() -> None:
    text = "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESP(:status)% %REQ(:path)%"
    operations = f"headers: {{response: {{set: {{x-out: '{text}'}}}}}}"
    rules = web(f"- {{rewrite: {{uri: /rw}}, {operations}, route: [{{destination: {{host: web}}}}]}}")
    asked = request("/p")
    forward = forwarded(rules, asked)
    rows = {
        b"": b"0 NC 503 /p",
        b"no healthy upstream": b"0 UH 503 /rwp",
        b"upstream connect error or disconnect/reset before headers. reset reason: overflow": b"0 UO 503 /rwp",
    }
    for body, expected in rows.items():
        assert dict(forward.headwork.local_reply(asked, 503, body).headers)[b"x-out"] == expected


def test_an_operator_without_a_value_here_is_reported() -> None:
    rules = rule("{request: {set: {x-a: '%START_TIME%'}}}")
    assert [problem.severity for problem in rules.problems] == ["warning"]
    assert "START_TIME" in rules.problems[0].message
    assert "x-a" not in sent(rules)


RESPONSES: list[tuple[str, Headers, dict[str, list[str] | None]]] = [
    ("{set: {x-a: new}}", [(b"x-a", b"1"), (b"x-a", b"2")], {"x-a": ["new"]}),
    ("{add: {x-a: more}}", [(b"x-a", b"up")], {"x-a": ["up", "more"]}),
    ("{add: {content-type: more}}", [(b"content-type", b"up")], {"content-type": ["up,more"]}),
    ("{add: {set-cookie: b=2}}", [(b"set-cookie", b"a=1")], {"set-cookie": ["a=1", "b=2"]}),
    ("{remove: [x-a]}", [(b"x-a", b"up")], {"x-a": None}),
    ("{set: {server: mine}}", [(b"server", b"up")], {"server": ["envoy"]}),
    ("{remove: [server]}", [(b"server", b"up")], {"server": ["envoy"]}),
    ("{set: {content-length: '9'}, remove: [content-length]}", [(b"content-length", b"3")], {"content-length": ["3"]}),
    ("{set: {connection: close, x-a: '1'}}", [], {"connection": None, "x-a": ["1"]}),
]


@pytest.mark.parametrize(("operations", "headers", "expected"), RESPONSES)
def test_responses(operations: str, headers: Headers, expected: dict[str, list[str] | None]) -> None:
    found = answered(rule(f"{{response: {operations}}}"), "/", headers)
    assert {name: found.get(name) for name in expected} == expected
