"""Distributions of durations: each is the inverse of its cumulative distribution, a pure function from a number in
[0, 1) to seconds, and the cumulative distribution itself."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log
from statistics import NormalDist
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from chaos.mesh.model.message import Message
from chaos.policies.values import Seconds, Span
from chaos.units import format_duration as told

_STANDARD = NormalDist()
_Z99 = _STANDARD.inv_cdf(0.99)
_LEAST = 2.0**-54  # in place of 0, at which a normal distribution has no value; the numbers drawn are 2^-53 apart


class Distribution(Protocol):
    """A distribution of durations."""

    def at(self, share: float) -> float:
        """Return the seconds that so large a share, from [0, 1), of the durations does not exceed."""

    def cdf(self, seconds: float) -> float:
        """Return the share of the durations that do not exceed so many seconds."""

    @property
    def sentence(self) -> str:
        """How long, for people: `20ms to 50ms`."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always the same."""

    seconds: float

    def at(self, share: float) -> float:
        return self.seconds

    def cdf(self, seconds: float) -> float:
        return float(seconds >= self.seconds)

    @property
    def sentence(self) -> str:
        return told(self.seconds)


class Uniform(Message):
    """Each duration between two is as likely."""

    from_: Seconds
    """The shortest."""
    to: Span
    """The longest."""

    @field_validator("to")
    @classmethod
    def _ordered(cls, to: float, info: ValidationInfo) -> float:
        return _not_below(to, info.data.get("from_"), "from")

    def at(self, share: float) -> float:
        return self.from_ + share * (self.to - self.from_)

    def cdf(self, seconds: float) -> float:
        if not self.from_ <= seconds < self.to:
            return float(seconds >= self.to)
        return (seconds - self.from_) / (self.to - self.from_)

    @property
    def sentence(self) -> str:
        return f"{told(self.from_)} to {told(self.to)}"


class Normal(Message):
    """A normal distribution; what would be negative is 0s."""

    mean: Seconds
    """Its mean, before it is cut at 0s."""
    deviation: Span
    """Its standard deviation, before it is cut at 0s."""

    def at(self, share: float) -> float:
        return max(0.0, self.mean + self.deviation * _STANDARD.inv_cdf(max(share, _LEAST)))

    def cdf(self, seconds: float) -> float:
        return 0.0 if seconds < 0 else _STANDARD.cdf((seconds - self.mean) / self.deviation)

    @property
    def sentence(self) -> str:
        return f"{told(self.mean)} with a deviation of {told(self.deviation)}"


class Lognormal(Message):
    """A lognormal distribution: most are short, and a few long."""

    p50: Span
    """Half of the durations do not exceed it."""
    p99: Span
    """99 % of the durations do not exceed it."""

    @field_validator("p99")
    @classmethod
    def _ordered(cls, p99: float, info: ValidationInfo) -> float:
        return _not_below(p99, info.data.get("p50"), "p50")

    @property
    def _sigma(self) -> float:
        return log(self.p99 / self.p50) / _Z99

    def at(self, share: float) -> float:
        return self.p50 * exp(self._sigma * _STANDARD.inv_cdf(max(share, _LEAST)))

    def cdf(self, seconds: float) -> float:
        if seconds <= 0 or self.p50 == self.p99:
            return float(seconds >= self.p50)
        return _STANDARD.cdf(log(seconds / self.p50) / self._sigma)

    @property
    def sentence(self) -> str:
        return f"{told(self.p50)} (p50) to {told(self.p99)} (p99)"


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Straight lines from one percentile to the next; `shares` begin at 0.0, end at 1.0, and rise."""

    shares: tuple[float, ...]
    seconds: tuple[float, ...]

    def at(self, share: float) -> float:
        above = max(1, bisect_left(self.shares, share))
        return _between(share, self.shares, self.seconds, above)

    def cdf(self, seconds: float) -> float:
        above = bisect_right(self.seconds, seconds)
        if not above:
            return 0.0
        return 1.0 if above == len(self.seconds) else _between(seconds, self.seconds, self.shares, above)

    @property
    def sentence(self) -> str:
        return ", ".join(
            f"{told(value)} (p{share * 100:.10g})" for share, value in zip(self.shares, self.seconds, strict=True)
        )


_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")


def _percentiles(written: dict[str, float]) -> dict[str, float]:
    for name in written:
        if not _PERCENTILE.fullmatch(name):
            raise ValueError(f"{name} is not a percentile; write p0 to p100, like p50 or p99.9")
    if "p100" not in written:
        raise ValueError("p100 is missing: say how long the longest is")
    ordered = sorted(written.items(), key=lambda item: _share(item[0]))
    for (lower, less), (upper, more) in pairwise(ordered):
        if more < less:
            raise ValueError(f"{upper} ({told(more)}) is below {lower} ({told(less)}); percentiles rise")
        if _share(lower) == _share(upper):
            raise ValueError(f"{lower} and {upper} are the same percentile; write one")
    return written


PercentileTable = Annotated[dict[str, Seconds], AfterValidator(_percentiles), Field(min_length=1)]
"""Durations by percentile: `{p50: 20ms, p90: 80ms, p100: 1s}`; p0 is 0s without it."""


def percentiles(written: dict[str, float]) -> Percentiles:
    """Return the distribution of a table."""
    points = {0.0: 0.0} | {_share(name): value for name, value in written.items()}
    shares = tuple(sorted(points))
    return Percentiles(shares, tuple(points[share] for share in shares))


def _share(name: str) -> float:
    return float(name[1:]) / 100


def _between(value: float, rising: tuple[float, ...], values: tuple[float, ...], above: int) -> float:
    """Return what lies at `value` on the line that ends at the place `above`."""
    left, right = rising[above - 1], rising[above]
    part = (value - left) / (right - left)
    return values[above - 1] + part * (values[above] - values[above - 1])


def _not_below(value: float, least: Any, name: str) -> float:
    if least is not None and value < least:
        raise ValueError(f"{told(value)} is below {name} ({told(least)}); write {told(least)} or more")
    return value
