"""Delays that are injected between the application and what it calls, as its users see them.

Nobody tags those responses: which user's request met the delay is not known one by one. What is known is when delays
were on, and how long they were; so the requests that were at least as late are told apart by their latency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from chaos.faults import FaultKind
from chaos.journal.result import Result
from chaos.protocol.histogram import Histogram, bucket_of
from chaos.report.data import frames

EARLY = 0.995
"""The part of its delay after which a timer may be over: clocks of whole milliseconds."""


@dataclass(frozen=True, slots=True)
class Behind:
    """The shortest delay in seconds that applications' calls met, by phase."""

    delays: dict[str, float]

    @classmethod
    def of(cls, result: Result) -> Behind:
        """Return the delays of the rules that no task of the load takes itself, in the phases with faults."""
        delays: dict[str, float] = {}
        for rule in result.plan.rules:
            phase = str(rule.get("phase", ""))
            for fault in rule.get("faults") or () if rule.get("tasks") is None else ():
                seconds = float(fault["parameters"].get("seconds") or 0.0)
                if fault["kind"] == FaultKind.DELAY and fault["share"] and seconds:
                    delays[phase] = min(seconds, delays.get(phase, seconds))
        return cls(delays)

    def split(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the outcomes with those apart that were at least as late as such a delay, in the group LATE.

        A task that is as slow without any fault is left whole: its latency tells nothing of the delay."""
        telling = {
            (phase, task)
            for (phase, task), rows in table.groupby(["phase", "task"], sort=False)
            if phase in self.delays and self._tells(rows, table[table["task"] == task], self.delays[phase])
        }
        rows = [
            part
            for row in _records(table)
            for part in (_parts(row, self.delays[row["phase"]]) if (row["phase"], row["task"]) in telling else (row,))
        ]
        return pd.DataFrame(rows, columns=table.columns) if telling else table

    def _tells(self, rows: pd.DataFrame, of_task: pd.DataFrame, seconds: float) -> bool:
        calm = of_task[~of_task["phase"].isin((*self.delays, frames.BETWEEN, frames.SWITCHED))]
        return calm.empty or 2 * _late(calm, seconds) < _late(rows, seconds)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _late(rows: pd.DataFrame, seconds: float) -> float:
    """Return the share of these requests that took at least so long."""
    latency = frames.merged(rows["latency"])
    return _at_least(latency, seconds).total / max(latency.total, 1)


def _parts(row: dict[str, Any], seconds: float) -> tuple[dict[str, Any], ...]:
    latency: Histogram = row["latency"]
    late = _at_least(latency, seconds)
    if row["fault"] or not row["status"] or not late.total:
        return (row,)
    rest = Histogram({bucket: count for bucket, count in latency.counts.items() if bucket not in late.counts})
    apart = row | {"group": frames.LATE, "count": late.total, "latency": late, "due": None}
    return (row | {"count": rest.total, "latency": rest}, apart) if rest.total else (apart | {"due": row["due"]},)


def _at_least(latency: Histogram, seconds: float) -> Histogram:
    first = bucket_of(round(seconds * EARLY * 1e6))
    return Histogram({bucket: count for bucket, count in latency.counts.items() if bucket >= first})
