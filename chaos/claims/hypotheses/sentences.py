"""Write the sentence of a hypothesis's finding."""

from __future__ import annotations

from math import isinf

from chaos.claims.finding import Finding, Tally
from chaos.claims.hypotheses.measure import Expression
from chaos.claims.hypotheses.observed_values import done
from chaos.claims.shares.sentences import requests
from chaos.formatting import THIN, plural, spread
from chaos.formatting import count as thousands
from chaos.formatting import share as percent
from chaos.units import format_duration
from chaos.verify.verdict import Verdict

SAID_FROM = 3.0
"""So many requests count as one even where they are independent, when few seconds have been seen."""
OPEN = "; whether it is "


def nothing(finding: Finding) -> str:
    """Return the sentence of a finding without any request."""
    where = f" in phase {finding.phase}" if finding.phase else ""
    return f"No request that it applies to was seen{where}."


def hypothesis(finding: Finding, expression: Expression, starved: str = "", alike: float = 1.0) -> str:
    """Return the sentence for a share or a quantile, compared with a limit or another measure. `starved` is the reason
    why latencies cannot be trusted, `alike` how many requests count as one because they depend on each other."""
    if finding.verdict is Verdict.NO_TRAFFIC:
        return nothing(finding)
    if finding.unknown and finding.estimate is None and not (finding.observed or Tally(0, 0)).n:
        return f"None of {plural(finding.unknown, 'request')} has ended, so nothing is known about them."
    said = _ratio(finding, expression) if expression.right is not None else _plain(finding, expression)
    said = f"{said}{_with_alike(between(finding), alike)}"
    if finding.cause == "starved":
        return f"{said}; {starved}, so latencies prove nothing."
    return f"{said}{ending(finding, expression.shown_limit)}"


def _plain(finding: Finding, expression: Expression) -> str:
    seen = finding.observed or Tally(0, 0)
    if expression.left.unit == "share":
        return f"{requests(seen, finding)} {done(expression.left)}"
    value = "has no end" if finding.estimate is None else f"is {format_duration(finding.estimate)}"
    return f"{expression.left.metric} of {thousands(seen.n)} requests {value}"


def _ratio(finding: Finding, expression: Expression) -> str:
    if finding.estimate is None:
        return f"{expression.left} cannot be compared with {expression.right}: {expression.right} is 0"
    return f"{expression.left} is {finding.estimate:.3g} times {expression.right}"


def _with_alike(interval: str, alike: float) -> str:
    """Return the interval in its brackets, with a word on requests that depend on each other if it is wider for it."""
    if isinf(alike):
        return f"{interval[:-1]}; one second does not show how much requests depend on each other)"
    if alike < SAID_FROM:
        return interval
    together = f"{alike:.2g}" if alike < 10 else thousands(round(alike))
    return f"{interval[:-1]}; as they depend on each other, {together} requests count as one)"


def between(finding: Finding) -> str:
    """Return the interval in brackets, with the number of requests whose outcome is unknown, which widen it."""
    low, high = finding.interval or (None, None)
    unknown = f"; of {thousands(finding.unknown)} more nobody can tell" if finding.unknown else ""
    return f" ({_value(finding, low)} to {_value(finding, high)}{unknown})"


def _value(finding: Finding, value: float | None) -> str:
    if value is None:
        return "any"
    if finding.unit == "share":
        return percent(value, spread(finding.interval))
    return format_duration(value) if finding.unit == "seconds" else f"{value:.3g}"


def ending(finding: Finding, limit: str) -> str:
    asked = f"{'less' if finding.sense == 'below' else 'more'} than {limit.replace('%', THIN + '%')}"
    if finding.verdict is Verdict.VERIFIED:
        return f", as asked: {asked}."
    if finding.verdict is Verdict.FALSIFIED:
        return f"; {asked} was asked."
    more = f" About {thousands(finding.needed)} more requests would tell." if finding.needed else ""
    return f"{OPEN}{asked} is open.{more}"


def settled(sentence: str, before: str) -> str:
    """Return the sentence of a finding that was verified earlier, from the one that its latest counts alone have;
    `before`, that of the time, if these say nothing."""
    said, open_, _ = sentence.partition(OPEN)
    return f"{said}. It was verified earlier in the run, and these counts do not refute it." if open_ else before
