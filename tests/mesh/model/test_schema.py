"""The JSON Schema says what the models say, with every field described."""

from __future__ import annotations

from typing import Any

import pytest

from chaos.mesh.model.message import Message
from chaos.mesh.model.schema import attribute_texts, model_schema
from chaos.mesh.read.kinds import KINDS, model_of


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_every_message_has_a_description(kind: str) -> None:
    schema = model_schema(model_of(kind))
    for name, message in {kind: schema, **schema["$defs"]}.items():
        for field, described in message.get("properties", {}).items():
            assert described.get("description"), f"{name}.{field}"


def test_fields_are_in_their_documents_spelling() -> None:
    definitions = model_schema(model_of("VirtualService"))["$defs"]
    assert {"corsPolicy", "directResponse", "mirrorPercentage"} <= definitions["HTTPRoute"]["properties"].keys()
    assert definitions["HTTPRouteDestination"]["required"] == ["destination"]
    assert definitions["HTTPRoute"]["additionalProperties"] is False


def test_durations_are_texts_with_a_unit() -> None:
    timeout = model_schema(model_of("VirtualService"))["$defs"]["HTTPRoute"]["properties"]["timeout"]
    texts = [choice for choice in timeout["anyOf"] if choice["type"] == "string"]
    assert texts[0]["examples"] == ["5s", "100ms", "1m30s"]


def test_names_are_not_repeated_as_titles() -> None:
    def titles(schema: Any) -> list[str]:
        if isinstance(schema, list):
            return [title for item in schema for title in titles(item)]
        if not isinstance(schema, dict):
            return []
        own = [schema["title"]] if isinstance(schema.get("title"), str) else []
        return own + [title for item in schema.values() for title in titles(item)]

    assert titles(model_schema(model_of("Gateway"))) == []


class _Base(Message):
    one: int = 1
    """In the base."""


class _Derived(_Base):
    two: int = 2
    """Over
    two lines."""
    three: int = 3


def test_descriptions_come_from_the_text_under_a_field_and_are_inherited() -> None:
    assert attribute_texts(_Derived) == {"one": "In the base.", "two": "Over\ntwo lines."}
