"""The gateway's counters beside the users': what each rule decided, and how many responses carried its name."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from chaos import formatting as words
from chaos.faults import FaultKind, count_of
from chaos.journal.result import Result
from chaos.protocol.counters import RuleCounters

HEADINGS = (
    "Requests",
    *(kind.happened.capitalize() for kind in FaultKind),
    "Both" if len(FaultKind) == 2 else "Several",
    "Forwarded",
    "Upstream requests",
    "Seen by users",
)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    phase: str
    rule: str
    cells: tuple[str, ...]


def ledgers(result: Result, table: pd.DataFrame) -> tuple[LedgerRow, ...]:
    """Return the gateway's counters per phase and rule, beside the users' count of responses from the same route."""
    names = {each.rule: each.rule_name for each in result.findings if each.rule}
    names |= {str(rule.get("key")): str(rule.get("name")) for rule in result.plan.rules if rule.get("name")}
    seen = table.groupby(["phase", "route"])["count"].sum().to_dict()
    made = []
    for phase, counted in (result.counters["phases"] if result.counters else {}).items():
        for rule, counts in counted.items():
            cells = [words.count(number) for number in _numbers(counts)]
            name = names.get(rule, rule)
            found = seen.get((phase, name))
            made.append(LedgerRow(phase, name, (*cells, words.count(found) if found is not None else words.NONE)))
    return tuple(made)


def _numbers(counts: RuleCounters) -> tuple[int, ...]:
    faults = counts["faults"]
    return (
        counts["requests"],
        *(count_of(kind, faults) for kind in FaultKind),
        sum(count for tag, count in faults.items() if "," in tag),
        counts["forwarded"],
        counts["upstream_requests"],
    )
