"""Says in one sentence what was found, and what is wrong when something is."""

from __future__ import annotations

from chaos.claims.expectations import Expectation, short
from chaos.claims.finding import Finding, Tally
from chaos.claims.observations import Outcome
from chaos.formatting import THIN, exact, plural, spread
from chaos.formatting import count as thousands
from chaos.formatting import share as percent
from chaos.units import format_duration
from chaos.verify.drift import Drift
from chaos.verify.independence import Dependence
from chaos.verify.retries import Tries
from chaos.verify.verdict import Verdict


def requests(tally: Tally, finding: Finding) -> str:
    """Return `50.1 % of 14 000 requests`, with the digits that the finding's interval carries."""
    return f"{share_of(tally, finding)} of {plural(tally.n, 'request')}"


def share_of(tally: Tally, finding: Finding) -> str:
    """Return a tally's share with the digits that the finding's interval carries."""
    return percent(tally.share or 0.0, spread(finding.interval))


def target_of(finding: Finding) -> str:
    """Return the configured share as it was written."""
    return exact(finding.configured or 0.0, "share")


def share(
    finding: Finding, expectation: Expectation, dependence: Dependence | None = None, drift: Drift | None = None
) -> str:
    """For a claim about a proportion."""
    own = finding.observed or finding.drawn
    if finding.verdict is Verdict.NO_TRAFFIC or own is None or not own.n:
        return "No request reached this rule, so nothing is known about it."
    said = f"{requests(own, finding)} {did(expectation)}"
    if finding.verdict is Verdict.FALSIFIED:
        return f"{said}{_wrong(finding, dependence, drift)}"
    if finding.verdict is Verdict.INCONCLUSIVE:
        return f"{said}; {_possible(finding)}"
    if own.share == finding.configured:
        said += ", as configured"
    else:
        said += f"; {exact(finding.configured or 0.0, 'share')} is configured"
    return f"{said}." if finding.observed else f"{said}. This is the gateway's own count: the load does not see these."


def routing(finding: Finding, expectation: Expectation, instead: tuple[Outcome, int] | None) -> str:
    """For requests that should all take one way, and did not."""
    seen = finding.observed or Tally(0, 0)
    said = f"{requests(seen, finding)} {did(expectation)}, not {exact(finding.configured or 0.0, 'share')}"
    if instead is None:
        return f"{said}."
    outcome, count = instead
    if outcome.route != expectation.rule_name:
        met = f"took {outcome.route}" if outcome.route else f"took no rule and were answered with {outcome.status}"
    elif outcome.destination and expectation.kind == "route":
        met = f"went to {short(outcome.destination)}"
    else:
        met = f"were answered with {outcome.status}" + (
            f" by {short(outcome.destination)}" if outcome.destination else ""
        )
    return f"{said}: {thousands(count)} {met}."


def settled(finding: Finding, before: str) -> str:
    """For a claim that was verified before and whose latest counts alone would leave it open."""
    if finding.unit != "share" or finding.kind in ("residual", "hypothesis", "masking"):
        return before
    now = finding.observed or finding.drawn or Tally(0, 0)
    return f"Verified earlier in the run; by now it is {requests(now, finding)}."


def did(expectation: Expectation) -> str:
    """What happened to the requests, as a verb."""
    where = short(expectation.labels[0]) if len(expectation.labels) == 1 else ""
    return {
        "abort": f"were aborted with {expectation.status}",
        "delay": "were delayed",
        "destination": f"went to {where}",
        "mirror": f"were mirrored to {where}",
        "route": f"took {expectation.rule_name}" + (f" to {where}" if where else ""),
        "redirect": f"were redirected with {expectation.status}",
        "direct-response": f"were answered with {expectation.status} by the rule itself",
        "no-route": f"found no route and were answered with {expectation.status}",
    }.get(expectation.kind, "did as claimed")


def _wrong(finding: Finding, dependence: Dependence | None, drift: Drift | None) -> str:
    target = target_of(finding)
    drawn = share_of(finding.drawn, finding) if finding.drawn and finding.drawn.n else ""
    if finding.cause == "per-connection" and dependence is not None:
        return _per_connection(dependence)
    if finding.cause == "drift" and drift is not None:
        return _drifted(target, drift, finding)
    return {
        "drawn-twice": f", not {target}: two draws of {target} would give this; the fault seems to be drawn twice.",
        "dice": f", not {target}" + (f"; the gateway itself drew {drawn}, so its dice are off." if drawn else "."),
        "hidden": f", not {target}, though the gateway drew {drawn}: something on the way to the clients hid it.",
        "count": f" where {target} is configured, and the gateway counted {drawn}: one of the two counts is off.",
    }.get(finding.cause, f", not {target}.")


def _per_connection(dependence: Dependence) -> str:
    fault, clean = percent(dependence.after_fault.share), percent(dependence.after_clean.share)
    return (
        f", but not independently: {fault} of those after a hit one on their connection, {clean} of the others. "
        f"{_drawn_how(dependence)}"
    )


def _drawn_how(dependence: Dependence) -> str:
    if dependence.gap > 0:
        return "The gateway seems to draw once per connection instead of once per request."
    return "The gateway seems to take turns instead of drawing."


def _drifted(target: str, drift: Drift, finding: Finding) -> str:
    during = requests(Tally(drift.k, drift.n), finding)
    said = f" over the whole run, but {during} from second {drift.since:.0f} to {drift.until:.0f}"
    return f"{said}, where {target} is claimed of every moment." + (" The fault stopped." if not drift.k else "")


def _possible(finding: Finding) -> str:
    low, high = finding.interval or (None, None)
    width = spread(finding.interval)
    between = f"{percent(low or 0.0, width)} to {percent(1.0 if high is None else high, width)} is still possible"
    return f"{between}." + (f" About {thousands(finding.needed)} more requests would tell." if finding.needed else "")


def added_delay(
    finding: Finding, reference: int | None, starved: str, quartiles: tuple[float, float] | None = None
) -> str:
    """For the shift of delayed requests. `reference` is how many undelayed ones they were compared with; `quartiles`
    the shifts at 25 and 75 % when it is these that are off."""
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


def residual(finding: Finding, tries: Tries, expectation: Expectation) -> str:
    """For what still fails when the retries are used up."""
    seen = finding.observed or finding.drawn
    if not tries.requests or seen is None:
        return "No request was forwarded by this rule, so nothing is known about its retries."
    if tries.share:
        row = f"{tries.most} in a row should in {percent(tries.expected)}"
        upstream = f"a single try fails in {percent(tries.share)}, so {row}"
    else:
        upstream = f"no try of {thousands(tries.early_tries)} failed, so there was nothing to retry"
    said = f"{requests(seen, finding)} still failed; {upstream}"
    if finding.verdict is Verdict.FALSIFIED:
        return f"{said}, and does not: {_uneven(finding, tries)}."
    if finding.verdict is Verdict.INCONCLUSIVE:
        return f"{said}; {_possible(finding)}"
    return f"{said}."


def _uneven(finding: Finding, tries: Tries) -> str:
    if tries.given_up > tries.last_failures:
        return f"{thousands(tries.given_up)} were given up with retries left"
    if (finding.estimate or 0.0) < (finding.configured or 0.0):
        return "the tries of one request do not fail alike"
    return "the tries of one request fail together"
