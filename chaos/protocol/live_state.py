"""What the live page shows of a run, as one typed JSON document (docs/protocol.md), and what the page may ask of the
gateway.

Numbers are the journal's: the document is made of its very records. Shares are fractions, times are seconds; texts for
people are written out, so that the page formats nothing but the numbers of its charts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict
from urllib.parse import quote

Stage = Literal["starting", "waiting", "running", "ending", "over"]
"""waiting: for somebody to press Start; ending: the verdict is known, the report is being made."""

LONGEST_POLL = 20.0
"""Seconds after which a page that waits for a newer document gets the present one."""

FETCHED = 3.0
"""Seconds that pages have to fetch the last document and the report, before their server ends."""


class LivePhase(TypedDict):
    """`end` is None for the present one."""

    name: str
    faults: bool
    begin: float
    end: float | None


class LiveClaim(TypedDict):
    """One finding: texts as reports show them, and numbers for its chart. `band` is where the claim holds, None on an
    open side; `trail` is `[at, low, high, estimate]` each time it was judged, with ever fewer of the old ones."""

    id: str
    about: str
    title: str
    phase: str
    verdict: str
    sentence: str
    configured: str
    observed: str
    interval: str
    unit: str
    target: float | None
    band: list[float | None] | None
    trail: list[list[float | None]]


class LiveTask(TypedDict):
    """A task so far; quantiles are seconds, None before its first response."""

    name: str
    requests: int
    p50: float | None
    p99: float | None


class LivePoint(TypedDict):
    """A stretch of the load, from `second` (since the load began) on, `seconds` long; `begin` and `end` count since the
    run began. `tasks` maps names to `[requests, p50, p99]`."""

    second: float
    seconds: float
    begin: float
    end: float
    users: int
    requests: int
    tasks: dict[str, list[float | None]]


class LiveFault(TypedDict):
    """A fault of a rule in the three ledgers: as configured in the present phase, drawn, and seen, over all phases."""

    kind: str
    configured: str
    drawn: str
    observed: str


class LiveRule(TypedDict):
    key: str
    name: str
    faults: list[LiveFault]


class LiveEvent(TypedDict):
    at: float
    level: str
    text: str


class LiveEnd(TypedDict):
    """How the run ended. `report` is the file's path, empty while there is none."""

    outcome: str
    exit_code: int
    reasons: list[str]
    report: str


class LiveState(TypedDict):
    """The whole document. `number` grows with each one of a `run`; `at` is the time of the last record, `judged` that
    of the findings. `more_claims` are left out of `claims`; `left` is the estimated number of seconds to go; `left_out`
    counts requests that met faults switched by hand."""

    run: str
    number: int
    name: str
    description: str
    stage: Stage
    at: float
    judged: float
    phase: str
    phases: list[LivePhase]
    requests: int
    rate: float
    users: int
    left: float | None
    confidence: float
    claims: list[LiveClaim]
    more_claims: int
    tasks: list[LiveTask]
    points: list[LivePoint]
    rules: list[LiveRule]
    by_hand: list[str]
    left_out: int
    events: list[LiveEvent]
    end: LiveEnd | None


def gateway_call(wanted: object) -> tuple[str, str, Mapping[str, Any] | None]:
    """Return the admin API's method, path and body for what the page wants: `{"enabled": false}` of all faults,
    `{"rule": KEY, "levels": {"abort": 0}}`, `{"rule": KEY}` to give it its own levels back, or `{}` to undo everything.

    Raises ValueError for anything else; whether the levels are any, the gateway says."""
    match wanted:
        case {"enabled": bool(enabled), **rest} if not rest:
            return "PUT", "/faults", {"enabled": enabled}
        case {"rule": str(key), "levels": dict(levels), **rest} if not rest:
            return "PUT", f"/faults/{quote(key)}", levels
        case {"rule": str(key), **rest} if not rest:
            return "DELETE", f"/faults/{quote(key)}", None
        case {**rest} if not rest:
            return "DELETE", "/faults", None
    raise ValueError('expected {"enabled": true or false}, {"rule": KEY, "levels": {...}}, {"rule": KEY} or {}')
