"""The claim *added delay*: delayed requests take the configured time longer than those of the same run that were not.

Both groups meet the same machine and the same upstream, so their difference is the delay alone, however slow
everything is. Like is compared with like: the responses of one task with one status, forwarded or aborted, whichever
pair of groups is largest. A rule that delays everything leaves nothing to compare with; then the whole latency is
what is judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import ClassVar, Self

from chaos.claims.effects import Effect
from chaos.claims.evidence import Evidence
from chaos.claims.expectation import EASY, Expectation
from chaos.claims.finding import Finding, Tally
from chaos.claims.gateway_ledger import GatewayLedger
from chaos.claims.kinds.delay import delayed
from chaos.claims.observations import Observed, Outcome
from chaos.claims.shares.by_latency import Parts, near, possible_shares, split_by_latency
from chaos.claims.shares.unsteady import paces_of, unsteadiness
from chaos.faults import DelayFault
from chaos.formatting import THIN, plural
from chaos.formatting import count as thousands
from chaos.units import Unit, format_duration
from chaos.verify.claim import within
from chaos.verify.planning import Requests
from chaos.verify.quantile import Sample, allowed_ranks, quantile_span
from chaos.verify.shift import MEDIAN, Shift, assess_span, shift_band
from chaos.verify.verdict import Verdict

MIXED = "delayed and undelayed requests cannot be told apart by their latencies, so neither can how long the delay is"

Group = tuple[str, int, bool]
"""Task, status, whether it was aborted."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The shift at three quantiles, and how many delayed (`late`) and undelayed (`reference`) requests it is
    between."""

    band: Mapping[float, Shift]
    late: int
    reference: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedDelayClaim(Expectation):
    """The claim that delayed requests take `share` seconds longer, within `tolerance` seconds. `part` is the share of
    the requests that are delayed."""

    part: float

    kind: ClassVar[str] = "added-delay"
    unit: ClassVar[Unit] = "seconds"

    @classmethod
    def of(cls, effect: Effect, faults: bool, tolerance: float) -> Iterator[Self]:
        """Yield one claim for a rule that delays requests. The tolerance is a part of the delay, not the share's."""
        delay = effect.fault(DelayFault)
        if faults and delay is not None and delay.share:
            seconds, part = delay.seconds, delay.share
            title, unseen = f"added delay {format_duration(seconds)}", _unseen(effect, seconds)
            yield cls.named(effect, title, share=seconds, tolerance=near(seconds), part=part, unseen=unseen)

    @property
    def weight(self) -> float:
        return EASY

    @property
    def seconds(self) -> float:
        assert self.share is not None
        return self.share

    @property
    def hidden(self) -> str:
        return ""

    def _tagged(self, outcome: Outcome) -> bool | None:
        return "delay" in outcome.fault if outcome.route == self.rule_name else None

    def drawn(self, ledger: GatewayLedger) -> Tally | None:
        return ledger.tally(self.phase, self.rule, delayed)

    def did(self) -> str:
        return f"took {format_duration(self.seconds)} longer"

    def portion(self, effect: Effect) -> float:
        """Return the part of the smaller of the two groups that are compared."""
        late = effect.share(DelayFault)
        return min(late, 1 - late) or late

    def requests_needed(self, alpha: float) -> Requests | None:
        least = _least_for_a_median(alpha / 2)
        return Requests(least, least)

    def smallest_deviation(self, requests: int, alpha: float) -> float | None:
        return None

    def judge(self, evidence: Evidence) -> Finding:
        """Return the finding with its estimate and interval in seconds."""
        if not self.tagged:
            return self._from_outside(evidence)
        found = self._judged(evidence, self._measure(evidence), evidence.observed.tally(self.classify))
        return found if found.verdict is Verdict.FALSIFIED else self._without_early(found, evidence)

    def _without_early(self, found: Finding, evidence: Evidence) -> Finding:
        """Return the finding, falsified if a delayed response came before its delay was over.

        A fixed delay bounds the latency of every response that it delays, however slow or busy the machine is; so it is
        claimed that none is early, and one counter-example refutes it. The median and the quartiles do not show a fifth
        of the delays that are short."""
        late = evidence.observed.sample(lambda outcome: bool(self.classify(outcome)))
        least = self.seconds - self.tolerance
        early = late.at_most(least)
        if within(0.0).assess(early, late.n, evidence.alpha) is not Verdict.FALSIFIED:
            return found
        said = f"{thousands(early)} of {plural(late.n, 'delayed request')} came before {format_duration(least)}"
        sentence = f"{said}: the delay is not fixed at {format_duration(self.seconds)}."
        return replace(found, verdict=Verdict.FALSIFIED, cause="delay", sentence=sentence)

    def _judged(self, evidence: Evidence, measured: Measured | None, seen: Tally) -> Finding:
        """Return the finding on what was measured; `seen` are all requests, if it is nothing."""
        finding = self._empty(evidence)
        if measured is None:
            missing = _nothing_seen(finding, seen)
            return replace(missing, sentence=_sentence(missing, None, evidence.starved))
        shift, verdict = measured.band[MEDIAN], self._assess(measured.band)
        uneven = verdict is Verdict.FALSIFIED and self._near(shift, self.tolerance) is not verdict
        starved = evidence.starved
        finding = replace(
            finding,
            observed=Tally(measured.late, measured.late + measured.reference),
            estimate=shift.estimate,
            interval=(shift.span.low, None if shift.span.high == inf else shift.span.high),
            verdict=Verdict.INCONCLUSIVE if starved and verdict.decided else verdict,
            cause="starved" if starved else "delay" if verdict is Verdict.FALSIFIED else "",
        )
        quartiles = (measured.band[0.25].estimate, measured.band[0.75].estimate) if uneven else None
        return replace(finding, sentence=_sentence(finding, measured.reference, starved, quartiles))

    def _assess(self, band: Mapping[float, Shift]) -> Verdict:
        """Return the median's verdict. A quartile that is surely more than twice the tolerance off falsifies it, too:
        the delay is then not *fixed*."""
        if any(self._near(shift, 2 * self.tolerance) is Verdict.FALSIFIED for shift in band.values()):
            return Verdict.FALSIFIED
        return self._near(band[MEDIAN], self.tolerance)

    def _near(self, shift: Shift, reach: float) -> Verdict:
        return assess_span(shift.span, self.seconds - reach, self.seconds + reach)

    def _measure(self, evidence: Evidence) -> Measured | None:
        """Return the shift between the largest comparable groups; None while no delayed request was seen."""
        observed, alpha = evidence.observed, evidence.alpha
        group = self._largest(observed)
        if group is None:
            return None
        late = observed.sample(lambda outcome: self._group(outcome) == (group, True))
        reference = observed.sample(lambda outcome: self._group(outcome) == (group, False))
        paces = paces_of(observed, evidence.running, group, lambda outcome: self._late_of(outcome, group))
        return _measured(late, reference, alpha, unsteadiness(paces, self.seconds) if reference.n else 0.0)

    def _late_of(self, outcome: Outcome, group: Group) -> bool | None:
        found = self._group(outcome)
        return found[1] if found is not None and found[0] == group else None

    def _empty(self, evidence: Evidence) -> Finding:
        return replace(self.blank(evidence), tolerance=self.tolerance, ledgers=("configured", "observed"))

    def _from_outside(self, evidence: Evidence) -> Finding:
        """Return the finding where only the latencies tell the delayed from the others, if they do.

        Half of alpha is for the measurement. The other half is for what has to be true before the delay is blamed: that
        no upstream would give these latencies with the configured delay in the configured share of requests."""
        latencies = evidence.observed.sample(self.concerns)
        if self.part == 1 and latencies.n:
            return self._at_least(evidence, latencies)
        parts = split_by_latency(latencies, self.seconds)
        if not parts.apart:
            return self.not_judged(evidence, MIXED)
        half = replace(evidence, alpha=evidence.alpha / 2)
        measured = _measured(parts.late, parts.rest, half.alpha) if parts.late.n else None
        found = replace(self._judged(half, measured, Tally(0, latencies.n)), alpha=evidence.alpha)
        if found.verdict is not Verdict.FALSIFIED or self._impossible(half, latencies, parts):
            return found
        took = f"{thousands(parts.late.n)} late requests took {format_duration(found.estimate or 0.0)} longer than"
        said = f"{took} {thousands(parts.rest.n)} others; how many of them were late by themselves cannot be told."
        return replace(found, verdict=Verdict.INCONCLUSIVE, cause="", sentence=said)

    def _at_least(self, evidence: Evidence, latencies: Sample) -> Finding:
        """Return the finding on the whole latency: there is no undelayed one to compare with, and nobody knows how slow
        the upstream is."""
        span, least = quantile_span(latencies, MEDIAN, evidence.alpha), self.seconds - self.tolerance
        verdict = assess_span(span, least, inf)
        starved = evidence.starved and verdict.decided
        finding = replace(
            self._empty(evidence),
            sense="above",
            observed=Tally(latencies.n, latencies.n),
            estimate=latencies.quantile(MEDIAN),
            interval=(span.low, None if span.high == inf else span.high),
            verdict=Verdict.INCONCLUSIVE if starved else verdict,
            cause="starved" if starved else "delay" if verdict is Verdict.FALSIFIED else "",
        )
        return replace(finding, sentence=_sentence_at_least(finding, evidence.starved))

    def _impossible(self, evidence: Evidence, latencies: Sample, parts: Parts) -> bool:
        """Return whether too few, or too many, can have been delayed by what is configured, and not most of the late
        ones."""
        shares = possible_shares(evidence, latencies, self.seconds).possible
        claim, late = within(self.part), parts.late.n / parts.n
        touched = any(each.low <= claim.high and claim.low <= each.high for each in shares)
        return not touched and shares[-1].high < late / 2

    def _group(self, outcome: Outcome) -> tuple[Group, bool] | None:
        """Return an outcome's group and whether it was delayed; None for what is not the rule's."""
        late = self.classify(outcome)
        return None if late is None else ((outcome.task, outcome.status, "abort" in outcome.fault), late)

    def _largest(self, observed: Observed) -> Group | None:
        """Return the group with the most evidence: the one whose smaller half is largest, or without undelayed requests
        the largest; None without delayed requests."""
        sizes: dict[Group, list[int]] = {}
        for outcome, count in observed:
            found = self._group(outcome)
            if found is not None:
                sizes.setdefault(found[0], [0, 0])[found[1]] += count
        late = {group: size for group, size in sizes.items() if size[1]}
        return max(late, key=lambda group: (min(late[group]), late[group][1]), default=None)


