"""The model of one routing test: a request, and what the rules must do with it.

Short forms are read into long ones: `fault: abort` is `{abort: {}}`, `fault: none` is `{}`, `rewrite: /y` is
`{uri: /y}`. Percentages are 0..100, times in seconds. `chaos.route_tests` compares them with what comes."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from chaos.errors import InvalidInput
from chaos.experiment.values import NotEmpty, Percentage, Seconds, Text
from chaos.faults import NAMES
from chaos.mesh.model.message import Message
from chaos.mesh.read.shape import one_of, shown, suggestion
from chaos.mesh.request_line import parse_request_line

NONE = "none"


def _percentage_alone(value: Any) -> Any:
    """Read `abort: 50%` as `abort: {percentage: 50%}`."""
    return value if isinstance(value, dict) or value is None else {"percentage": value}


class AbortExpected(Message):
    """An abort. What is not given may be anything."""

    percentage: Percentage | None = None
    """Share of the requests, 50 or 50%."""
    status: int | None = Field(default=None, ge=200, le=599)
    """HTTP status of the response."""


class DelayExpected(Message):
    """A delay. What is not given may be anything."""

    percentage: Percentage | None = None
    """Share of the requests, 50 or 50%."""
    duration: Seconds | None = None
    """How long: 5s, 100ms."""


class FaultsExpected(Message):
    """Every fault that the rule has; a kind that is absent must not be there."""

    abort: Annotated[
        AbortExpected | None,
        BeforeValidator(_percentage_alone, json_schema_input_type=AbortExpected | float | str | None),
    ] = None
    """An abort, or its percentage alone."""
    delay: Annotated[
        DelayExpected | None,
        BeforeValidator(_percentage_alone, json_schema_input_type=DelayExpected | float | str | None),
    ] = None
    """A delay, or its percentage alone."""


class RewriteExpected(Message):
    """What a rewrite makes of the request; nothing here means that there must be none."""

    uri: str | None = Field(default=None, pattern="^/")
    """The path that upstream gets; with its query if that is given here."""
    authority: str | None = None
    """The Host that upstream gets."""


def _faults(value: Any) -> Any:
    """Read `none`, the name of a fault, or a list of names as the mapping that they are short for."""
    if value == NONE:
        return {}
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list):
        return value
    for name in names:
        if name not in NAMES:
            words = [NONE, *NAMES]
            hint = suggestion(name, words) if isinstance(name, str) else ""
            raise ValueError(f"{shown(name)} is not known; expected {one_of(words)}{hint}")
    return {name: {} for name in names}


def _rewrite(value: Any) -> Any:
    if value == NONE:
        return {}
    if isinstance(value, str) and not value.startswith("/"):
        raise ValueError(f"{shown(value)} is no path; write /path, none, or {{uri: /path, authority: host}}")
    return {"uri": value} if isinstance(value, str) else value


_FaultNames = Literal["none", "abort", "delay"]
Faults = Annotated[
    FaultsExpected,
    BeforeValidator(_faults, json_schema_input_type=_FaultNames | list[Literal["abort", "delay"]] | FaultsExpected),
]
Rewrite = Annotated[RewriteExpected, BeforeValidator(_rewrite, json_schema_input_type=str | RewriteExpected)]


class Expected(Message):
    """What the rules must do with the request. What is not given may be anything."""

    rule: str | None = Field(default=None, min_length=1)
    """Name of the rule that takes the request, or `<VirtualService>[<index>]`; `none` if no VirtualService has one."""
    destination: str | None = Field(default=None, min_length=1)
    """The only destination, `host`, `host/subset` or `host:port/subset`; `none` if the request is not forwarded."""
    destinations: Annotated[dict[str, Percentage], NotEmpty] | None = None
    """Every destination with its percentage: `{reviews/v1: 80%, reviews/v2: 20%}`."""
    fault: Faults | None = None
    """Every fault of the rule: `none`, `abort`, `delay`, or `{abort: {percentage: 50%, status: 503}, delay: {duration:
    5s}}`."""
    rewrite: Rewrite | None = None
    """The path that upstream gets, `none`, or `{uri: /path, authority: host}`."""
    redirect: str | None = Field(default=None, min_length=1)
    """The location of the redirect, a URL, or a path on the same host; `none` if there must be no redirect."""
    status: int | None = Field(default=None, ge=200, le=599)
    """Status that the proxy itself answers with: of a redirect, a direct response, an abort of 100 %, 404 without a
    rule."""
    headers: Annotated[dict[str, Text], NotEmpty] | None = None
    """Headers that upstream gets, or that the proxy's own answer has."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise ValueError("nothing is expected; give a rule, a destination, a fault or the like")
        if self.destination is not None and self.destinations is not None:
            raise ValueError("destination and destinations exclude each other")
        return self


def _request(value: str) -> str:
    """Return the text of a request. Raises ValueError for what is none."""
    try:
        parse_request_line(value)
    except InvalidInput as error:
        raise ValueError(error.problems[0].message) from None
    return value


class RoutingCase(Message):
    """One test: a request, and what is expected of the rules."""

    name: str | None = Field(default=None, min_length=1, max_length=200)
    """What the test is called; the request itself by default."""
    request: Annotated[str, AfterValidator(_request)]
    """Method and URL, like `GET http://reviews/x`; GET if only the URL is given."""
    headers: dict[str, Text] = {}
    """Headers of the request."""
    expect: Expected
    """What the rules must do with it."""

    @model_validator(mode="after")
    def _headers_can_be_sent(self) -> Self:
        try:
            parse_request_line(self.request, self.headers)
        except InvalidInput as error:
            raise ValueError(error.problems[0].message) from None
        return self
