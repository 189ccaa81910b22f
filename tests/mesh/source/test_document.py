"""A stream becomes plain values that remember where they stood; broken input becomes one located problem."""

from __future__ import annotations

from typing import Any

import pytest

from chaos.errors import Location
from chaos.mesh.source.document import MAX_DEPTH, Documents, field_path, read_documents


def read(text: str | bytes) -> Documents:
    return read_documents(text, "f.yaml")


def value(text: str) -> Any:
    documents = read(text)
    assert documents.problems == ()
    return documents.documents[0].value


def only_problem(text: str | bytes) -> str:
    (problem,) = read(text).problems
    return str(problem)


SCALARS = [
    ("5", 5),
    ("-5", -5),
    ("50.0", 50),
    ("0.5", 0.5),
    (".5", 0.5),
    ("1e3", 1000),
    ("1e-3", 0.001),
    ("010", 8),
    ("0o17", 15),
    ("0x1F", 31),
    ("0b101", 5),
    ("1_000", 1000),
    ("08", 8),
    ("12:30", "12:30"),
    ("2024-01-31T12:00:00Z", "2024-01-31T12:00:00Z"),
    ("5s", "5s"),
    ("/a", "/a"),
    ("true", True),
    ("yes", True),
    ("off", False),
    ("~", None),
    ("null", None),
    ("'5'", "5"),
    ('"true"', "true"),
    ("!!str 5", "5"),
    ("!!float 5", 5),
    ("|-\n  text", "text"),
    ("1.2.3.4", "1.2.3.4"),
    ("-", None),
    ("+", "+"),
    ("9" * 5000, None),
]


@pytest.mark.parametrize(
    ("text", "expected"), [row for row in SCALARS if row[1] is not None or row[0] in ("~", "null")]
)
def test_plain_words_mean_what_they_mean_to_kubectl(text: str, expected: Any) -> None:
    found = value(f"a: {text}")["a"]
    assert (type(found), found) == (type(expected), expected)


def test_a_number_too_long_for_any_type_is_refused_or_a_float_never_a_crash() -> None:
    assert "not a finite number" in only_problem("a: " + "9" * 5000)


BROKEN: list[tuple[str | bytes, str]] = [
    ("", "f.yaml:1:1: the file is empty; expected a VirtualService or an Experiment"),
    ("  \n", "f.yaml:1:1: the file is empty; expected a VirtualService or an Experiment"),
    ("---\n# only a comment\n", "f.yaml:1:1: the file holds no document; expected a VirtualService or an Experiment"),
    ("a: b: c", "f.yaml:1:5: not YAML: a second `: ` in one line; put the text in quotes, or begin a line of its own"),
    (
        "a:\n  - b\n c: d",
        "f.yaml:3:2: not YAML: expected `key: value`, as in the lines before; is the indentation the same?",
    ),
    ("a: b\0", "f.yaml:1:1: not a text file: it holds a NUL character"),
    (b"a: b\n\x80\x81", "f.yaml:2:1: not a text file: byte 5 is not utf-8"),
    (b"\x89PNG\r\n\x1a\n\0\0", "f.yaml:1:1: not a text file: byte 0 is not utf-8"),
    ("a: &a [*a]", "f.yaml:1:8: alias *a has no anchor &a that is complete before it"),
    ("a: *b", "f.yaml:1:4: alias *b has no anchor &b that is complete before it"),
    ("apiVersion: chaos/v1alpha1\na: 2\na: 3", "f.yaml:3:1: a: the key appears twice, first in line 2"),
    ("{apiVersion: chaos/v1alpha1, x: {a: 1, a: 2}}", "f.yaml:1:40: x.a: the key appears twice, first in line 1"),
    ("? [a]\n: 1", "f.yaml:1:3: a key must be a string, not a list"),
    ("a:\n  ~: 1", "f.yaml:2:3: a: a key must be a string, not null"),
    ("a: .nan", "f.yaml:1:4: a: .nan is not a finite number"),
    ("a: [1, -.inf]", "f.yaml:1:8: a[1]: -.inf is not a finite number"),
    ("a: !!binary x", "f.yaml:1:4: a: tagged !!binary, but it is not base64"),
    ("a: !!float y", "f.yaml:1:4: a: the tag !!float does not fit here; leave it out"),
    ("a: !!int x", "f.yaml:1:4: a: the tag !!int does not fit here; leave it out"),
    ("[" * 1000, f"f.yaml:1:{MAX_DEPTH + 2}: nested more than {MAX_DEPTH} deep"),
    ("a: " + "x" * 10_000_000, "f.yaml:1:1: 10.0 MB is too large for rules; the limit is 1 MiB"),
    ("<<: 5", "f.yaml:1:5: <<: `<<` merges a mapping or a list of mappings"),
]


