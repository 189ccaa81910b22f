"""Draw all figures of a report from its result."""

from __future__ import annotations

import pandas as pd

from chaos.journal.result import Result
from chaos.report.data import expected, frames
from chaos.report.data.latency import Shape, mix
from chaos.report.figures.convergence import convergence
from chaos.report.figures.latency import Line, distribution, percentiles
from chaos.report.figures.model import Drawing
from chaos.report.figures.search import search
from chaos.report.figures.style import styled
from chaos.report.figures.timeline import timeline
from chaos.report.tables.all import Tables


def drawings(result: Result, tables: Tables) -> dict[str, Drawing | None]:
    """Return the figures by name; None where there is nothing to draw."""
    with styled():
        made = {
            "search": search(result.findings),
            "convergence": convergence(result.findings, result.history),
            "timeline": timeline(result),
        }
        return made | (_latency(tables) if len(tables.outcomes) else {"latency": None, "percentiles": None})


def _latency(tables: Tables) -> dict[str, Drawing | None]:
    table = frames.within_phases(tables.outcomes)
    predicted = expected.mixtures(table, tables.injections)
    whole = mix(list(predicted.values())) if set(predicted) == set(table["phase"]) and len(predicted) == 1 else None
    return {"latency": distribution(table, predicted), "percentiles": percentiles(percentile_lines(table), whole)}


def percentile_lines(table: pd.DataFrame) -> list[Line]:
    """Return one line per phase, or per task of a single phase; with one of each, a line for all requests and one per
    kind of outcome."""
    for column in ("phase", "task"):
        if table[column].nunique() > 1:
            return _grouped(table, column)
    lines = [_line("all requests", table)]
    return lines + (_grouped(table, "group") if table["group"].nunique() > 1 else [])


def _grouped(table: pd.DataFrame, column: str) -> list[Line]:
    return [_line(str(name), rows) for name, rows in table.groupby(column, sort=False)]


def _line(name: str, rows: pd.DataFrame) -> Line:
    due = frames.merged(rows["due"])
    return Line(name, Shape.of(frames.merged(rows["latency"])), Shape.of(due) if due.counts else None)
