"""What changed from one run to another, each change with its interval: shares of outcomes, and quantiles of latency.

All intervals of a comparison hold at once with the runs' confidence (Bonferroni), at whatever moment either run was
stopped, because they are made of confidence sequences (chaos/verify)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Literal

import pandas as pd

from chaos import formatting as words
from chaos.claims.finding import Finding, Tally
from chaos.journal.result import Result
from chaos.protocol.histogram import Histogram
from chaos.report.data import frames
from chaos.report.tables.thresholds import Change, Thresholds, change
from chaos.verify.claim import split_alpha
from chaos.verify.difference import Counts, difference
from chaos.verify.quantile import Sample, quantile_span

LEVELS = (0.5, 0.9, 0.95, 0.99)
Unit = Literal["share", "seconds"]
DEFAULT = Thresholds()


@dataclass(frozen=True, slots=True)
class Effect:
    """One quantity in both runs.

    `estimate` and the interval `low`..`high` are of B - A, in fractions or seconds; the interval may be open. `seen`: a
    difference of 0 has been ruled out. `limit` is the change that matters; `directed`: more of it is worse."""

    subject: str
    what: str
    unit: Unit
    a: float | None
    b: float | None
    n_a: int
    n_b: int
    estimate: float | None
    low: float | None
    high: float | None
    limit: float = 0.0
    directed: bool = True

    @property
    def change(self) -> Change:
        """What the interval says of the threshold."""
        return change(self.low, self.high, self.limit, directed=self.directed)

    @property
    def compared(self) -> bool:
        """Whether both runs have it."""
        return self.estimate is not None and self.n_a > 0 and self.n_b > 0

    @property
    def seen(self) -> bool:
        return (self.low is not None and self.low > 0) or (self.high is not None and self.high < 0)

    @property
    def sentence(self) -> str:
        """What the interval says about the difference."""
        if self.estimate is None or not (self.n_a and self.n_b):
            return "Only one of the runs has it, so there is nothing to compare."
        if self.low is None or self.high is None:
            open_side = "No difference that these runs could have seen: too few requests to bound one."
            return self._seen() if self.seen else open_side
        if self.seen:
            return self._seen() + (" That is within the threshold." if self.change == "within" else "")
        between = f"it lies between {self.words(self.low)} and {self.words(self.high)}"
        return f"No difference that these runs could have seen: {between}."

    def _seen(self) -> str:
        more, less = ("slower", "faster") if self.unit == "seconds" else ("higher", "lower")
        estimate = self.estimate or 0.0
        return f"B is {more if estimate > 0 else less} than A by {self.words(estimate)[1:]} ({self.range})."

    @property
    def range(self) -> str:
        """The interval in words; an open side is an ellipsis."""
        return " .. ".join("\u2026" if bound is None else self.words(bound) for bound in (self.low, self.high))

    def words(self, difference: float) -> str:
        """Return `+1.2 points` or `+340 µs`, with the digits that the interval supports."""
        if self.unit == "seconds":
            return words.later(difference)
        return words.points(difference, words.spread((self.low, self.high)))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "subject": self.subject,
            "what": self.what,
            "unit": self.unit,
            "a": self.a,
            "b": self.b,
            "n_a": self.n_a,
            "n_b": self.n_b,
            "difference": self.estimate,
            "interval": [self.low, self.high],
            "seen": self.seen,
            "threshold": self.limit,
            "change": self.change if self.compared else None,
            "sentence": self.sentence,
        }


def effects(a: Result, b: Result, thresholds: Thresholds = DEFAULT, *, only_shares: bool = False) -> tuple[Effect, ...]:
    """Return every comparison that the two runs allow: matching findings, failures and latencies per phase and task.
    With `only_shares` the findings alone are compared, each with a greater part of alpha."""
    tallies = list(_tallies(a, b))
    groups = [] if only_shares else list(_groups(frames.outcomes(a), frames.outcomes(b)))
    confidence = min(a.plan.confidence, b.plan.confidence)
    alpha = split_alpha(confidence, len(tallies) + sum(1 + len(LEVELS) for _ in groups))
    shares, failures = thresholds.shares.of(0), thresholds.failures.of(0)
    made = [
        replace(_share(subject, what, first, second, alpha), limit=shares, directed=False)
        for subject, what, first, second in tallies
    ]
    for subject, left, right in groups:
        failed = _share(subject, "failed for users", _failed(left), _failed(right), alpha)
        made.append(replace(failed, limit=failures))
        late = _latencies(subject, frames.merged(left["latency"]), frames.merged(right["latency"]), alpha)
        made += [replace(each, limit=thresholds.of(each.what.split()[0]).of(each.a or 0.0)) for each in late]
    return tuple(made)


def _tallies(a: Result, b: Result) -> Iterator[tuple[str, str, Tally, Tally]]:
    """Yield the shares of the findings that both runs have: as users saw them, or else as the gateway counted them,
    which alone sees the calls of an application."""
    others = {finding.id: finding for finding in b.findings}
    for finding in a.findings:
        other = others.get(finding.id)
        if other is None or finding.unit != "share":
            continue
        if finding.observed and other.observed:
            yield _subject(finding), finding.title, finding.observed, other.observed
        elif finding.drawn and other.drawn and not (finding.observed or other.observed):
            yield _subject(finding), finding.title, finding.drawn, other.drawn


def _subject(finding: Finding) -> str:
    return " \u00b7 ".join(part for part in (finding.rule_name, finding.task, finding.phase) if part)


def _groups(a: pd.DataFrame, b: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Yield the rows of each phase and task that either run has."""
    places = [tuple(place) for table in (a, b) for place in table[["phase", "task"]].itertuples(index=False)]
    phases = {phase for phase, _ in places}
    for phase, task in dict.fromkeys(places):
        left, right = (table[(table["phase"] == phase) & (table["task"] == task)] for table in (a, b))
        yield f"{task} \u00b7 {phase}" if len(phases) > 1 and phase else str(task), left, right


def _failed(rows: pd.DataFrame) -> Tally:
    failed = rows.loc[frames.failed(rows), "count"].sum()
    return Tally(int(failed), int(rows["count"].sum()))


def _share(subject: str, what: str, a: Tally, b: Tally, alpha: float) -> Effect:
    if not (a.n and b.n):
        return Effect(subject, what, "share", a.share, b.share, a.n, b.n, None, None, None)
    found = difference(Counts(a.k, a.n), Counts(b.k, b.n), alpha)
    return Effect(subject, what, "share", a.share, b.share, a.n, b.n, found.estimate, found.low, found.high)


def _latencies(subject: str, a: Histogram, b: Histogram, alpha: float) -> list[Effect]:
    left, right = Sample(a.buckets()), Sample(b.buckets())
    return [_quantile(subject, level, left, right, alpha) for level in LEVELS]


def _quantile(subject: str, level: float, a: Sample, b: Sample, alpha: float) -> Effect:
    what = f"p{level * 100:g} latency"
    if not (a.n and b.n):
        return Effect(subject, what, "seconds", None, None, a.n, b.n, None, None, None)
    span = quantile_span(b, level, alpha / 2).minus(quantile_span(a, level, alpha / 2))
    low, high = (bound if isfinite(bound) else None for bound in (span.low, span.high))
    at_a, at_b = a.quantile(level), b.quantile(level)
    return Effect(subject, what, "seconds", at_a, at_b, a.n, b.n, at_b - at_a, low, high)
