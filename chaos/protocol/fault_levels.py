"""The levels of a rule's faults that somebody may set by hand, as the admin API takes and tells them: `abort` and
`delay` in percent, `fixedDelay` as a duration (docs/protocol.md); and that of a FaultPolicy, its `percentage`. Inside
they are percentages and seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from chaos.faults import DelayFault, FaultKind, RuleFault
from chaos.units import Percent, format_duration, parse_duration

Levels = Mapping[str, float]
"""By name, in the order in which a request meets them: percent for a kind of fault, seconds for `fixedDelay`."""

WrittenLevels = dict[str, float | str]
"""The same in JSON: a duration is a text."""

FIXED_DELAY = "fixedDelay"
PERCENTAGE = "percentage"  # of a policy
NAMES = (*(kind.value for kind in FaultKind), FIXED_DELAY, PERCENTAGE)
MOST_SECONDS = 3600.0 * 24
LEAST_SECONDS = 0.001  # as in Istio


def read_levels(written: Mapping[str, Any]) -> dict[str, float]:
    """Return levels from JSON. Raises ValueError for a name that is none, or a value out of its range."""
    return {name: read_level(name, value) for name, value in written.items()}


def read_level(name: str, value: object) -> float:
    """Return one level from JSON: percent, or seconds. Raises ValueError."""
    if name == FIXED_DELAY:
        return _seconds(value)
    if name not in NAMES:
        raise ValueError(f"there is no {name!r} to set; there are {', '.join(NAMES)}")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise ValueError(f"{name} must be a percentage from 0 to 100")
    return Percent.of(value).per_million / 10000


def _seconds(value: object) -> float:
    wrong = ValueError(f"{FIXED_DELAY} must be a duration from 1ms to 24h, like 250ms")
    if not isinstance(value, str):
        raise wrong
    try:
        seconds = parse_duration(value)
    except ValueError:
        raise wrong from None
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise wrong
    return seconds


def write_levels(levels: Levels) -> WrittenLevels:
    """Return levels as JSON, which `read_levels` reads back unchanged."""
    return {name: _exact_duration(level) if name == FIXED_DELAY else level for name, level in levels.items()}


def _exact_duration(seconds: float) -> str:
    """Return the shortest usual form of a duration if it loses no digit, else its seconds with all their digits."""
    short = format_duration(seconds)
    return short if parse_duration(short) == seconds else f"{seconds:.12f}".rstrip("0").rstrip(".") + "s"


def show_level(name: str, level: float) -> str:
    """Return a level for people: `10 %` or `250ms`."""
    return _exact_duration(level) if name == FIXED_DELAY else f"{level:.10g} %"


def levels_of(faults: Iterable[RuleFault]) -> dict[str, float]:
    """Return the levels that a rule's faults have."""
    found: dict[str, float] = {}
    for fault in faults:
        found[fault.kind.value] = fault.percent.per_million / 10000
        if isinstance(fault, DelayFault):
            found[FIXED_DELAY] = fault.seconds
    return found


def at_levels(faults: tuple[RuleFault, ...], levels: Levels) -> tuple[RuleFault, ...]:
    """Return a rule's faults at other levels. A level of a fault that the rule does not have changes nothing."""
    changed: list[RuleFault] = []
    for fault in faults:
        percent = Percent.of(levels[fault.kind]) if fault.kind in levels else fault.percent
        fault = replace(fault, percent=percent)
        if isinstance(fault, DelayFault) and FIXED_DELAY in levels:
            fault = replace(fault, seconds=levels[FIXED_DELAY])
        changed.append(fault)
    return tuple(changed)
