"""What is written reads back as it was (chaos/mesh/source/writing.py)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.mesh.source.document import read_documents
from chaos.mesh.source.writing import Block, to_yaml

TEXTS = [
    "y",
    "n",
    "Y",
    "on",
    "off",
    "yes",
    "true",
    "null",
    "~",
    "",
    "1e3",
    "0o17",
    "0x1F",
    "1_000",
    "012",
    ".5",
    "12:30",
    "-",
    "é",
    "a: b",
]
PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF, exclude_characters="\x7f\ufeff"), max_size=12)


def back(value: object) -> object:
    documents = read_documents(to_yaml(value), "f.yaml")
    assert documents.problems == () and documents.notes == ()
    (document,) = documents
    return document.value


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_stays_a_text_as_value_and_as_key(text: str) -> None:
    assert back({"a": text, f"x{text}": [text], text: "key"}) == {"a": text, f"x{text}": [text], text: "key"}


@given(st.dictionaries(PRINTABLE, PRINTABLE | st.integers(-(2**53), 2**53) | st.booleans() | st.none(), max_size=4))
def test_whatever_it_is(value: dict[str, object]) -> None:
    assert back({"spec": value}) == {"spec": value}


def test_a_bare_word_is_written_in_quotes() -> None:
    (document,) = read_documents("a: y", "f.yaml")
    assert to_yaml(document.value) == 'a: "y"\n'


LINES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=4).map("\n".join)


@given(LINES)
def test_a_text_of_several_lines_stays_what_it_was(text: str) -> None:
    assert back({"data": {"file": Block(text)}}) == {"data": {"file": text}}


def test_a_text_of_several_lines_is_written_as_it_is_read() -> None:
    assert to_yaml({"a": Block("b: c\n  d\n")}) == "a: |\n  b: c\n    d\n"