@pytest.mark.parametrize(("text", "expected"), BROKEN)
def test_what_cannot_be_read_is_one_located_line(text: str | bytes, expected: str) -> None:
    assert only_problem(text) == expected


def test_an_alias_bomb_is_refused_without_being_expanded() -> None:
    lines = ["- &a0 [" + ",".join("x" * 10) + "]"]
    lines += [f"- &a{i} [" + ",".join([f"*a{i - 1}"] * 10) + "]" for i in range(1, 30)]
    assert "once aliases are expanded" in only_problem("\n".join(lines))


def test_all_problems_of_a_stream_at_once_and_the_good_documents_beside_them() -> None:
    documents = read("a: 1\n[]: 2\n---\nb: .inf\n---\nc: 1\n---\nd: [")
    assert [problem.location.line for problem in documents.problems] == [2, 4, 9]
    assert [document.value for document in documents][-1] == {"c": 1}


def test_aliases_and_merges_are_expanded() -> None:
    assert value("a: &x {k: 1, l: 2}\nb: *x\nc: {<<: *x, l: 3}\nd: {<<: [{m: 1}, {m: 2, o: 2}]}") == {
        "a": {"k": 1, "l": 2},
        "b": {"k": 1, "l": 2},
        "c": {"k": 1, "l": 3},
        "d": {"m": 1, "o": 2},
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("!foo x", "x"),
        ("!!python/name:os.system x", "x"),
        ("!!str 5", "5"),
        ("! 5", "5"),
        ('!!int "5"', 5),
        ("!!float 5", 5),
        ("!!bool y", True),
        ("!!null ~", None),
        ("!!binary aGVsbG8=", "hello"),
        ("!!timestamp 2020-01-01", "2020-01-01"),
        ("!!map 5", "5"),
        ("!foo {a: !bar [1]}", {"a": [1]}),
        ("!!str [1]", [1]),
    ],
)
def test_a_tag_means_what_it_means_to_kubectl(text: str, expected: object) -> None:
    """Of a scalar's tags five have a meaning; go-yaml makes a text of any other, and looks at none of a collection."""
    assert value(f"a: {text}") == {"a": expected}


def test_of_a_repeated_key_the_last_one_counts_as_for_kubectl() -> None:
    documents = read("a: 1\nb: 2\na: {c: 1, c: 2}")
    assert documents.documents[0].value == {"a": {"c": 2}, "b": 2} and documents.problems == ()
    assert [f"{note.severity} {note}" for note in documents.notes] == [
        "warning f.yaml:3:11: a.c: the key appears twice, first in line 3; the last one counts",
        "warning f.yaml:3:1: a: the key appears twice, first in line 1; the last one counts",
    ]


def test_keys_become_texts_as_in_json() -> None:
    assert value("1: a\ntrue: b\n'2': c") == {"1": "a", "true": "b", "2": "c"}