def _unseen(effect: Effect, delay: float) -> str:
    """Return the reason why no client of the load sees the end of the delay; empty if one does."""
    patience = effect.patience
    if effect.tasks is None:
        return "the requests are an application's own, and only the load measures how long its requests take"
    if patience is None or patience > delay:
        return ""
    waits, late = format_duration(patience), format_duration(delay)
    return f"clients wait {waits}, so that none sees the end of a delay of {late}"


def _measured(late: Sample, reference: Sample, alpha: float, off: float = 0.0) -> Measured:
    """Return the shift; it may be `off` by so many seconds, because the two groups did not meet the same system."""
    band = {level: shift.widened(off) for level, shift in shift_band(late, reference, alpha).items()}
    return Measured(band, late.n, reference.n)


def _nothing_seen(finding: Finding, tally: Tally) -> Finding:
    """Return the finding without any delayed request: no traffic if there was no request at all, else inconclusive."""
    verdict = Verdict.INCONCLUSIVE if tally.n else Verdict.NO_TRAFFIC
    return replace(finding, verdict=verdict, observed=Tally(0, tally.n), cause="" if tally.n else "traffic")


def _sentence_at_least(finding: Finding, starved: str) -> str:
    target, seen = format_duration(finding.configured or 0.0), finding.observed or Tally(0, 0)
    said = f"Half of {thousands(seen.n)} requests took {format_duration(finding.estimate or 0.0)} or more"
    if starved:
        return f"{said}; {starved}, so latencies prove nothing."
    if finding.verdict is Verdict.INCONCLUSIVE:
        return f"{said}; more requests would tell whether it is at least {target}."
    if finding.verdict is Verdict.FALSIFIED:
        return f"{said}, less than the {target} that every one should be delayed by."
    return f"{said}, at least {target}. How much of it is the upstream's own cannot be seen from outside."


