"""Make the JSON Schema of a model, with the text under each attribute as its description.

The texts are read from the source when a schema is made, so that reading rules does not pay for them at start-up
(pydantic's own `use_attribute_docstrings` parses the source whenever a class is made)."""

from __future__ import annotations

import ast
import inspect
import sys
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema


class _Described(GenerateJsonSchema):
    """pydantic's generator, with descriptions of the fields of each model."""

    def model_schema(self, schema: core_schema.ModelSchema) -> dict[str, Any]:
        json_schema = super().model_schema(schema)
        model = schema["cls"]
        for name, text in attribute_texts(model).items():
            info = model.model_fields[name]
            described = json_schema.get("properties", {}).get(info.alias or name)
            if described is not None:
                described.setdefault("description", text)
        return json_schema


def model_schema(model: type[BaseModel], ref_template: str = "#/$defs/{model}") -> dict[str, Any]:
    """Return the schema of documents in their own spelling (camelCase), every field described."""
    schema = model.model_json_schema(by_alias=True, ref_template=ref_template, schema_generator=_Described)
    described: dict[str, Any] = _without_titles(schema)
    return described


def attribute_texts(model: type[BaseModel]) -> dict[str, str]:
    """Return the text under each field, in the model and its base classes."""
    texts: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            texts |= _texts(base)
    return {name: text for name, text in texts.items() if name in model.model_fields}


def _texts(model: type[BaseModel]) -> dict[str, str]:
    tree = ast.parse(inspect.getsource(sys.modules[model.__module__]))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == model.__name__:
            return _of_class(node)
    return {}


def _of_class(node: ast.ClassDef) -> dict[str, str]:
    texts = {}
    for field, below in zip(node.body, node.body[1:], strict=False):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            texts[field.target.id] = inspect.cleandoc(below.value.value)
    return texts


def _without_titles(schema: Any) -> Any:
    """Drop pydantic's titles: they repeat the names, and editors would show them in place of the description."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: item for key, item in schema.items() if not (key == "title" and isinstance(item, str))}
    return {key: _without_titles(item) for key, item in kept.items()}