def test_a_bare_y_is_a_text_but_the_reader_is_told() -> None:
    """kubectl's YAML takes it for a boolean; nearly everyone who writes it means the letter."""
    documents = read("a: y")
    assert documents.documents[0].value == {"a": "y"} and documents.problems == ()
    assert [(note.severity, note.path) for note in documents.notes] == [("info", "a")]


def test_a_bare_on_as_a_key_is_a_boolean_and_the_reader_is_told() -> None:
    documents = read("on: 1")
    assert documents.documents[0].value == {"true": 1} and documents.problems == ()
    assert [(note.severity, note.path) for note in documents.notes] == [("warning", "on")]


TEXT = """\
kind: A
spec:
  http:
  - route: [{weight: 5}]
    timeout: 5s
"""

PLACES = [
    ((), (1, 1)),
    (("kind",), (1, 7)),
    (("spec",), (2, 1)),
    (("spec", "http"), (3, 3)),
    (("spec", "http", 0), (4, 5)),
    (("spec", "http", 0, "timeout"), (5, 14)),
    (("spec", "http", 0, "route", 0, "weight"), (4, 22)),
    (("spec", "http", 0, "fault", "abort"), (4, 5)),
    (("spec", "http", 7), (3, 3)),
]


@pytest.mark.parametrize(("path", "position"), PLACES)
def test_a_scalar_is_located_by_its_value_and_anything_else_by_its_key(path: Any, position: tuple[int, int]) -> None:
    """A field that is absent is located by its nearest parent."""
    document = read(TEXT).documents[0]
    assert document.locate(path) == Location("f.yaml", *position)


def test_keys_can_be_located_too() -> None:
    assert read(TEXT).documents[0].locate_key(("spec", "http", 0, "timeout")) == Location("f.yaml", 5, 5)


def test_text_may_come_as_utf_8_with_a_mark_or_as_utf_16() -> None:
    assert value("\ufeffa: ä") == read("a: ä".encode("utf-8-sig")).documents[0].value == {"a": "ä"}
    assert read("a: ä".encode("utf-16")).documents[0].value == {"a": "ä"}


def test_paths_are_written_as_istio_writes_them() -> None:
    assert field_path(("spec", "http", 0, "headers", "end-user")) == "spec.http[0].headers.end-user"
    assert field_path(("labels", "app.kubernetes.io/name")) == 'labels["app.kubernetes.io/name"]'


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: [2001:db8::]", {"a": ["2001:db8::"]}),
        ("a: [b::, c]", {"a": ["b::", "c"]}),
        ('a: [b::]\nc: {"d":[1]}', {"a": ["b::"], "c": {"d": [1]}}),
    ],
)
def test_a_colon_before_the_end_of_an_item_is_text(text: str, value: object) -> None:
    """YAML forbids it, kubectl reads it so."""
    assert [document.value for document in read_documents(text, "f.yaml")] == [value]


NOT_YAML = [
    ('a: "\x01"', 1, "a control character (U+0001), which YAML allows nowhere"),
    ("a:\n\t- b", 2, "a character that begins nothing here, such as a tab"),
    ("a: 'b", 1, "a quote that opens further up is never closed"),
    ("a: [b", 2, "a list in [ ] goes on without a comma, or is never closed"),
    ("a: {b: c\nd: e", 2, "a mapping in { } goes on without a comma, or is never closed"),
    ("a: b\n- c", 2, "expected `key: value`, as in the lines before"),
    ("a:\n - b\n c: d", 3, "expected `- item`, as in the lines before"),
    ("a: b: c", 1, "a second `: ` in one line"),
    ('a: "\\q"', 1, "a backslash that means nothing in double quotes"),
]


@pytest.mark.parametrize(("text", "line", "message"), NOT_YAML)
def test_what_is_not_yaml_is_told_in_plain_words(text: str, line: int, message: str) -> None:
    assert only_problem(text).startswith(f"f.yaml:{line}:") and f"not YAML: {message}" in only_problem(text)
