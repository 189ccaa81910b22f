"""Judge all claims of a run while it goes on: divide alpha among them, and keep verdicts that have been reached.

All tests are valid at every moment, so a verdict stays: later counts can falsify a verified claim, but not make it
inconclusive again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from chaos.claims.evidence import Evidence
from chaos.claims.expectation import HARD, Expectation
from chaos.claims.finding import Finding
from chaos.claims.gateway_ledger import GatewayLedger
from chaos.claims.hypotheses import sentences
from chaos.claims.hypotheses.judging import Hypotheses
from chaos.claims.observations import Earliest, Observations, Observed, Outcome, Running
from chaos.formatting import plural
from chaos.protocol.counters import GatewayCounters
from chaos.verify.claim import divide_alpha
from chaos.verify.verdict import Verdict

STAYS = "and a verdict that was reached stays"


class Judge:
    """Judges a run while it goes on: give each second's digest to `observe`, and call `findings` for the verdicts so
    far.

    Expectations and hypotheses divide 1 - confidence; those that are hard to decide get more of it."""

    def __init__(
        self, expectations: Sequence[Expectation], confidence: float = 0.99, hypotheses: Hypotheses | None = None
    ):
        self.expectations = tuple(expectations)
        self.hypotheses = hypotheses or Hypotheses(())
        self.confidence = confidence
        alphas = divide(confidence, self.expectations, len(self.hypotheses.all))
        self._alphas = dict(zip((each.id for each in self.expectations), alphas, strict=False))
        self._hypothesis_alpha = alphas[-1] if self.hypotheses.all else 0.0
        self.observed = Observed(earliest_of(self.expectations))
        self._running = {each.id: Running(each.classify, each.loses) for each in self.expectations}
        self._settled: dict[str, Finding] = {}

    def observe(self, digest: Observations, seconds: float = 1.0) -> None:
        """Add a digest of the load, of so many seconds."""
        self.observed.add(digest, seconds)
        self.hypotheses.observe(digest)

    def findings(self, counters: GatewayCounters | None, *, starved: str = "") -> list[Finding]:
        """Return one finding per expectation, then one per hypothesis. `counters` are the gateway's, None if it has
        none. `starved` is the reason why latencies cannot be trusted (a client short of CPU, load not delivered);
        latency findings are then inconclusive."""
        ledger = GatewayLedger(counters)
        found = [self._judge(expectation, ledger, starved) for expectation in self.expectations]
        more = self.hypotheses.findings(self.observed, counters, self.confidence, self._hypothesis_alpha, starved)
        return [*found, *(self._settle(finding) for finding in more)]

    def _judge(self, expectation: Expectation, ledger: GatewayLedger, starved: str) -> Finding:
        alpha, running = self._alphas[expectation.id], self._running[expectation.id]
        evidence = Evidence(self.observed, ledger, running, self.confidence, alpha, starved)
        if expectation.unseen:
            return expectation.not_judged(evidence, expectation.unseen)
        return self._settle(expectation.judge(evidence), expectation)

    def _settle(self, finding: Finding, expectation: Expectation | None = None) -> Finding:
        """Return the finding with a verdict that has been reached before. The intervals are all valid at once, so their
        intersection is, too."""
        before = self._settled.get(finding.id)
        if finding.cause == "starved":
            return finding
        if before is not None and before.verdict is Verdict.VERIFIED and not finding.verdict.decided:
            now, interval = finding.sentence, _common(before.interval, finding.interval)
            finding = replace(finding, verdict=before.verdict, interval=interval, needed=None, cause="")
            said = sentences.settled(now, before.sentence)
            said = expectation.settled(finding, before.sentence) if expectation else said
            finding = replace(finding, sentence=said)
        elif before is not None and before.verdict is Verdict.FALSIFIED and finding.verdict is not Verdict.FALSIFIED:
            finding = replace(
                finding,
                verdict=before.verdict,
                cause=before.cause,
                interval=before.interval,
                needed=None,
                sentence=_still(before),
            )
        if finding.verdict.decided:
            self._settled[finding.id] = finding
        return finding


def _still(refuted: Finding) -> str:
    """Return the sentence of a claim that was refuted by fewer requests than there are now."""
    if STAYS in refuted.sentence:
        return refuted.sentence
    seen = refuted.observed or refuted.drawn
    when = f"after {plural(seen.n, 'request')}" if seen is not None else "earlier"
    return f"{refuted.sentence.removesuffix('.')}; that was known {when}, {STAYS}."


def earliest_of(expectations: Sequence[Expectation]) -> Earliest:
    """Return the function that says how many seconds a response of an outcome takes at least, if its tags are true."""
    timed = [each for each in expectations if each.earliest]

    def earliest(outcome: Outcome) -> float:
        return min((each.earliest for each in timed if each.classify(outcome)), default=0.0)

    return earliest


def divide(confidence: float, expectations: Sequence[Expectation], hypotheses: int = 0) -> list[float]:
    """Return alpha of each expectation, then of each hypothesis.

    The shares of two destinations are equivalent claims: one is wrong exactly if the other is, so they use the same
    alpha. What cannot be judged needs none."""
    siblings = Counter(_family(each) for each in expectations)
    shared = [2 if each.complementary and siblings[_family(each)] == 2 else 1 for each in expectations]
    weights = [0.0 if each.unseen else each.weight / times for each, times in zip(expectations, shared, strict=True)]
    if not hypotheses and not any(weights):
        return [0.0] * len(weights)
    alphas = divide_alpha(confidence, [*weights, *([HARD] * hypotheses)])
    return [alpha * times for alpha, times in zip(alphas, [*shared, *([1] * hypotheses)], strict=True)]


def _family(expectation: Expectation) -> tuple[str, str, str, tuple[str, ...] | None]:
    return expectation.kind, expectation.phase, expectation.rule, expectation.tasks


Bounds = tuple[float | None, float | None] | None


def _common(before: Bounds, now: Bounds) -> Bounds:
    """Return the intersection; the earlier interval if they have nothing in common."""
    if before is None or now is None:
        return before or now
    lows = [low for low in (before[0], now[0]) if low is not None]
    highs = [high for high in (before[1], now[1]) if high is not None]
    low, high = max(lows, default=None), min(highs, default=None)
    return before if low is not None and high is not None and low > high else (low, high)
