"""What users saw: the statuses of each phase and task with their shares, intervals and expected shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from chaos import formatting as words
from chaos.report.data import frames
from chaos.report.data.expected import Injections, status_shares
from chaos.verify.interval import VAGUE, interval


@dataclass(frozen=True, slots=True)
class StatusRow:
    """A status code, or a kind of failure without one. `bar`, `low`, `high` and `mark` are positions in [0, 1]."""

    status: str
    meaning: str
    tone: str
    how: str
    count: str
    share: str
    interval: str
    expected: str
    bar: float
    low: float
    high: float
    mark: float | None


@dataclass(frozen=True, slots=True)
class StatusGroup:
    """One phase and task."""

    phase: str
    task: str
    n: str
    rows: tuple[StatusRow, ...]


def statuses(table: pd.DataFrame, planned: Injections, confidence: float) -> tuple[StatusGroup, ...]:
    """Return every status that was seen or expected, per phase and task."""
    made = []
    for (phase, task), rows in table.groupby(["phase", "task"], sort=False):
        wanted, total = status_shares(rows, planned), int(rows["count"].sum())
        counted = {str(label): (int(seen["count"].sum()), _how(seen["group"])) for label, seen in rows.groupby("label")}
        labels = sorted({*counted, *wanted})
        shown = [_row(label, *counted.get(label, (0, "never seen")), total, wanted, confidence) for label in labels]
        made.append(StatusGroup(str(phase), str(task), words.count(total), tuple(shown)))
    return tuple(made)


def _row(label: str, count: int, how: str, total: int, wanted: Mapping[str, float], confidence: float) -> StatusRow:
    bounds = interval(VAGUE, count, total, 1 - confidence)
    mark = wanted.get(label)
    return StatusRow(
        status=label,
        meaning=frames.status_text(label),
        tone=frames.status_class(label).replace(" ", "-"),
        how=how,
        count=words.count(count),
        share=words.share(count / total, bounds.high - bounds.low),
        interval=words.interval((bounds.low, bounds.high), "share"),
        expected=words.NONE if mark is None else f"{words.significant(mark * 100, 4)}{words.THIN}%",
        bar=count / total,
        low=bounds.low,
        high=bounds.high,
        mark=mark,
    )


def _how(groups: pd.Series) -> str:
    return words.listed([group for group in frames.GROUPS if group in set(groups)])
