"""`chaos explain`: which rule takes a request, why the earlier ones do not, and what happens then."""

from __future__ import annotations

import json
import re

import pytest
from support.mesh import web

from chaos.errors import InvalidInput
from chaos.mesh.compile.rules import Rules
from chaos.mesh.decision import Request
from chaos.mesh.explain.asking import explain
from chaos.mesh.explain.explanation import Explanation

RULES = """
- name: canary
  match: [{headers: {end-user: {exact: jason}}, uri: {prefix: /x}}, {port: 99}]
  route: [{destination: {host: web, subset: v9}}]
- match: [{queryParams: {"y": {regex: "[0-9]+"}}}]
  fault: {delay: {fixedDelay: 5s, percentage: {value: 20}}, abort: {percentage: {value: 50}, httpStatus: 503}}
  rewrite: {uri: /rw, authority: other}
  timeout: 10s
  retries: {attempts: 3, retryOn: 5xx, perTryTimeout: 2s}
  mirror: {host: web}
  route: [{destination: {host: web}, weight: 80}, {destination: {host: nosuch}, weight: 20}]
- name: rest
  redirect: {uri: /elsewhere}
- name: never
  directResponse: {status: 200}
"""


def explained(text: str, *headers: str, rules: Rules | None = None) -> Explanation:
    return explain(rules or web(RULES), Request.parse(text, headers))


def test_the_rule_that_takes_it_and_why_earlier_ones_do_not() -> None:
    found = explained("GET http://web/a/../z?y=1", "end-user: bob")
    assert (found.virtual_host, found.normalised) == ("web.default.svc.cluster.local", "/z?y=1")
    assert found.virtual_services == (("default/web", "rules.yaml:5:1"),)
    first, second = found.considered
    assert (first.rule, first.entry, first.taken, first.where) == ("canary", 0, False, "rules.yaml:9:13")
    assert [(each.field, each.expected, each.seen, each.holds) for each in first.conditions] == [
        ("uri", 'prefix "/x"', ("/z",), False),
        ("headers.end-user", 'exact "jason"', ("bob",), False),
    ]
    assert (second.rule, second.taken) == ("web[1]", True)
    assert found.rule is not None and found.rule.key == "virtualservice/default/web/1"


def test_what_cannot_count_is_named_with_its_reason() -> None:
    skipped = explained("http://web/").skipped
    assert [(each.rule, each.reason) for each in skipped] == [
        ("canary", "port 99 is not the listener's port 80"),
        ("never", "comes after rest, which takes every request"),
    ]


def test_what_happens_then() -> None:
    fate = explained("GET http://web/z?y=1").fate
    assert (fate.kind, fate.target, fate.authority) == ("forward", "/rwz?y=1", "other")
    assert [(name.split(".")[0], round(share, 6)) for name, share, _ in fate.destinations] == [
        ("web", 0.4),
        ("nosuch", 0.1),
    ]
    assert dict(fate.headers)["x-envoy-expected-rq-timeout-ms"] == "2000"
    redirect = explained("http://web/q").fate
    assert (redirect.kind, redirect.status, redirect.location) == ("redirect", 301, "http://web/elsewhere")


def test_the_text() -> None:
    text = str(explained("GET http://web/z?y=1"))
    for line in (
        "  1. canary match[0]: no  rules.yaml:9:13",
        '       headers.end-user: wanted exact "jason", seen absent',
        "  2. web[1] match[0]: takes it  rules.yaml:11:13",
        "delay     20 % of the requests wait 5s",
        "abort     50 % of the requests get 503, drawn independently of the delay",
        "forward   40 % of the requests to web.default.svc.cluster.local:80 (1 endpoint)",
        "path      /z?y=1 becomes /rwz?y=1",
        "Host      web becomes other",
        "timeout   10s for all attempts together",
        "retries   up to 3 on 5xx, 2s per attempt",
    ):
        assert line in text.splitlines()