def _sentence(
    finding: Finding, reference: int | None, starved: str, quartiles: tuple[float, float] | None = None
) -> str:
    """Return the sentence. `reference` is the number of undelayed requests compared with; `quartiles` are the shifts at
    25 and 75 % if it is these that are off."""
    target = format_duration(finding.configured or 0.0)
    seen = finding.observed or Tally(0, 0)
    if reference is None or finding.estimate is None:
        if finding.verdict is Verdict.NO_TRAFFIC:
            return "No request reached this rule, so nothing is known about its delay."
        return f"None of {thousands(seen.n)} requests was seen delayed so far."
    took = f"{thousands(seen.k)} delayed requests took {format_duration(finding.estimate)}"
    if reference:
        said = f"{took} longer than {thousands(reference)} undelayed ones of the same run"
    else:
        said = f"{took} in all, with no undelayed one to compare them with"
    if starved:
        return f"{said}; {starved}, so latencies prove nothing."
    if finding.verdict is Verdict.INCONCLUSIVE:
        return f"{said}; more requests would tell whether it is {target}."
    if quartiles is not None:
        low, high = (format_duration(each) for each in quartiles)
        return f"{said}, but a quarter only {low} and another {high}: the delay is not fixed at {target}."
    if finding.verdict is Verdict.FALSIFIED:
        return f"{said}, not {target}: the delay is {_off(finding)}."
    return f"{said}; {target} is configured."


def _off(finding: Finding) -> str:
    off = (finding.estimate or 0.0) / (finding.configured or 1.0) - 1
    return f"{abs(off) * 100:.0f}{THIN}% too {'short' if off < 0 else 'long'}"


def _least_for_a_median(alpha: float) -> int:
    """Return the smallest number of requests that bounds their median on both sides."""
    low, high = 0, 1
    while not _bounded(high, alpha):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _bounded(middle, alpha) else (middle, high)
    return high


def _bounded(n: int, alpha: float) -> bool:
    low, high = allowed_ranks(n, 0.5, alpha)
    return low > 0 and high < n
