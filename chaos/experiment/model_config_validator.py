"""The model of istio-config-validator's test files: documents with `testCases` and neither apiVersion nor kind.

Each case stands for a request of every authority, method and uri that it lists. What it says of the rule is written as
in a VirtualService, and is compared with the rule that takes the request: alike with `wantMatch: true`, else different.
Source: "TestCases Reference" of its documentation."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import model_validator

from chaos.experiment.values import NotEmpty
from chaos.mesh.model.message import Flag, Message, Text
from chaos.mesh.model.virtual_service import (
    Delegate,
    Headers,
    HTTPFaultInjection,
    HTTPRedirect,
    HTTPRewrite,
    HTTPRouteDestination,
)

KEY = "testCases"


class CaseRequest(Message):
    authority: Annotated[tuple[Text, ...], NotEmpty]
    method: Annotated[tuple[Text, ...], NotEmpty]
    uri: Annotated[tuple[Text, ...], NotEmpty]
    headers: dict[str, Text] = {}


class ValidatorCase(Message):
    description: Text = ""
    want_match: Flag = False
    request: CaseRequest
    route: tuple[HTTPRouteDestination, ...] | None = None
    redirect: HTTPRedirect | None = None
    rewrite: HTTPRewrite | None = None
    fault: HTTPFaultInjection | None = None
    headers: Headers | None = None
    delegate: Delegate | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.asserted:
            raise ValueError("nothing is expected; give a route, a redirect, a rewrite, a fault, headers or a delegate")
        return self

    @property
    def asserted(self) -> tuple[str, ...]:
        """The parts of the rule that it says something of."""
        parts = ("delegate", "route", "rewrite", "fault", "headers", "redirect")
        return tuple(name for name in parts if getattr(self, name) is not None)


class ValidatorFile(Message):
    test_cases: Annotated[tuple[ValidatorCase, ...], NotEmpty]


def is_validator_file(value: Any) -> bool:
    """Return whether a document is one of theirs."""
    return isinstance(value, dict) and KEY in value and "kind" not in value and "apiVersion" not in value
