"""The fault *delay*: a request waits before it is forwarded, or its response before its head, for as long as a
distribution says."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Literal

from pydantic import model_validator

from chaos.policies.dice import Dice
from chaos.policies.distributions import (
    Distribution,
    Fixed,
    Lognormal,
    Normal,
    PercentileTable,
    Uniform,
    percentiles,
)
from chaos.policies.fault import Fault, Happening, Objection, Scope
from chaos.policies.steps import Pause, Stage, Step
from chaos.policies.values import Span

_FORMS = ("fixed", "uniform", "normal", "lognormal", "percentiles")


class Delay(Fault):
    """Wait; how long is drawn for each request."""

    fixed: Span | None = None
    """Always so long: `100ms`."""
    uniform: Uniform | None = None
    """Between two durations: `{from: 10ms, to: 50ms}`."""
    normal: Normal | None = None
    """Normally distributed, cut at 0s: `{mean: 100ms, deviation: 20ms}`."""
    lognormal: Lognormal | None = None
    """Lognormally distributed: `{p50: 20ms, p99: 200ms}`."""
    percentiles: PercentileTable | None = None
    """As measured: `{p50: 20ms, p90: 80ms, p99: 400ms, p100: 1s}`, with straight lines from p0 (0s) to p100."""
    at: Literal["request", "answer"] = "request"
    """`request`: before it is forwarded. `answer`: the response waits before its head."""

    kind = "delay"
    happened = "delayed"
    scopes = ("downstream", "upstream")

    @model_validator(mode="after")
    def _one(self) -> Delay:
        given = [name for name in _FORMS if getattr(self, name) is not None]
        if not given:
            raise ValueError(f"for how long? Write one of {', '.join(_FORMS)}, like fixed: 100ms")
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are {len(given)} distributions; a delay has one")
        return self

    @cached_property
    def distribution(self) -> Distribution:
        """How long its requests wait."""
        if self.fixed is not None:
            return Fixed(self.fixed)
        found = self.uniform or self.normal or self.lognormal
        return found or percentiles(self.percentiles or {})

    @property
    def shortest(self) -> float:
        return self.distribution.at(0.0)

    @property
    def sentence(self) -> str:
        where = "before they are forwarded" if self.at == "request" else "for their response"
        return f"wait {self.distribution.sentence} {where}"

    def objections(self, percentage: float, scope: Scope) -> Iterator[Objection]:
        """Yield that an attempt's response is not delayed."""
        if scope == "upstream" and self.at == "answer":
            message = "a response is delayed once, for the client; write at: request, or leave scope out"
            yield Objection(("fault", "delay", "at"), message)

    def happen(self, dice: Dice) -> Happening:
        """Return the wait, or the stage that has it."""
        seconds = self.distribution.at(dice("delay"))
        return Happening(wait=seconds) if self.at == "request" else Happening(stage=Late(seconds))


class Late(Stage):
    """Has the head of a response wait."""

    def __init__(self, seconds: float):
        self._seconds = seconds

    def before(self) -> Iterator[Step]:
        yield Pause(self._seconds)
