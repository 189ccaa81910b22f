"""Draw all figures of a report from its result."""

from __future__ import annotations

import pandas as pd

from chaos.journal.result import Result
from chaos.report.data import expected, frames
from chaos.report.data.latency import Shape
from chaos.report.figures.convergence import convergence
from chaos.report.figures.distribution import distribution
from chaos.report.figures.model import Drawing
from chaos.report.figures.percentiles import Group, Line, percentiles
from chaos.report.figures.search import search
from chaos.report.figures.statuses import statuses_over_time
from chaos.report.figures.style import styled
from chaos.report.figures.tasks import busiest, left_out
from chaos.report.figures.timeline import timeline
from chaos.report.tables.all import Tables


def drawings(result: Result, tables: Tables) -> dict[str, Drawing | None]:
    """Return the figures by name; None where there is nothing to draw."""
    seen = len(tables.outcomes) > 0
    with styled():
        made = {
            "search": search(result.findings),
            "convergence": convergence(result.findings, result.history),
            "timeline": timeline(result),
            "statuses": statuses_over_time(result, frames.within_phases(tables.outcomes)) if seen else None,
        }
        return made | (_latency(tables) if seen else {"latency": None, "percentiles": None})


def _latency(tables: Tables) -> dict[str, Drawing | None]:
    table = frames.within_phases(tables.timed)
    predicted = expected.mixtures(frames.within_phases(tables.outcomes), tables.injections)
    groups = percentile_groups(table, predicted)
    return {"latency": distribution(table, predicted), "percentiles": percentiles(groups, left_out(table))}


def percentile_groups(table: pd.DataFrame, predicted: dict[tuple[str, str], Shape]) -> list[Group]:
    """Return the lines of each task: one per phase or, in a single phase, one for all its requests and one per kind of
    outcome."""
    several = table["phase"].nunique() > 1
    made = []
    for task in busiest(table):
        rows = table[table["task"] == task]
        lines = _grouped(rows, "phase") if several else _kinds(rows)
        whole = None if several else predicted.get((str(rows["phase"].iloc[0]), task))
        made.append(Group(lines, whole, task if table["task"].nunique() > 1 else ""))
    return made


def _kinds(rows: pd.DataFrame) -> list[Line]:
    kinds = _grouped(rows, "group") if rows["group"].nunique() > 1 else []
    return [_line("all requests", rows), *(Line(kind.name, kind.shape) for kind in kinds)]


def _grouped(table: pd.DataFrame, column: str) -> list[Line]:
    return [_line(str(name), rows) for name, rows in table.groupby(column, sort=False)]


def _line(name: str, rows: pd.DataFrame) -> Line:
    due = frames.merged(rows["due"])
    return Line(name, Shape.of(frames.merged(rows["latency"])), Shape.of(due) if due.counts else None)
