"""How large a change between two runs has to be to matter: `p95=10%,failures=1`.

Two runs of the same thing always differ a little: the machine is never the same. A change counts only where it is
surely beyond its threshold, and is ruled out only where it is surely within."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from chaos.errors import InvalidInput
from chaos.units import parse_duration

LATENCIES = ("p50", "p90", "p95", "p99")
KEYS = (*LATENCIES, "latency", "failures", "shares")

Change = Literal["worse", "better", "changed", "within", "unknown"]
"""worse and better: surely beyond the threshold, for what has a good side; changed: the same for what has none."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A change that matters: `relative` to A's value, or `absolute` in seconds or as a fraction; the larger one."""

    relative: float = 0.0
    absolute: float = 0.0

    def of(self, value: float) -> float:
        """Return the change that matters where A has this value."""
        return max(self.relative * abs(value), self.absolute)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """By default latencies matter from 10 % and 1 ms, shares from one point."""

    latency: Limit = Limit(0.1, 0.001)
    failures: Limit = Limit(absolute=0.01)
    shares: Limit = Limit(absolute=0.01)
    quantiles: Mapping[str, Limit] = field(default_factory=dict)

    def of(self, quantile: str) -> Limit:
        """Return the limit of a quantile's latency, such as p95."""
        return self.quantiles.get(quantile, self.latency)


def parse_thresholds(text: str) -> Thresholds:
    """Read `p95=10%,p99=20ms,failures=1,shares=0.5`: latencies in percent of A's or as a duration, shares in points.

    Raises InvalidInput."""
    found = Thresholds()
    for part in filter(None, (each.strip() for each in text.split(","))):
        key, equals, value = part.partition("=")
        if key not in KEYS or not equals:
            raise InvalidInput.of("--threshold", f"{part!r}: write NAME=VALUE, with a name of {', '.join(KEYS)}")
        limit = _limit(key, value.strip())
        if key in LATENCIES:
            found = replace(found, quantiles={**found.quantiles, key: limit})
        elif key == "latency":
            found = replace(found, latency=limit)
        elif key == "failures":
            found = replace(found, failures=limit)
        else:
            found = replace(found, shares=limit)
    return found


def _limit(key: str, value: str) -> Limit:
    try:
        if key in LATENCIES or key == "latency":
            return Limit(relative=_number(value[:-1]) / 100) if value.endswith("%") else Limit(absolute=_seconds(value))
        return Limit(absolute=_number(value.removesuffix("%")) / 100)
    except ValueError:
        right = "10% or 20ms" if key in LATENCIES or key == "latency" else "a number of points, like 1"
        raise InvalidInput.of("--threshold", f"{key}={value}: write {right}") from None


def _number(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1000:
        raise ValueError(text)
    return value


def _seconds(text: str) -> float:
    value = parse_duration(text)
    if value < 0:
        raise ValueError(text)
    return value


def change(low: float | None, high: float | None, limit: float, *, directed: bool) -> Change:
    """Return what an interval of B - A says of a threshold. `directed`: more is worse."""
    if low is not None and low > limit:
        return "worse" if directed else "changed"
    if high is not None and high < -limit:
        return "better" if directed else "changed"
    within = low is not None and high is not None and -limit <= low and high <= limit
    return "within" if within else "unknown"
