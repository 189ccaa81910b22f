"""One hypothesis of a run, and the evidence that it is judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chaos.claims.hypotheses.masking import Masking
from chaos.claims.hypotheses.measure import Expression, Measure
from chaos.claims.hypotheses.seconds import Seconds, has_seconds
from chaos.claims.observations import Earliest, Observations, Observed
from chaos.protocol.counters import GatewayCounters, RuleCounters
from chaos.verify.ratio import Ratio

Hosts = Mapping[str, Sequence[str]]
"""From a host, short or in full, to the keys of the rules that its requests may take."""


@dataclass(frozen=True, slots=True)
class Known:
    """The evidence that hypotheses are judged by. `counters` are the gateway's, `earlier` those of the judgement
    before; `masking` has the requests that were followed. `starved` is the reason why latencies cannot be trusted,
    empty if they can."""

    observed: Observed
    counters: GatewayCounters | None
    earlier: GatewayCounters | None
    hosts: Hosts
    masking: Masking
    starved: str = ""


@dataclass(frozen=True, slots=True)
class Total:
    """What both ledgers had counted at one moment, `at` seconds after the run began: calls by the gateway, `own` of
    which were not its retries, and user requests by the load."""

    at: float
    calls: int
    own: int
    users: int


@dataclass(slots=True)
class Totals:
    """The totals so far, and the last ratio that was computed from so many stretches of them."""

    all: list[Total] = field(default_factory=list)
    known: tuple[int, Ratio | None] = (0, None)


@dataclass(slots=True)
class Hypothesis:
    """One expression and the counts that are collected for it alone. `window` is what came after `within` seconds,
    `elapsed` the seconds of the phase so far; `seconds` are the counts of each side, second by second. Responses before
    `earliest` have tags that are not true."""

    expression: Expression
    id: str
    earliest: Earliest = lambda _: 0.0
    window: Observed | None = None
    elapsed: int = 0
    totals: Totals = field(default_factory=Totals)
    seconds: dict[Measure, Seconds] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sides = (self.expression.left, self.expression.right)
        self.seconds = {side: Seconds(side) for side in sides if side is not None and has_seconds(side)}

    def observe(self, digest: Observations) -> None:
        """Add one second. An expression with `within` collects it once so many seconds of the phase have passed; any
        other has only its counts followed, second by second."""
        expression = self.expression
        if expression.within is None:
            self._follow(digest)
            return
        if self.window is None:
            self.window = Observed(self.earliest)
        if any(outcome.phase == expression.phase for outcome, _ in digest.items()):
            if self.elapsed >= expression.within:
                self.window.add(digest)
                self._follow(digest)
            self.elapsed += 1

    def _follow(self, digest: Observations) -> None:
        for seconds in self.seconds.values():
            seconds.add(digest)

    def seen(self, known: Known) -> Observed:
        """Return the digests that the expression applies to: those of its window, or all of the run's. A request in
        flight may be of the window whenever it was sent."""
        if self.window is None:
            return known.observed
        self.window.pending = known.observed.pending
        return self.window


def rules_of(
    counters: GatewayCounters | None, phase: str | None, rules: Sequence[str] | None = None
) -> list[RuleCounters]:
    """Return the counters of these rules (None: of all), in one phase or in all."""
    phases = counters["phases"] if counters is not None else {}
    return [
        counts
        for name, found in phases.items()
        if phase is None or name == phase
        for key, counts in found.items()
        if rules is None or key in rules
    ]
