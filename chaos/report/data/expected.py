"""What users should see, from the rules in the journal's plan: shares of statuses, and when responses arrive.

The rules say how often a fault is injected and how long it delays a response. What an upstream returns when nothing is
injected the rules do not say, so its statuses and latencies are taken from the run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from chaos import statuses
from chaos.faults import FaultKind
from chaos.journal.result import Result
from chaos.protocol.histogram import Histogram
from chaos.protocol.plan_record import OutcomeRecord
from chaos.report.data import frames
from chaos.report.data.latency import Shape, mix


@dataclass(frozen=True, slots=True)
class Planned:
    """What requests of one rule should come to in one phase: a `share` of them, in [0, 1], meets the faults of a tag,
    waits `delay` seconds, and gets a status, None if the upstream decides it."""

    share: float
    status: int | None = None
    fault: str = ""
    delay: float = 0.0


NOTHING = (Planned(1.0),)
"""Of a rule that the plan does not list: its requests meet no fault."""

Injections = dict[tuple[str, str], tuple[Planned, ...]]
"""By phase and rule name."""


def injections(result: Result) -> Injections:
    """Return what every rule should do in every phase, as the plan lists it; empty when it lists no rules."""
    return {
        (str(rule.get("phase", "")), str(rule.get("name", ""))): _planned(rule.get("outcomes") or ())
        for rule in result.plan.rules
    }


def _planned(outcomes: Iterable[OutcomeRecord]) -> tuple[Planned, ...]:
    """Return the outcomes, those that differ in their destination or attempts alone as one."""
    shares: dict[tuple[int | None, str, float], float] = {}
    for each in outcomes:
        what = (each["status"], each["fault"], each["delay"])
        shares[what] = shares.get(what, 0.0) + each["share"]
    return tuple(Planned(share, *what) for what, share in shares.items()) or NOTHING


def destination_shares(result: Result) -> dict[tuple[str, str], float]:
    """Return the configured share of each destination by rule name and destination, from the first phase that has the
    rule."""
    shares: dict[tuple[str, str], float] = {}
    for rule in result.plan.rules:
        for destination, share in rule.get("destinations") or ():
            shares.setdefault((str(rule.get("name", "")), str(destination)), float(share))
    return shares


def status_shares(rows: pd.DataFrame, planned: Injections) -> dict[str, float]:
    """Return the expected share of every status among these rows (of one phase and task); empty when no fault should
    change them.

    The planned part of each rule's requests gets its status from a fault; the rest is expected to have the statuses of
    its other responses. Requests without a response belong to no rule and are not expected."""
    answered = rows[rows["status"] > 0]
    grpc = bool(answered["status"].map(statuses.is_grpc).any())
    total = int(rows["count"].sum())
    shares: dict[str, float] = {}
    known = False
    for (phase, route), seen in answered.groupby(["phase", "route"], sort=False):
        planned_here = planned.get((str(phase), str(route)), NOTHING)
        given = _given_by_faults(planned_here)
        known = known or bool(given)
        part = int(seen["count"].sum()) / total
        rest = sum(each.share for each in planned_here if each not in given)
        others = {"", *(each.fault for each in planned_here if each not in given)}
        own = seen[seen["fault"].isin(others)].groupby("label")["count"].sum()
        if own.sum() == 0 and rest > 0:
            return {}  # only faults were seen, so the upstream's own statuses are not known
        for each in given:
            label = statuses.shown(statuses.as_met(each.status or 0, grpc))
            shares[label] = shares.get(label, 0.0) + each.share * part
        for status, count in own.items():
            shares[str(status)] = shares.get(str(status), 0.0) + rest * part * float(count / own.sum())
    return shares if known else {}


def _given_by_faults(planned: Iterable[Planned]) -> tuple[Planned, ...]:
    """Return the outcomes whose status comes from a fault: requests that meet none do not get it."""
    plain = {each.status for each in planned if not each.fault}
    return tuple(each for each in planned if each.fault and each.status is not None and each.status not in plain)


def mixtures(table: pd.DataFrame, planned: Injections) -> dict[tuple[str, str], Shape]:
    """Return, per phase and task, the latencies that the rules predict, scaled to the number of requests that were
    seen.

    The distribution without a delay comes from the run itself, separately for each fault that is none. Requests of a
    rule that delays all of them have none, and their task then no mixture in that phase; nor have requests that no
    fault is planned for."""
    found = {}
    for (phase, task), rows in table.groupby(["phase", "task"], sort=False):
        answered = rows[rows["status"] > 0].groupby("route")
        rules = [(seen, planned.get((str(phase), str(route)), NOTHING)) for route, seen in answered]
        parts = [_mixture(seen, rule) for seen, rule in rules]
        if all(part is not None for part in parts) and any(each.fault for _, rule in rules for each in rule):
            found[str(phase), str(task)] = mix([part for part in parts if part is not None])
    return found


def _mixture(seen: pd.DataFrame, planned: Iterable[Planned]) -> Shape | None:
    plain, total = _shape(seen, ""), float(seen["count"].sum())
    parts = []
    for each in planned:
        quick = _shape(seen, _undelayed(each.fault)) or plain
        if quick is None:
            return None
        parts.append(quick.moved(each.delay, total * each.share))
    return mix([part for part in parts if part.total > 0])


def _undelayed(tag: str) -> str:
    return ",".join(kind for kind in tag.split(",") if kind != FaultKind.DELAY)


def _shape(seen: pd.DataFrame, fault: str) -> Shape | None:
    latency: Histogram = frames.merged(seen.loc[seen["fault"] == fault, "latency"])
    return Shape.of(latency) if latency.counts else None
