"""Header operations of a rule or a destination (istio translateHeadersOperations).

Envoy removes first, then runs the additions in the order given: Istio puts `set` before `add`, each sorted by name."""

from __future__ import annotations

from collections.abc import Mapping

from chaos.engines.envoy.bootstrap import Message
from chaos.mesh.model.virtual_service import HeaderOperations, Headers

# The lists that a route and a weighted cluster have in common, in Envoy's names.
LISTS = ("request_headers_to_add", "request_headers_to_remove", "response_headers_to_add", "response_headers_to_remove")


def header_operations(headers: Headers | None) -> dict[str, list[Message] | list[str]]:
    """Return the four lists, without empty ones."""
    if headers is None:
        return {}
    lists: dict[str, list[Message] | list[str]] = {}
    for direction, operations in (("request", headers.request), ("response", headers.response)):
        if operations is None:
            continue
        lists[f"{direction}_headers_to_add"] = _additions(operations)
        lists[f"{direction}_headers_to_remove"] = [name for name in operations.remove or () if not _is_internal(name)]
    return {name: values for name, values in lists.items() if values}


def authority(headers: Headers | None) -> str:
    """Return the Host that header operations set, or "": `set` counts before `add`. In Envoy it is a rewrite."""
    operations = headers.request if headers is not None else None
    if operations is None:
        return ""
    return _authority_in(operations.set) or _authority_in(operations.add)


def _additions(operations: HeaderOperations) -> list[Message]:
    kinds = (("OVERWRITE_IF_EXISTS_OR_ADD", operations.set), ("APPEND_IF_EXISTS_OR_ADD", operations.add))
    return [
        {"header": {"key": name, "value": value}, "append_action": action}
        for action, values in kinds
        for name, value in sorted((values or {}).items())
        if not _is_internal(name)
    ]


def _authority_in(values: Mapping[str, str] | None) -> str:
    return next((value for name, value in (values or {}).items() if name.lower() in (":authority", "host")), "")


def _is_internal(name: str) -> bool:
    return name.startswith(":") or name.lower() == "host"
