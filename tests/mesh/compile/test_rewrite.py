"""Path and Host on the way upstream: by length, without care for slashes, as Envoy does it."""

from __future__ import annotations

import pytest
from support.mesh import forwarded, request, sent, web

PATHS = [
    ("{prefix: /nosl}", "/", "/nosl/x", "//x"),
    ("{prefix: /a/}", "/b", "/a/x", "/bx"),
    ("{prefix: /c}", "/d/", "/c/x", "/d//x"),
    ("{prefix: /old}", "/new", "/older", "/newer"),
    ("{prefix: /old}", "/new", "/old?x=1", "/new?x=1"),
    ("{exact: /exact}", "/r", "/exact?y=2", "/r?y=2"),
    ("{regex: '/re/.*'}", "/whole", "/re/1/2", "/whole"),
    (None, "/pre", "/tail", "/pretail"),
    (None, "/pre", "/", "/pre"),
    ("{prefix: /withq}", "/w?fixed=1", "/withq/1?a=b", "/w?fixed=1/1?a=b"),
    ("{prefix: /}", "/v2", "/x", "/v2x"),
    ("{prefix: ''}", "/v2", "/x", "/v2/x"),
]


@pytest.mark.parametrize(("uri", "text", "target", "expected"), PATHS)
def test_rewrite_uri(uri: str | None, text: str, target: str, expected: str) -> None:
    match = f"match: [{{uri: {uri}}}], " if uri else ""
    rules = web(f"- {{{match}rewrite: {{uri: '{text}'}}, route: [{{destination: {{host: web}}}}]}}")
    assert forwarded(rules, target).target == expected.encode()
    assert sent(rules, target)["x-envoy-original-path"] == [target]


def test_ignoring_case_cuts_by_length() -> None:
    rules = web(
        "- {match: [{uri: {prefix: /AbC}, ignoreUriCase: true}], rewrite: {uri: /z}, "
        "route: [{destination: {host: web}}]}"
    )
    assert forwarded(rules, "/aBc/Rest").target == b"/z/Rest"


REGEXES = [
    ("^/re/([^/]+)/(.*)$", r"/x/\2/\1", "/re/one/two/three?q=1", "/x/two/three/one?q=1"),
    ("b", r"[\0]", "/bbab", "/[b][b]a[b]"),
    ("x*", "-", "/aaxxb", "-/-a-a-b-"),
    ("(d)?(e)?", r"<\2\1>", "/dedeq", "<>/<ed><ed>q<>"),
    ("$", "/end", "/g/1", "/g/1/end"),
    ("/", r"\\", "/i/j/k", r"\i\j\k"),
    ("zz", "y", "/c/1", "/c/1"),
    ("x", "y", "/x?x=x", "/y?x=x"),
]


@pytest.mark.parametrize(("pattern", "replacement", "target", "expected"), REGEXES)
def test_regex_rewrites_every_occurrence(pattern: str, replacement: str, target: str, expected: str) -> None:
    """On the path without its query; each row was sent to Envoy 1.40."""
    rewrite = f"{{uriRegexRewrite: {{match: '{pattern}', rewrite: '{replacement}'}}}}"
    rules = web(f"- {{rewrite: {rewrite}, route: [{{destination: {{host: web}}}}]}}")
    assert forwarded(rules, target).target == expected.encode()
    assert sent(rules, target)["x-envoy-original-path"] == [target]  # also when nothing was replaced


HOSTS = [
    ("rewrite: {authority: 'other.example:81'}", "", "other.example:81"),
    ("headers: {request: {set: {host: by.header}}}", "", "by.header"),
    ("headers: {request: {set: {':authority': by.header}}}", "", "by.header"),
    ("headers: {request: {add: {Host: by.header}}}", "", "by.header"),
    ("rewrite: {uri: /}", ", headers: {request: {set: {host: by.destination}}}", "by.destination"),
    (
        "headers: {request: {set: {host: by.header}}}",
        ", headers: {request: {set: {host: by.destination}}}",
        "by.header",
    ),
]


@pytest.mark.parametrize(("rule", "destination", "host"), HOSTS)
def test_host(rule: str, destination: str, host: str) -> None:
    rules = web(f"- {{{rule}, route: [{{destination: {{host: web}}{destination}}}]}}")
    headers = sent(rules, "/x")
    assert headers["host"] == [host]
    assert headers["x-envoy-original-host"] == ["web"]
    assert "x-forwarded-host" not in headers


def test_without_a_rewrite_upstream_gets_what_the_client_sent() -> None:
    headers = sent(web("- route: [{destination: {host: web}}]"), request("/x", host="WEB:80"))
    assert headers["host"] == ["WEB:80"]
    assert not [name for name in headers if name.startswith("x-envoy-original")]


def test_the_normalised_path_goes_upstream() -> None:
    assert forwarded(web("- route: [{destination: {host: web}}]"), "/a/../%62?x=%62").target == b"/b?x=%62"
