"""Any name of a rule comes back from a response's tag as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.protocol.tags import decode_tag, encode_tag


@given(st.text())
def test_every_name_survives_as_visible_ascii(name: str) -> None:
    value = encode_tag(name)
    assert decode_tag(value.decode("ascii")) == name
    assert all(0x20 <= octet < 0x7F for octet in value)
    assert value == value.strip()  # header values lose the space around them


PLAIN = ["web", "web[0]", "reviews v2", "a-b.c:80/v1", 'say "hi", please']


@pytest.mark.parametrize("name", PLAIN)
def test_plain_names_stay_as_they_are(name: str) -> None:
    assert encode_tag(name) == name.encode()


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_what_others_wrote_is_read_without_an_error(value: str) -> None:
    assert isinstance(decode_tag(value), str)