def test_a_host_nobody_has_is_answered_with_those_there_are() -> None:
    found = explained("http://wep/")
    assert (found.virtual_host, found.rule, found.fate.status) == (None, None, 404)
    assert "web" in found.known_hosts
    assert "wep is neither a service here nor a host of a rule; a mesh would" in str(found)
    assert "\n  known: web" in str(found)


def test_no_rule_takes_it() -> None:
    rules = web("- {name: one, match: [{uri: {exact: /1}}], directResponse: {status: 200}}")
    found = explained("http://web/2", rules=rules)
    assert [each.taken for each in found.considered] == [False]
    assert "answer    404: no route" in str(found)


def test_a_refused_path() -> None:
    assert "answer    400" in str(explained("http://web/a%00"))


def test_a_service_without_virtual_service() -> None:
    found = explained("http://other/", rules=web(RULES, {"web:80": [{}], "other:80": []}))
    assert found.fate.destinations[0][2] == "no endpoints: 503 no healthy upstream"
    assert "the service's own route applies" in str(found)


@pytest.mark.parametrize("text", ["http://web/z?y=1", "http://web/q", "http://nosuch/", "http://web/%00"])
def test_an_explanation_is_json(text: str) -> None:
    found = json.loads(json.dumps(explained(text).to_dict()))
    assert {"host", "considered", "rule", "fate"} <= set(found)


REQUESTS = [
    ("GET http://web/x?y=1", (), (b"GET", b"web", b"/x?y=1")),
    ("http://web", (), (b"GET", b"web", b"/")),
    ("web:80/x", (), (b"GET", b"web:80", b"/x")),
    ("POST https://web?y=1", (), (b"POST", b"web", b"/?y=1")),
    ("http://127.0.0.1:8080/x", ("Host: web",), (b"GET", b"web", b"/x")),
]


@pytest.mark.parametrize(("text", "headers", "expected"), REQUESTS)
def test_requests_as_written(text: str, headers: tuple[str, ...], expected: tuple[bytes, ...]) -> None:
    asked = Request.parse(text, headers)
    assert (asked.method, asked.authority, asked.target) == expected


BAD = [
    ("", (), "is not a request"),
    ("GET http://web /x", (), "is not a request"),
    ("G(T http://web", (), "is not a method"),
    ("ftp://web", (), "is not served"),
    ("http:///x", (), "has no host"),
    ("http://web", ("novalue",), "is not a header"),
    ("http://web", ("bad name: 1",), "is not a header"),
    ("http://web/\udcff\ud800", (), "is no text"),
]


@pytest.mark.parametrize(("text", "headers", "message"), BAD)
def test_a_bad_request_says_what_would_be_right(text: str, headers: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Request.parse(text, headers)


WRONG_PORTS = [
    ("http://web:99999/", "99999 is not a port; ports are 1 to 65535"),
    ("http://web:abc/", "abc is not a port"),
    ("http://web:0/", "0 is not a port"),
    ("http://[::1]:99999/", "99999 is not a port"),
    ("http://web:/", "the port is missing; write web or web:80"),
]


@pytest.mark.parametrize(("url", "expected"), WRONG_PORTS)
def test_a_port_that_is_none_is_refused(url: str, expected: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(expected)):
        explained(url)


def test_a_host_header_without_a_right_port_reaches_no_listener() -> None:
    assert "\n  abc is not a port; ports are 1 to 65535\n" in str(explained("http://web/", "host: web:abc"))


def test_a_listener_that_does_not_exist_is_named_with_those_that_do() -> None:
    found = str(explained("http://web:81/x", rules=web(RULES, services={"other:81": [{}], "web:80": [{}]})))
    assert "listener 81: web has no HTTP on port 81: its port is 80; ask for http://web:80/" in found
    assert "\n  listener 82 does not exist: HTTP ports here are 80\n" in str(explained("http://nobody:82/"))
