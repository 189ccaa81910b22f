"""The admin API as an OpenAPI 3.1 document, made from the table of its requests."""

from __future__ import annotations

from typing import Any

from chaos.gateway.process.json_schema import Schema, schema_of
from chaos.gateway.process.operations import JSON, OPERATIONS, Operation, Refusal
from chaos.version import __version__

REFUSALS = {
    400: "What was sent is malformed",
    401: "The token is missing or wrong",
    403: "Not sent by a program on this machine, or by the API's own page",
    404: "There is no such rule",
    409: "The files of the rules in force can no longer be read",
    413: "What was sent is too large",
    503: "The file of the access log cannot be opened; the old one goes on",
}
EVERYWHERE = (401, 403)


def description(*, with_token: bool = False) -> dict[str, Any]:
    """Return the document. `with_token` says that a bearer token is asked for."""
    parts: dict[str, Schema] = {}
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, parts)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "The admin API of `chaos gateway`", "version": __version__},
        "paths": paths,
        "components": {"schemas": parts},
    }
    if with_token:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def _described(operation: Operation, parts: dict[str, Schema]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": operation.handler,
        "parameters": _parameters(operation),
        "responses": _responses(operation, parts),
    }
    if operation.body:
        found["requestBody"] = {"required": True, "content": _content(operation.body)}
    return found


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    query = [{"name": name, "in": "query", "schema": schema} for name, schema in operation.query.items()]
    if "{key}" not in operation.path:
        return query
    key = {"name": "key", "in": "path", "required": True, "description": "A rule's `key`, from `GET /rules`"}
    return [key | {"schema": {"type": "string", "minLength": 1}}, *query]


def _responses(operation: Operation, parts: dict[str, Schema]) -> dict[str, Any]:
    said = {JSON: schema_of(operation.answer, parts)} if operation.answer is not None else {}
    answer = {"description": operation.summary, "content": _content({**said, **operation.also})}
    refusal = schema_of(Refusal, parts)
    return {
        "200": answer,
        **({"503": answer | {"description": "The gateway is ending"}} if operation.draining else {}),
        **{
            str(status): {"description": REFUSALS[status], "content": _content({JSON: refusal})}
            for status in sorted({*EVERYWHERE, *operation.refusals})
        },
    }


def _content(schemas: Any) -> dict[str, Any]:
    return {kind: {"schema": schema} for kind, schema in schemas.items()}
