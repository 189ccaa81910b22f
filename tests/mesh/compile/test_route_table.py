"""However many routes there are, the first that matches is found: indexes never change the answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.mesh import request, taken, web

from chaos.mesh.compile.rules import Rules
from chaos.mesh.decision import Request

CONDITIONS = st.sampled_from(
    [
        "uri: {exact: /a}",
        "uri: {exact: /a/b}",
        "uri: {prefix: /a}",
        "uri: {prefix: /A}, ignoreUriCase: true",
        "uri: {exact: /AB}, ignoreUriCase: true",
        "uri: {prefix: /a.}",
        "uri: {regex: '/[ab]'}",
        "uri: {regex: '/a(/.*)?'}",
        "headers: {x: {regex: '[ab]+'}}",
        "headers: {X: {regex: 'b'}}",
        "headers: {x: {exact: a}}",
        "headers: {y: {regex: '.*'}}",
        "uri: {prefix: /a}, headers: {x: {regex: 'a'}}",
        "uri: {regex: '/ab?'}, headers: {x: {regex: 'b'}, y: {}}",
        "queryParams: {q: {regex: '[0-9]'}}",
        "queryParams: {q: {exact: '1'}}",
        "method: {regex: 'P.*'}",
        "withoutHeaders: {x: {regex: 'a'}}",
        "authority: {regex: 'w.b'}",
    ]
)
REQUESTS = st.builds(
    lambda path, query, x, y, method: request(
        path + query, {name: value for name, value in (("x", x), ("y", y)) if value is not None}, method=method
    ),
    st.sampled_from(["/", "/a", "/A", "/a/b", "/ab", "/aB", "/b", "/a.", "/c"]),
    st.sampled_from(["", "?", "?q=1", "?q=12", "?q=2&q=1"]),
    st.sampled_from([None, "a", "b", "ab", ["b", "a"]]),
    st.sampled_from([None, "", "z"]),
    st.sampled_from(["GET", "PUT"]),
)


def compiled(entries: list[str]) -> Rules:
    return web(
        "\n".join(f"- {{name: r{n}, match: [{{{e}}}], directResponse: {{status: 200}}}}" for n, e in enumerate(entries))
    )


@given(st.lists(CONDITIONS, min_size=1, max_size=24), st.lists(REQUESTS, min_size=1, max_size=8))
def test_the_first_match_is_found_as_by_walking(entries: list[str], requests: list[Request]) -> None:
    """Each entry alone says whether it takes a request; together the first of those must win."""
    rules = compiled(entries)
    single = [ALONE.setdefault(entry, compiled([entry])) for entry in entries]
    for asked in requests:
        expected = next((f"r{n}" for n, alone in enumerate(single) if taken(alone, asked)), None)
        assert taken(rules, asked) == expected


ALONE: dict[str, Rules] = {}
