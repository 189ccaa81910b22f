"""Write the sentence of a finding on a share, with the cause if it is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.claims.finding import Finding, Tally
from chaos.claims.shares.early import Early
from chaos.claims.shares.order import Evened, Neighbours, Order
from chaos.claims.shares.parts import Coupling, OddTask, UnlikeUsers
from chaos.formatting import count as thousands
from chaos.formatting import exact, plural, spread
from chaos.formatting import share as percent
from chaos.protocol.parts import BLOCK
from chaos.units import format_duration
from chaos.verify.drift import Drift
from chaos.verify.verdict import Verdict

ONCE = "The gateway seems to draw once per connection instead of once per request."


@dataclass(frozen=True, slots=True)
class Wrong:
    """The findings of the guards of a share, and the responses that are only tagged; each None if there is nothing."""

    neighbours: Neighbours | None = None
    drift: Drift | None = None
    odd_task: OddTask | None = None
    users: UnlikeUsers | None = None
    order: Order | None = None
    coupling: Coupling | None = None
    early: Early | None = None


def requests(tally: Tally, finding: Finding) -> str:
    """Return `50.1 % of 14 000 requests`, with the digits that the finding's interval supports."""
    return f"{share_of(tally, finding)} of {plural(tally.n, 'request')}"


def share_of(tally: Tally, finding: Finding) -> str:
    """Return a tally's share with the digits that the finding's interval supports."""
    return percent(tally.share or 0.0, spread(finding.interval))


def target_of(finding: Finding) -> str:
    """Return the configured share as it was written."""
    return exact(finding.configured or 0.0, "share")


def share(finding: Finding, did: str, wrong: Wrong) -> str:
    """Return the sentence on a claim about a proportion. `did` is what happened to the requests that satisfy it."""
    own = finding.observed or finding.drawn
    if finding.verdict is Verdict.NO_TRAFFIC:
        return "No request reached this rule, so nothing is known about it."
    if own is None or not own.n:
        return f"None of {plural(finding.unknown, 'request')} had a response, so nothing is known about what they met."
    said = f"{requests(own, finding)} {did}{_left(finding)}"
    if finding.verdict is Verdict.FALSIFIED:
        return f"{said}{_wrong(finding, wrong)}"
    if finding.verdict is Verdict.INCONCLUSIVE:
        return f"{said}; {possible(finding)}"
    if own.share == finding.configured:
        said += ", as configured"
    else:
        said += f"; {exact(finding.configured or 0.0, 'share')} is configured"
    return f"{said}." if finding.observed else f"{said}. This is the gateway's own count: the load does not see these."


def _left(finding: Finding) -> str:
    """Return the part on requests that only the gateway knows of, and on unknown ones; empty without either."""
    told = f"; for {thousands(finding.left)} of them the gateway says so, as their clients left first"
    lost = f"; {thousands(finding.unknown)} more had no response and may have met anything"
    return (told if finding.left else "") + (lost if finding.unknown else "")


def settled(finding: Finding) -> str:
    """Return the sentence on a claim that was verified earlier but whose latest counts alone are inconclusive."""
    now = finding.observed or finding.drawn or Tally(0, 0)
    return f"Verified earlier in the run; by now it is {requests(now, finding)}."


def _wrong(finding: Finding, wrong: Wrong) -> str:
    target = target_of(finding)
    drawn = share_of(finding.drawn, finding) if finding.drawn and finding.drawn.n else ""
    if finding.cause in ("per-connection", "by-turns", "in-bursts"):
        return _dependent(finding, wrong)
    if finding.cause == "drift" and wrong.drift is not None:
        return _drifted(target, wrong.drift, finding)
    if finding.cause == "per-task" and wrong.odd_task is not None:
        return _per_task(target, wrong.odd_task, finding)
    if finding.cause == "coupled" and wrong.coupling is not None:
        return _coupled(wrong.coupling, finding)
    if finding.cause == "tagged-only" and wrong.early is not None:
        return _tagged_only(target, wrong.early)
    return {
        "drawn-twice": f", not {target}: two draws of {target} would give this; the fault seems to be drawn twice.",
        "dice": f", not {target}" + (f"; the gateway itself drew {drawn}, so its dice are off." if drawn else "."),
        "hidden": f", not {target}, though the gateway drew {drawn}: something on the way to the clients hid it.",
        "count": f" where {target} is configured, and the gateway counted {drawn}: one of the two counts is off.",
    }.get(finding.cause, f", not {target}.")


