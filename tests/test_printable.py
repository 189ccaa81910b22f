"""Whatever text says, a terminal shows it and does not obey it."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.printable import printable, printable_json, printable_line

SHOWN = [
    ("plain", "plain"),
    ("größer 买东西", "größer 买东西"),
    ("two\nlines\tand a column", "two\nlines\tand a column"),
    ("14\u202f000", "14\u202f000"),  # a narrow space between thousands
    ("\x1b[31mred", "\\x1b[31mred"),
    ("\x9b2J", "\\x9b2J"),
    ("a\rb", "a\\rb"),
    ("\u202eback", "\\u202eback"),
    ("\ud800", "\\ud800"),
    ("bell\a", "bell\\x07"),
]


@pytest.mark.parametrize(("text", "shown"), SHOWN)
def test_what_a_terminal_would_obey_is_spelt_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_nothing_that_moves_a_cursor_is_left(text: str) -> None:
    assert not [c for c in printable(text) if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c not in "\n\t"]


@given(st.text())
def test_a_line_stays_one(text: str) -> None:
    assert len(printable_line(text).splitlines()) <= 1


@given(
    st.text(st.characters()) | st.sampled_from(["a\x7fb\x85", "\U000e0001", "\u202e", "\ud800", "\x1b[2J"]),
    st.booleans(),
)
def test_a_json_document_means_the_same(text: str, is_ascii: bool) -> None:
    document = json.dumps({text: [text]}, ensure_ascii=is_ascii, indent=1)
    shown = printable_json(document)
    assert json.loads(shown) == json.loads(document)
    assert shown == printable(shown)
