"""Path normalisation as a real Envoy 1.40 with Istio's settings does it; every row was sent to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.mesh.paths import normalise

ROWS = [
    ("/a/./b", "/a/b"),
    ("/a/../b", "/b"),
    ("/../a", "/a"),
    ("/a/..", "/"),
    ("/a/.", "/a/"),
    ("/a/../", "/"),
    ("/a/./", "/a/"),
    ("/..", "/"),
    ("/.", "/"),
    ("/a/b/../../..", "/"),
    ("/a/%2e/b", "/a/b"),
    ("/a/%2e%2e/b", "/b"),
    ("/a/.%2E/b", "/b"),
    ("/a/%2e.", "/"),
    ("/%2e%2e/%2e%2e/a", "/a"),
    ("/a/%2e%2e%2fb", "/a/..%2fb"),
    ("/%7Ea%41", "/~aA"),
    ("/a%2D%2e%5F%7e", "/a-._~"),
    ("/a%2E%2E", "/a.."),
    ("/x%2e", "/x."),
    ("/a%2Fb", "/a%2Fb"),
    ("/a%20b", "/a%20b"),
    ("/a%21", "/a%21"),
    ("/a%23", "/a%23"),
    ("/%c3%a9", "/%c3%a9"),
    ("/%252e", "/%252e"),
    ("/a%80b", "/a%80b"),
    ("/a%2", "/a%2"),
    ("/a%zz", "/a%zz"),
    ("/%", "/%"),
    ("/a\\b", "/a/b"),
    ("/a/..\\b", "/b"),
    ("/a/b\\..\\c", "/a/c"),
    ("/a/\\../b", "/a/b"),
    ("/a%5cb", "/a%5cb"),
    ("/a/%5c../b", "/a/%5c../b"),
    ("//a//b", "//a//b"),
    ("/a//../b", "/a/b"),
    ("/a///../b", "/a//b"),
    ("/x/..//y", "//y"),
    ("/x/.//y", "/x//y"),
    ("/a/...", "/a/..."),
    ("/a/..b", "/a/..b"),
    ("/a/.b", "/a/.b"),
    ("/a/b..", "/a/b.."),
    ("/a/..;/b", "/b"),
    ("/a/..;x=1/c/d", "/c/d"),
    ("/a/.;/b", "/a/b"),
    ("/a/..;", "/"),
    ("/a/..,/b", "/a/..,/b"),
    ("/p/;../q", "/p/;../q"),
    ('/a"b', "/a%22b"),
    ("/a<b>", "/a%3Cb%3E"),
    ("/a^`{|}", "/a%5E%60%7B%7C%7D"),
    ("/a[b]", "/a[b]"),
    ("/a!$&'()*+,:=@b", "/a!$&'()*+,:=@b"),
    ("/a%00", None),
]


@pytest.mark.parametrize(("path", "expected"), ROWS)
def test_envoy_normalises(path: str, expected: str | None) -> None:
    assert normalise(path.encode()) == (None if expected is None else expected.encode())


PATHS = st.text(st.sampled_from("ab./\\%2eE;"), max_size=20).map(lambda text: b"/" + text.encode())


@given(PATHS)
def test_normalising_leaves_no_dot_segments(path: bytes) -> None:
    """Whatever comes in, no segment of the outcome is `.` or `..`, and it begins at the root."""
    found = normalise(path)
    assert found is not None
    assert found.startswith(b"/")
    assert not {b".", b".."} & set(found.split(b"/"))


@given(st.text(st.sampled_from("abc/-_~0"), max_size=20).map(lambda text: b"/" + text.encode()))
def test_a_plain_path_is_the_same_object(path: bytes) -> None:
    """Nothing is copied on the request path when there is nothing to do."""
    assert normalise(path) is path
