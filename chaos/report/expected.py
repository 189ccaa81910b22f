"""What users were to see, from the expectations in the journal's plan: shares of statuses, and when answers arrive.

The rules say how often a fault comes and how late it makes an answer; what an upstream answers when nothing is
injected is its own affair, so its statuses and its latencies are taken as they were seen."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from chaos.journal.histogram import Histogram
from chaos.journal.result import Result
from chaos.report import frames
from chaos.report.latency import Shape, mix


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
    """The faults that the plan's expectations speak of; empty when the journal has none."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for each in result.plan.expectations:
        share = each.get("share")
        place = found.setdefault((str(each.get("phase", "")), str(each.get("rule_name", ""))), {})
        if share is None:
            continue
        if each.get("kind") == "abort":
            place |= {"abort": float(share), "status": float(each.get("status") or 0)}
        elif each.get("kind") == "delay":
            place["delayed"] = float(share)
        elif each.get("kind") == "added-delay":
            place["delay"] = float(share)
    return {key: _injection(values) for key, values in found.items()}


def _injection(values: dict[str, float]) -> Injection:
    return Injection(
        abort=values.get("abort", 0.0),
        status=int(values.get("status", 0)),
        delayed=values.get("delayed", 0.0),
        delay=values.get("delay", 0.0),
    )


def status_shares(rows: pd.DataFrame, planned: Injections) -> dict[str, float]:
    """The expected share of every status among these rows (of one phase and task); empty when nothing is planned.

    Of each rule's requests the configured part is aborted; the rest has the statuses that unfaulted requests had."""
    total = int(rows["count"].sum())
    shares: dict[str, float] = {}
    known = False
    for (phase, route), seen in rows.groupby(["phase", "route"], sort=False):
        injection = planned.get((str(phase), str(route)))
        known = known or injection is not None
        part = int(seen["count"].sum()) / total
        aborts = injection.abort if injection else 0.0
        own = seen[~seen["fault"].str.contains("abort")].groupby("label")["count"].sum()
        if injection and aborts > 0:
            label = str(injection.status)
            shares[label] = shares.get(label, 0.0) + aborts * part
        if own.sum() == 0 and aborts < 1:
            return {}  # nothing but aborts was seen: what the upstream would have said is not known
        for status, count in own.items():
            shares[str(status)] = shares.get(str(status), 0.0) + (1 - aborts) * part * float(count / own.sum())
    return shares if known else {}


def mixtures(table: pd.DataFrame, planned: Injections) -> dict[str, Shape]:
    """Per phase: the latencies that the rules predict, standing for as many requests as were seen.

    The shape of an answer without a delay comes from the run itself, for forwarded and aborted requests apart; a rule
    whose every request is delayed has none, and the phase then no mixture."""
    found = {}
    for phase, rows in table.groupby("phase", sort=False):
        parts = [_mixture(seen, planned.get((str(phase), str(route)))) for route, seen in rows.groupby("route")]
        if all(part is not None for part in parts) and any(str(phase) == name for name, _ in planned):
            found[str(phase)] = mix([part for part in parts if part is not None])
    return found


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