def _tagged_only(target: str, early: Early) -> str:
    more, least = plural(early.count, "response"), format_duration(early.least)
    return f", not {target}: {more} tagged so came before {least}, so that their tags are not true."


def _per_task(target: str, odd: OddTask, finding: Finding) -> str:
    own, others = requests(odd.own, finding), share_of(odd.others, finding)
    return f" over all tasks, but {own} of {odd.task} and {others} of the others, where {target} is claimed of each."


def _coupled(found: Coupling, finding: Finding) -> str:
    these, others = requests(found.with_it, finding), share_of(found.without, finding)
    return (
        f", but not independently of the {found.other}: {these} with a {found.other} and {others} of the others. "
        "The gateway seems to draw both faults at once."
    )


def _dependent(finding: Finding, wrong: Wrong) -> str:
    """Return what is wrong with requests that do not meet their faults independently of each other."""
    pairs, users, order = wrong.neighbours, wrong.users, wrong.order
    if finding.cause == "per-connection":
        if users is not None and users.sure and not (pairs is not None and pairs.sure and pairs.constant):
            return _per_user(users, finding)
        return f", but not independently: {_after(pairs)}. {ONCE}"
    turns = finding.cause == "by-turns"
    said = "The gateway seems to take turns instead of drawing." if turns else "Hits and misses come in runs."
    if pairs is not None and pairs.sure and (pairs.dependence.gap < 0) == turns:
        return f", but not independently: {_after(pairs)}. {said}"
    if order is None:
        return f", but not independently. {said}"
    if turns and order.dealt is not None:
        return f", but not independently: {_dealt(order.dealt, finding)}. {said}"
    if turns:
        how = f"of each {BLOCK} successive requests almost the same number: they vary {order.variance:.2f} times"
        return f", but {how} as much as random draws do. {said}"
    follow = f"{percent(order.after_hit)} of those sent after a hit, {percent(order.after_miss)} of the others"
    return f", but not independently: {follow}. {said}"


def _dealt(found: Evened, finding: Finding) -> str:
    where = "on their connection" if found.axis == "connection" else "of late"
    few, many = share_of(found.after_few, finding), share_of(found.after_many, finding)
    return f"{few} of those after few hits {where}, {many} of those after many, as from a shuffled deck"


def _after(pairs: Neighbours | None) -> str:
    if pairs is None:
        return "each as the one before on its connection"
    hit, miss = pairs.dependence.after_fault.share, pairs.dependence.after_clean.share
    return f"{percent(hit)} of those after a hit one on their connection, {percent(miss)} of the others"


def _per_user(users: UnlikeUsers, finding: Finding) -> str:
    low, high = share_of(users.lowest, finding), share_of(users.highest, finding)
    return (
        f" over all, but from {low} to {high} for {users.users} users with a connection each, more than by chance. "
        "The gateway seems to have a share of its own for each connection."
    )


def _drifted(target: str, drift: Drift, finding: Finding) -> str:
    during = requests(Tally(drift.k, drift.n), finding)
    said = f" over the whole run, but {during} from second {drift.since:.0f} to {drift.until:.0f}"
    stopped = f" The fault stopped at second {drift.since:.0f}." if not drift.k else ""
    return f"{said}, where {target} is claimed of every moment.{stopped}"


def possible(finding: Finding) -> str:
    low, high = finding.interval or (None, None)
    width = spread(finding.interval)
    between = f"{percent(low or 0.0, width)} to {percent(1.0 if high is None else high, width)} is still possible"
    if finding.cause == "lost":
        return f"{between}: it cannot be told while so many requests have no response."
    return f"{between}." + (f" About {thousands(finding.needed)} more requests would tell." if finding.needed else "")
