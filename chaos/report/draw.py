"""Which figures a report has, drawn from a result."""

from __future__ import annotations

import pandas as pd

from chaos.journal.result import Result
from chaos.report import expected, frames
from chaos.report.figures.convergence import convergence
from chaos.report.figures.latency import distribution, percentiles
from chaos.report.figures.model import Drawing
from chaos.report.figures.timeline import timeline
from chaos.report.latency import Shape, mix
from chaos.report.style import styled


def drawings(result: Result) -> dict[str, Drawing | None]:
    """By name; None where there was nothing to draw."""
    table = frames.outcomes(result)
    with styled():
        made = {"convergence": convergence(result.findings, result.history), "timeline": timeline(result)}
        return made | (_latency(result, table) if len(table) else {"latency": None, "percentiles": None})


def _latency(result: Result, table: pd.DataFrame) -> dict[str, Drawing | None]:
    predicted = expected.mixtures(table, expected.injections(result))
    whole = mix(list(predicted.values())) if set(predicted) == set(table["phase"]) else None
    return {
        "latency": distribution(table, predicted),
        "percentiles": percentiles(percentile_lines(table), whole, _due(table)),
    }


def percentile_lines(table: pd.DataFrame) -> list[tuple[str, Shape]]:
    """One line per phase, or per task of a single phase; with one of each, all requests and each kind of outcome."""
    for column in ("phase", "task"):
        if table[column].nunique() > 1:
            return _grouped(table, column)
    lines = [("all requests", Shape.of(frames.merged(table["latency"])))]
    return lines + (_grouped(table, "group") if table["group"].nunique() > 1 else [])


def _grouped(table: pd.DataFrame, column: str) -> list[tuple[str, Shape]]:
    return [(str(name), Shape.of(frames.merged(rows["latency"]))) for name, rows in table.groupby(column, sort=False)]


def _due(table: pd.DataFrame) -> Shape | None:
    due = frames.merged(table["due"])
    return Shape.of(due) if due.counts else None
