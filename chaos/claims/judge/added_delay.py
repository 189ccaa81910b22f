"""Judges an added delay: by how much the requests that were delayed are later than those of the same run that were not.

Both groups meet the same machine and the same upstream, so their difference is the delay alone, however slow
everything is. Like is compared with like: the answers of one task with one status, forwarded or aborted, whichever
pair of groups is largest. A rule that delays everything leaves nothing to compare with; then the whole latency is
what is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf

from chaos.claims.expectations import Expectation
from chaos.claims.finding import Finding, Tally
from chaos.claims.judge import sentences
from chaos.claims.judge.drawn import Drawn
from chaos.claims.observations import Observed, Outcome
from chaos.verify.quantile import Sample
from chaos.verify.shift import MEDIAN, Shift, assess_span, shift_band
from chaos.verify.verdict import Verdict

Group = tuple[str, int, bool]
"""Task, status, whether it was aborted."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The shift that was measured at three quantiles, and between how many requests."""

    band: Mapping[float, Shift]
    late: int
    reference: int


def judge_added_delay(
    finding: Finding, expectation: Expectation, observed: Observed, drawn: Drawn, starved: str
) -> Finding:
    """The finding with its estimate and interval in seconds."""
    assert expectation.share is not None
    finding = replace(finding, unit="seconds", tolerance=expectation.tolerance, ledgers=("configured", "observed"))
    measured = measure(expectation, observed, finding.alpha)
    if measured is None:
        missing = _nothing_seen(finding, observed.tally(expectation.classify))
        return replace(missing, sentence=sentences.added_delay(missing, None, starved))
    shift, verdict = measured.band[MEDIAN], _assess(measured.band, expectation)
    uneven = verdict is Verdict.FALSIFIED and _median(measured.band, expectation) is not verdict
    finding = replace(
        finding,
        observed=Tally(measured.late, measured.late + measured.reference),
        estimate=shift.estimate,
        interval=(shift.span.low, None if shift.span.high == inf else shift.span.high),
        verdict=Verdict.INCONCLUSIVE if starved and verdict.decided else verdict,
        cause="starved" if starved else "delay" if verdict is Verdict.FALSIFIED else "",
    )
    quartiles = (measured.band[0.25].estimate, measured.band[0.75].estimate) if uneven else None
    return replace(finding, sentence=sentences.added_delay(finding, measured.reference, starved, quartiles))


def _assess(band: Mapping[float, Shift], expectation: Expectation) -> Verdict:
    """The median decides; quartiles that are surely more than twice as far off as is tolerated falsify a *fixed*
    delay."""
    for shift in band.values():
        if _near(shift, expectation, 2 * expectation.tolerance) is Verdict.FALSIFIED:
            return Verdict.FALSIFIED
    return _median(band, expectation)


def _median(band: Mapping[float, Shift], expectation: Expectation) -> Verdict:
    return _near(band[MEDIAN], expectation, expectation.tolerance)


def _near(shift: Shift, expectation: Expectation, reach: float) -> Verdict:
    assert expectation.share is not None
    return assess_span(shift.span, expectation.share - reach, expectation.share + reach)


def measure(expectation: Expectation, observed: Observed, alpha: float) -> Measured | None:
    """The shift between the largest comparable groups; None while no delayed request was seen."""
    if not expectation.tagged:
        return _by_size(expectation, observed, alpha)
    group = _largest(expectation, observed)
    if group is None:
        return None
    late = observed.sample(lambda outcome: _group(expectation, outcome) == (group, True))
    reference = observed.sample(lambda outcome: _group(expectation, outcome) == (group, False))
    return _measured(late, reference, alpha)


def _measured(late: Sample, reference: Sample, alpha: float) -> Measured:
    return Measured(shift_band(late, reference, alpha), late.n, reference.n)


def _group(expectation: Expectation, outcome: Outcome) -> tuple[Group, bool] | None:
    """Which group an outcome belongs to, and whether it was delayed; None for what is not the rule's."""
    delayed = expectation.classify(outcome)
    return None if delayed is None else ((outcome.task, outcome.status, "abort" in outcome.fault), delayed)


def _largest(expectation: Expectation, observed: Observed) -> Group | None:
    """The group that tells most: the one whose smaller half is largest. Without undelayed requests, the largest."""
    sizes: dict[Group, list[int]] = {}
    for outcome, count in observed:
        found = _group(expectation, outcome)
        if found is not None:
            sizes.setdefault(found[0], [0, 0])[found[1]] += count
    delayed = {group: size for group, size in sizes.items() if size[1]}
    return max(delayed, key=lambda group: (min(delayed[group]), delayed[group][1]), default=None)


def _by_size(expectation: Expectation, observed: Observed, alpha: float) -> Measured | None:
    late, reference = _split(expectation, observed)
    return _measured(late, reference, alpha) if late.n else None


def delayed_by_size(expectation: Expectation, observed: Observed) -> Tally:
    """How many requests seem to have been delayed, for a gateway that does not say so."""
    late, reference = _split(expectation, observed)
    return Tally(late.n, late.n + reference.n)


def _split(expectation: Expectation, observed: Observed) -> tuple[Sample, Sample]:
    """Without tags a delayed request is one that took more than half of the delay longer than the quickest did."""
    everyone = observed.sample(
        lambda outcome: (
            outcome.phase == expectation.phase
            and outcome.status != 0
            and (expectation.tasks is None or outcome.task in expectation.tasks)
        )
    ).buckets
    limit = everyone[0][0] + expectation.seconds / 2 if everyone else 0.0
    return (
        Sample(bucket for bucket in everyone if bucket[0] >= limit),
        Sample(bucket for bucket in everyone if bucket[0] < limit),
    )


def _nothing_seen(finding: Finding, tally: Tally) -> Finding:
    """No delayed request yet: no traffic when there was none at all, open otherwise."""
    verdict = Verdict.INCONCLUSIVE if tally.n else Verdict.NO_TRAFFIC
    return replace(finding, verdict=verdict, observed=Tally(0, tally.n), cause="" if tally.n else "traffic")
