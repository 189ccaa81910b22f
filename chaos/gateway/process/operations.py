"""The requests of the admin API, in one table: the application takes its routes from it, and `/openapi.json` its
descriptions. So neither can lag behind the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

from chaos.faults import FaultKind
from chaos.gateway.process.json_schema import Schema
from chaos.protocol.counters import (
    FaultedBatch,
    FaultsInForce,
    GatewayCounters,
    PhaseSettings,
    RuleFaults,
    RulesInForce,
)
from chaos.protocol.fault_levels import FIXED_DELAY, PERCENTAGE

MOST_DIGITS = 18
MOST_SCALE = 1_000_000.0  # makes the rarest fault, one in a million, happen on every request
LONGEST_NAME = 200

JSON, YAML, TEXT, HTML = "application/json", "application/yaml", "text/plain", "text/html"


class Health(TypedDict):
    status: str
    workers: int
    generation: int


class Generation(TypedDict):
    """`generation` counts how often rules were loaded."""

    generation: int


class Reopened(TypedDict):
    """`reopened` is how many access logs there are, 0 or 1."""

    reopened: int


class FaultsSwitched(TypedDict):
    enabled: bool


class Refusal(TypedDict):
    """Why a request was refused, in a sentence; of rules also each problem (docs/validation.md)."""

    error: str
    problems: NotRequired[list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One request. `handler` is a method of chaos/gateway/process/admin.py::Admin, `answer` the type of its JSON.

    `also` are answers of other content types, `body` the schema of what is sent, by its content type, and `refusals`
    the statuses that this request may have beside those that every one may have."""

    method: str
    path: str
    handler: str
    summary: str
    answer: Any = None
    also: Mapping[str, Schema] = field(default_factory=dict)
    query: Mapping[str, Schema] = field(default_factory=dict)
    body: Mapping[str, Schema] = field(default_factory=dict)
    refusals: tuple[int, ...] = ()
    draining: bool = False  # 503 with the same answer


def _object(properties: Mapping[str, Schema], *required: str, **more: Any) -> Schema:
    return {
        "type": "object", "properties": dict(properties), "required": list(required), "additionalProperties": False,
    } | more  # fmt: skip


_PERCENT: Schema = {"type": "number", "minimum": 0, "maximum": 100, "description": "percent"}
_DURATION: Schema = {
    "type": "string",
    "pattern": "^([1-9][0-9]{0,3}ms|[1-9][0-9]{0,3}s)$",
    "description": "a duration in Go's syntax, from 1ms to 24h: 250ms, 1.5s, 1m30s",
    "examples": ["250ms"],
}
_LEVELS = _object(
    {**{kind.value: _PERCENT for kind in FaultKind}, PERCENTAGE: _PERCENT, FIXED_DELAY: _DURATION}, minProperties=1
)
_SWITCH = _object({"enabled": {"type": "boolean"}}, "enabled")
_PHASE = _object(
    {
        "name": {"type": "string", "maxLength": LONGEST_NAME},
        "faults": {"type": "boolean", "default": True},
        "scale": _object({kind.value: {"type": "number", "minimum": 0, "maximum": MOST_SCALE} for kind in FaultKind}),
    },
    "name",
)
_KEY = "/faults/{key}"
_TEXT: Schema = {"type": "string"}
_DOCUMENTS: Schema = {}  # a stream of YAML documents, which no JSON Schema describes

OPERATIONS = (
    Operation("GET", "/", "page", "A page that shows all this, and sets it", also={HTML: _TEXT}),
    Operation("GET", "/health", "health", "Whether the gateway accepts requests", Health, draining=True),
    Operation(
        "GET", "/rules", "get_rules", "The rules in force, as a list or as their documents", RulesInForce,
        also={YAML: _DOCUMENTS}, query={"format": {"type": "string", "enum": ["json", "yaml"]}}, refusals=(400, 409),
    ),
    Operation(
        "PUT", "/rules", "put_rules", "Replace the rules, in all workers or in none", Generation,
        body={YAML: _DOCUMENTS}, refusals=(400, 413),
    ),
    Operation("GET", "/faults", "get_faults", "Whether faults are on, and the levels of each rule", FaultsInForce),
    Operation(
        "PUT", "/faults", "put_faults", "Switch all faults on or off", FaultsSwitched,
        body={JSON: _SWITCH}, refusals=(400, 413),
    ),
    Operation("DELETE", "/faults", "delete_faults", "Undo whatever was set by hand", FaultsInForce),
    Operation("GET", _KEY, "get_levels", "The fault levels of one rule", RuleFaults, refusals=(404,)),
    Operation(
        "PUT", _KEY, "put_levels", "Set fault levels of one rule; those not named stay as they are", RuleFaults,
        body={JSON: _LEVELS}, refusals=(400, 404, 413),
    ),
    Operation("DELETE", _KEY, "delete_levels", "Give one rule its own levels back", RuleFaults, refusals=(404,)),
    Operation("GET", "/phase", "get_phase", "The phase that decisions are made and counted under", PhaseSettings),
    Operation(
        "PUT", "/phase", "put_phase", "Enter a phase", PhaseSettings, body={JSON: _PHASE}, refusals=(400, 413)
    ),
    Operation("GET", "/counters", "counters", "What was counted, per phase and rule", GatewayCounters),
    Operation("GET", "/metrics", "metrics", "The same for Prometheus", also={TEXT: _TEXT}),
    Operation(
        "GET", "/faulted", "faulted", "The first faulted requests of each phase", FaultedBatch,
        query={"after": {"type": "string", "pattern": f"^[0-9]{{1,{MOST_DIGITS}}}$", "default": "0"}}, refusals=(400,),
    ),
    Operation(
        "POST", "/reopen_logs", "reopen_logs", "Open the access log again, once its file has been moved", Reopened,
        refusals=(503,),
    ),
    Operation("GET", "/openapi.json", "openapi", "This description, as OpenAPI 3.1", dict[str, Any]),
)  # fmt: skip
