"""Judge claims by samples or by counts, with the machinery that judges a run.

What a file cannot know is not judged, and the finding says why; such a claim takes no part of alpha."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from chaos.claims.evidence import Evidence
from chaos.claims.expectation import Expectation
from chaos.claims.finding import Finding
from chaos.claims.gateway_ledger import GatewayLedger
from chaos.claims.hypotheses.hypothesis import Hypothesis
from chaos.claims.hypotheses.judging import Hypotheses, blank, hidden
from chaos.claims.hypotheses.measure import Expression, Measure
from chaos.claims.hypotheses.tokens import quoting
from chaos.claims.hypotheses.tokens import unknown as unknown_name
from chaos.claims.judge.judge import Judge, divide, earliest_of
from chaos.claims.observations import Observations, Observed, Running
from chaos.errors import InvalidInput, Problem
from chaos.protocol.digest import Key
from chaos.protocol.parts import Parts
from chaos.samples.claim_text import ShareText
from chaos.samples.claims import HIT, MISS, CountedShare, SampledAbort, SampledDelay, SampledShare, expectation_of
from chaos.samples.seconds import Counts
from chaos.samples.source import Facet, Source
from chaos.verify.claim import certain_tolerance
from chaos.verify.verdict import Verdict

_OF_METRIC: dict[str, Facet] = {"errors": "lost", "status": "status", "aborted": "fault", "delayed": "fault"}


class SampleJudge:
    """Judges the claims of one file: give each stretch to `observe`, and ask for the `findings` at its end."""

    def __init__(
        self,
        claims: Sequence[ShareText],
        expressions: Sequence[Expression],
        *,
        confidence: float,
        tolerance: float,
    ):
        self.claims, self.expressions = tuple(claims), tuple(expressions)
        made = (expectation_of(claim, number, tolerance) for number, claim in enumerate(claims))
        self.expected = tuple(replace(each, certain=certain_tolerance(tolerance)) for each in made)
        self._confidence = confidence
        earliest = earliest_of(self.expected)
        self._hypotheses = Hypotheses(expressions, earliest=earliest)
        self._observed = Observed(earliest)

    @property
    def measures(self) -> list[tuple[str, str, Measure]]:
        """What the claims and hypotheses measure, each with its option and text."""
        claims = [("--claim", each.text, each.measure) for each in self.claims]
        sides = [("--expect", each.text, side) for each in self.expressions for side in (each.left, each.right)]
        return [(option, text, side) for option, text, side in (*claims, *sides) if side is not None]

    @property
    def named(self) -> set[str]:
        """The tasks that are named."""
        return {measure.task for _, _, measure in self.measures if measure.task is not None}

    def observe(self, digest: Observations, seconds: float = 1.0) -> None:
        """Add a stretch."""
        self._observed.add(digest, seconds)
        self._hypotheses.observe(digest)

    def require_names(self, tasks: Collection[str], phases: Collection[str]) -> None:
        """Raise InvalidInput for tasks and phases that are named and that no sample has, with the nearest that one
        has."""
        problems: list[Problem] = []
        for option, text, measure in self.measures:
            message = _no_such_name(measure, tasks, phases)
            if message:
                problems += InvalidInput.at(option, quoting(message, f"`{text}`")).problems
        if problems:
            raise InvalidInput(problems)

    def findings(self, source: Source, parts: Parts) -> list[Finding]:
        """Return one finding per claim, then one per hypothesis. `parts` are counts in the order of sending, empty
        where that is not known."""
        expected = tuple(_as_seen(each, source) for each in self.expected)
        reasons = [_reason(each.expression, source) for each in self._hypotheses.all]
        every = self._hypotheses.all
        self._hypotheses.all = tuple(each for each, reason in zip(every, reasons, strict=True) if not reason)
        judge = Judge(expected, self._confidence, self._hypotheses)
        judge.observed = self._observed
        self._observed.parts.merge(parts)
        found = judge.findings(None)
        judged = iter(found[len(expected) :])
        rest = [
            _not_judged(each, reason, self._confidence) if reason else next(judged)
            for each, reason in zip(every, reasons, strict=True)
        ]
        return [*map(_worded, found[: len(expected)]), *rest]


def _no_such_name(measure: Measure, tasks: Collection[str], phases: Collection[str]) -> str:
    """Return what is wrong with the names that a measure uses; empty if samples have them."""
    if measure.phase is not None and measure.phase not in phases:
        return unknown_name("phase", measure.phase, filter(None, phases))
    if measure.task is None or measure.task in tasks:
        return ""
    if measure.task in phases:
        return f"{measure.task!r} is a phase; write `{measure.task}: ...`"
    return unknown_name("task", measure.task, filter(None, tasks))


def _not_judged(hypothesis: Hypothesis, reason: str, confidence: float) -> Finding:
    finding = blank(hypothesis, confidence, 0.0)
    return replace(finding, verdict=Verdict.NOT_JUDGED, cause="unseen", ledgers=(), sentence=f"Not judged: {reason}.")


def _reason(expression: Expression, source: Source) -> str:
    """Return why a hypothesis is not judged by such samples; empty if it is."""
    if expression.left.metric in ("masked", "amplification"):
        return hidden(expression)
    if expression.within is not None and "times" in source.unknown:
        return source.unknown["times"]
    sides = [side for side in (expression.left, expression.right) if side is not None]
    return next((reason for side in sides if (reason := _missing(side, source))), "")


def _missing(measure: Measure, source: Source) -> str:
    """Return why a measure cannot be taken from such samples; empty if it can."""
    if measure.unit != "seconds":
        facet = _OF_METRIC.get(measure.metric)
        return source.unknown.get(facet, "") if facet is not None else ""
    reason = source.unknown.get("latency") or source.unknown.get("times", "")
    told = source.told.get((measure.task or "", "p50" if measure.metric == "median" else measure.metric))
    return f"{reason} (the file itself says {told})" if reason and told else reason


def _as_seen(expectation: Expectation, source: Source) -> Expectation:
    """Return a claim as such samples show it: unseen if they do not; a delay perhaps by its latencies alone."""
    if isinstance(expectation, SampledShare):
        return replace(expectation, unseen=_missing(expectation.measure, source))
    reason = source.unknown.get("fault", "")
    if not reason:
        return expectation
    if isinstance(expectation, SampledDelay):
        if expectation.seconds and expectation.share and "latency" not in source.unknown:
            return replace(expectation, tagged=False)
        return replace(expectation, unseen=f"{reason}; `delay 5s 10%` would be judged by latencies, if there are any")
    status = expectation.status if isinstance(expectation, SampledAbort) else 0
    return replace(expectation, unseen=f"{reason}; `status({status or 503}) 50%` is judged by statuses alone")


@dataclass(frozen=True, slots=True)
class CountedClaim:
    """A claim and its counts."""

    claim: ShareText
    successes: int
    trials: int


def judge_counts(claims: Sequence[CountedClaim], *, confidence: float, tolerance: float) -> list[Finding]:
    """Return one finding per claim, each by its own counts."""
    expected = [_counted(each.claim, number, tolerance) for number, each in enumerate(claims)]
    alphas = divide(confidence, expected)
    return [
        _judge_counted(expectation, each, confidence, alpha)
        for expectation, each, alpha in zip(expected, claims, alphas, strict=False)
    ]


def _counted(claim: ShareText, number: int, tolerance: float) -> Expectation:
    known = claim.kind != "share" and claim.measure is not None
    own = tolerance if claim.tolerance is None else claim.tolerance
    if known:
        made: Expectation = replace(expectation_of(claim, number, tolerance), phase="", tasks=None)
    else:
        name = f"claim#{number}#{claim.text}"
        made = CountedShare(id=name, title=claim.what, share=claim.share, tolerance=own, words=claim.what)
    return replace(made, certain=certain_tolerance(tolerance))


def _judge_counted(expectation: Expectation, each: CountedClaim, confidence: float, alpha: float) -> Finding:
    counts = Counts()
    fault = expectation.fault
    status = (each.claim.status or 503) if fault else HIT
    for key, count in (
        (Key("", "", "", "", status, fault), each.successes),
        (Key("", "", "", "", 200 if fault else MISS), each.trials - each.successes),
    ):
        if count:
            counts.add(key, count)
    observed = Observed()
    observed.add(counts)
    running = Running(expectation.classify, expectation.loses)
    return _worded(expectation.judge(Evidence(observed, GatewayLedger(None), running, confidence, alpha)))


def _worded(finding: Finding) -> Finding:
    """Return the finding of a claim; samples that it does not concern reach no rule."""
    if finding.verdict is not Verdict.NO_TRAFFIC:
        return finding
    return replace(finding, sentence="No request that it applies to was seen.")
