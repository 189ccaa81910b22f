"""Two runs of one experiment side by side: how far apart they are, with intervals, and what could not have been seen.

Per phase and task the share of failures and the usual quantiles, and per finding its share. All intervals together
hold with the given confidence, whenever either run was stopped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from typing import Any, Literal

from chaos.experiment.expression import Measure
from chaos.experiment.finding import Finding, Tally
from chaos.experiment.measures import latencies_of, share_of
from chaos.experiment.observed import Observations, Observed
from chaos.experiment.sentences import THIN, percent
from chaos.units import format_duration
from chaos.verify.difference import Counts, difference
from chaos.verify.quantile import Sample, quantile_span

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Comparison:
    """`first` and `second` are shares or seconds; `difference` is second - first, surely between `low` and `high`
    (None: unbounded). `seen`: no difference at all is ruled out. `requests` are those of either run it rests on."""

    what: str
    phase: str
    task: str
    unit: Literal["share", "seconds"]
    first: float | None
    second: float | None
    difference: float | None
    low: float | None
    high: float | None
    seen: bool
    requests: tuple[int, int]
    sentence: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"requests": list(self.requests)}


def compare(
    first: Observations,
    second: Observations,
    findings: tuple[Sequence[Finding], Sequence[Finding]] = ((), ()),
    confidence: float = 0.99,
) -> list[Comparison]:
    """Everything that both runs measured, in the order of phases and tasks, then findings.

    Raises ValueError when they have nothing in common: no phase and task that saw requests in both."""
    runs = _collected(first), _collected(second)
    places = _places(runs)
    pairs = [
        (one, other) for one in findings[0] for other in findings[1] if one.id == other.id and _comparable(one, other)
    ]
    if not places and not pairs:
        raise ValueError("the two runs have no task and no rule in common; they do not belong to one experiment")
    alpha = (1 - confidence) / (len(places) * (1 + len(QUANTILES)) + len(pairs))
    made = [each for place in places for each in _place(runs, place, alpha)]
    return made + [_finding(one, other, alpha) for one, other in pairs]


def no_difference(comparisons: Iterable[Comparison]) -> bool:
    """Whether the runs could be the same for all that was seen."""
    return not any(each.seen for each in comparisons)


def _collected(digest: Observations) -> Observed:
    observed = Observed()
    observed.add(digest)
    return observed


def _places(runs: tuple[Observed, Observed]) -> list[tuple[str, str]]:
    """Phases and tasks that both runs have."""
    found = [dict.fromkeys((outcome.phase, outcome.task) for outcome, _ in run) for run in runs]
    return [place for place in found[0] if place in found[1]]


def _place(runs: tuple[Observed, Observed], place: tuple[str, str], alpha: float) -> list[Comparison]:
    failures = Measure("failures", *place)
    tallies = share_of(failures, runs[0]), share_of(failures, runs[1])
    samples = latencies_of(Measure("p50", *place, 0.5), runs[0]), latencies_of(Measure("p50", *place, 0.5), runs[1])
    return [
        _shares("failures", place, tallies, alpha),
        *(_quantile(name, level, place, samples, alpha) for name, level in QUANTILES.items()),
    ]


def _comparable(one: Finding, other: Finding) -> bool:
    return all(each.unit == "share" and each.observed is not None and each.observed.n > 0 for each in (one, other))


def _finding(one: Finding, other: Finding, alpha: float) -> Comparison:
    assert one.observed is not None
    assert other.observed is not None
    name = f"{one.rule_name} {one.title}".strip()
    return _shares(name, (one.phase, one.task), (one.observed, other.observed), alpha)


def _shares(what: str, place: tuple[str, str], tallies: tuple[Tally, Tally], alpha: float) -> Comparison:
    counts = [Counts(tally.k, tally.n) for tally in tallies]
    found = difference(counts[0], counts[1], alpha)
    made = Comparison(
        what, *place, "share", tallies[0].share, tallies[1].share, found.estimate, found.low, found.high, found.seen,
        (tallies[0].n, tallies[1].n),
    )  # fmt: skip
    return _told(made)


def _quantile(
    what: str, level: float, place: tuple[str, str], samples: tuple[Sample, Sample], alpha: float
) -> Comparison:
    values = [_finite(sample.quantile(level)) if sample.n else None for sample in samples]
    spans = [quantile_span(sample, level, alpha / 2) for sample in samples]
    gap = spans[1].minus(spans[0])
    apart = values[1] - values[0] if values[0] is not None and values[1] is not None else None
    made = Comparison(
        what, *place, "seconds", values[0], values[1], apart, _finite(gap.low), _finite(gap.high),
        gap.low > 0 or gap.high < 0, (samples[0].n, samples[1].n),
    )  # fmt: skip
    return _told(made)


def _told(made: Comparison) -> Comparison:
    return replace(made, sentence=_sentence(made))


def _sentence(made: Comparison) -> str:
    first, second = _value(made, made.first), _value(made, made.second)
    if not made.seen:
        return f"{made.what}: {first} and {second}, no difference that these runs could have seen; {_limits(made)}."
    more = (made.difference or made.low or 0.0) > 0
    return f"{made.what}: {second} after {first}, {'more' if more else 'less'} than before; {_limits(made)}."


def _limits(made: Comparison) -> str:
    if made.low is None and made.high is None:
        return "it may be any"
    return f"it is between {_signed(made, made.low)} and {_signed(made, made.high)}"


def _signed(made: Comparison, value: float | None) -> str:
    if value is None:
        return "any"
    if made.unit == "seconds":
        return f"{'+' if value > 0 else ''}{format_duration(value)}"
    return f"{value * 100:+.2g}{THIN}points"


def _value(made: Comparison, value: float | None) -> str:
    if value is None:
        return "no end"
    return percent(value) if made.unit == "share" else format_duration(value)


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
