"""Admission checks of header operations: which names may be changed, and values in Envoy's format.

Source: istio pkg/config/validation/{validation,header_value_validator}.go, which follows Envoy's header parser."""

from __future__ import annotations

import re

from chaos.mesh.check.cursor import At
from chaos.mesh.model.virtual_service import HeaderOperations, Headers, HTTPRewrite
from chaos.mesh.read.shape import shown

_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


def validate_headers(at: At, headers: Headers | None) -> None:
    if headers is None:
        return
    if headers.request is not None:
        _operations(at.into("request"), headers.request, authority=True)
    if headers.response is not None:
        _operations(at.into("response"), headers.response, authority=False)


def _operations(at: At, operations: HeaderOperations, *, authority: bool) -> None:
    for field, changed in (("set", operations.set), ("add", operations.add)):
        for name, value in changed.items():
            at.into(field, name).unless(_changed_name(name, authority))
            at.into(field, name).unless(header_value(value))
    for index, name in enumerate(operations.remove):
        at.into("remove", index).unless(_changed_name(name, authority=False, removed=True))


def is_authority(name: str) -> bool:
    return name.lower() in ("host", ":authority")


def _changed_name(name: str, authority: bool, removed: bool = False) -> str | None:
    if not name:
        return "an empty header name is refused"
    if is_authority(name):
        what = "removed" if removed else "changed in a response"
        return None if authority else f"{name} cannot be {what}"
    if name.startswith(":"):
        return f"{shown(name)} is a pseudo header; only :authority can be changed, and only in a request"
    return None


def validate_authority_once(at: At, rewrite: HTTPRewrite | None, headers: Headers | None) -> None:
    """Check that the Host header is changed in one place only: by the rewrite, or by one header operation."""
    first = "rewrite.authority" if rewrite is not None and rewrite.authority else ""
    request = headers.request if headers is not None else None
    if request is None:
        return
    for field, changed in (("set", request.set), ("add", request.add)):
        for name in filter(is_authority, changed):
            if first:
                at.into("headers", "request", field, name).error(
                    f"the authority is changed here and in {first}; keep one"
                )
            first = first or f"headers.request.{field}"


def header_value(value: str) -> str | None:
    """Check a value: `text`, `%VARIABLE%`, `%REQ(name)%`, and `%%` for a percent sign."""
    if _CONTROL.search(value):
        return "a header value cannot hold control characters, such as a line break"
    return _Formatter(value).problem()


class _Formatter:
    """Envoy's header parser as a state machine: each state's method takes a character and returns the next state, or an
    error after `!`."""

    def __init__(self, value: str):
        self.value = value
        self.at = 0

    def problem(self) -> str | None:
        state = "literal"
        while self.at < len(self.value):
            state = getattr(self, f"_{state}")(self.value[self.at])
            if state.startswith("!"):
                return f"{shown(self.value)}: {state[1:]}"
            self.at += 1
        if state == "literal":
            return None
        return f"{shown(self.value)} has a % that is not closed; write %% for a percent sign"

    def _next(self) -> str:
        return self.value[self.at + 1 : self.at + 2]

    def _literal(self, sign: str) -> str:
        if sign != "%":
            return "literal"
        if not self._next():
            return "!a % at the end; write %% for a percent sign"
        if self._next() == "%":
            self.at += 1
            return "literal"
        return "variable"

    def _variable(self, sign: str) -> str:
        return {"%": "literal", "(": "array"}.get(sign, "variable")

    def _array(self, sign: str) -> str:
        return "element" if sign == "[" else "array" if sign == " " else "string"

    def _element(self, sign: str) -> str:
        return "string" if sign == '"' else "element" if sign == " " else '!expected " to begin an argument'

    def _string(self, sign: str) -> str:
        if sign == "\\":
            if not self._next():
                return "!a backslash at the end"
            self.at += 1
            return "string"
        return {")": "end", '"': "delimiter"}.get(sign, "string")

    def _delimiter(self, sign: str) -> str:
        states = {",": "element", "]": "arguments_end", " ": "delimiter"}
        return states.get(sign, "!expected , or ] after an argument")

    def _arguments_end(self, sign: str) -> str:
        return {")": "end", " ": "arguments_end"}.get(sign, "!expected ) after the arguments")

    def _end(self, sign: str) -> str:
        return {"%": "literal", " ": "end"}.get(sign, "!expected % after )")
