"""What users should see, from the rules in the journal's plan: shares of statuses, and when responses arrive.

The rules say how often a fault is injected and how long it delays a response. What an upstream returns when nothing is
injected the rules do not say, so its statuses and latencies are taken from the run."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from chaos.journal.result import Result
from chaos.protocol.histogram import Histogram
from chaos.report.data import frames
from chaos.report.data.latency import Shape, mix


@dataclass(frozen=True, slots=True)
class Injection:
    """The faults of one rule in one phase: shares in [0, 1], the delay in seconds. Abort and delay are independent."""

    abort: float = 0.0
    status: int = 0
    delayed: float = 0.0
    delay: float = 0.0


Injections = dict[tuple[str, str], Injection]
"""By phase and rule name."""


def injections(result: Result) -> Injections:
    """Return the faults of every rule in every phase, as the plan lists them; empty when it lists no rules."""
    found = {}
    for rule in result.plan.rules:
        faults = {fault["kind"]: (fault["share"], fault["parameters"]) for fault in rule["faults"]}
        (abort, refused), (delayed, late) = faults.get("abort", (0.0, {})), faults.get("delay", (0.0, {}))
        found[str(rule.get("phase", "")), str(rule.get("name", ""))] = Injection(
            abort=float(abort),
            status=int(refused.get("status") or 0),
            delayed=float(delayed),
            delay=float(late.get("seconds") or 0.0),
        )
    return found


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

    The configured part of each rule's requests is aborted; the rest is expected to have the statuses of its other
    responses. Requests without a response belong to no rule and are not expected."""
    answered = rows[rows["status"] > 0]
    total = int(rows["count"].sum())
    shares: dict[str, float] = {}
    known = False
    for (phase, route), seen in answered.groupby(["phase", "route"], sort=False):
        injection = planned.get((str(phase), str(route)))
        known = known or (injection is not None and injection.abort > 0)
        part = int(seen["count"].sum()) / total
        aborts = injection.abort if injection else 0.0
        own = seen[~seen["fault"].str.contains("abort")].groupby("label")["count"].sum()
        if own.sum() == 0 and aborts < 1:
            return {}  # only aborts were seen, so the upstream's own statuses are not known
        if injection and aborts > 0:
            label = str(injection.status)
            shares[label] = shares.get(label, 0.0) + aborts * part
        for status, count in own.items():
            shares[str(status)] = shares.get(str(status), 0.0) + (1 - aborts) * part * float(count / own.sum())
    return shares if known else {}


def mixtures(table: pd.DataFrame, planned: Injections) -> dict[str, Shape]:
    """Return, per phase, the latencies that the rules predict, scaled to the number of requests that were seen.

    The distribution without a delay comes from the run itself, for forwarded and aborted requests separately. A rule
    that delays every request has none, and its phase then no mixture; nor has a phase without faults."""
    found = {}
    for phase, rows in table.groupby("phase", sort=False):
        answered = rows[rows["status"] > 0]
        parts = [_mixture(seen, planned.get((str(phase), str(route)))) for route, seen in answered.groupby("route")]
        if parts and all(part is not None for part in parts) and _injects(planned, str(phase)):
            found[str(phase)] = mix([part for part in parts if part is not None])
    return found


def _injects(planned: Injections, phase: str) -> bool:
    return any(name == phase and (rule.abort or rule.delayed) for (name, _), rule in planned.items())


def _mixture(seen: pd.DataFrame, injection: Injection | None) -> Shape | None:
    plain, aborted = _shape(seen, ""), _shape(seen, "abort")
    injection = injection or Injection()
    if plain is None and injection.abort < 1:
        return None
    quick = aborted or plain
    if quick is None:
        return None
    total = float(seen["count"].sum())
    parts = []
    for late, wait in ((injection.delayed, injection.delay), (1 - injection.delayed, 0.0)):
        parts.append(quick.moved(wait, total * late * injection.abort))
        if plain is not None:
            parts.append(plain.moved(wait, total * late * (1 - injection.abort)))
    return mix([part for part in parts if part.total > 0])


def _shape(seen: pd.DataFrame, fault: str) -> Shape | None:
    latency: Histogram = frames.merged(seen.loc[seen["fault"] == fault, "latency"])
    return Shape.of(latency) if latency.counts else None
