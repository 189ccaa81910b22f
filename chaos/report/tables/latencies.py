"""How long users waited: percentiles with their intervals, by phase, task and what happened to the request."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import pandas as pd

from chaos import formatting as words
from chaos.protocol.histogram import Histogram
from chaos.report.data import frames
from chaos.verify.quantile import Sample, Span, quantile_span

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """One kind of outcome. `quantiles` are (value, interval), in the order of QUANTILES."""

    group: str
    n: str
    mean: str
    quantiles: tuple[tuple[str, str], ...]
    maximum: str


@dataclass(frozen=True, slots=True)
class LatencyGroup:
    """One phase and task; without a task, the run as a whole."""

    phase: str
    task: str
    rows: tuple[LatencyRow, ...]


def latencies(table: pd.DataFrame, confidence: float) -> tuple[LatencyGroup, ...]:
    """Return a group per phase and task, with each kind of outcome and all together; at the end the whole run, when
    there are several."""
    made = []
    for (phase, task), rows in table.groupby(["phase", "task"], sort=False):
        made.append(LatencyGroup(str(phase), str(task), _rows(rows, confidence)))
    if len(made) > 1:
        everything = _row("all requests", frames.merged(table["latency"]), confidence)
        made.append(LatencyGroup("the run as a whole", "", (everything,)))
    return tuple(made)


def _rows(rows: pd.DataFrame, confidence: float) -> tuple[LatencyRow, ...]:
    by_group = {str(name): frames.merged(seen["latency"]) for name, seen in rows.groupby("group")}
    named = [(group, by_group[group]) for group in frames.GROUPS if group in by_group]
    if len(named) > 1:
        named.append(("all together", frames.merged(rows["latency"])))
    return tuple(_row(name, latency, confidence) for name, latency in named)


def _row(name: str, latency: Histogram, confidence: float) -> LatencyRow:
    values, sample = latency.quantiles(QUANTILES), Sample(latency.buckets())
    return LatencyRow(
        group=name,
        n=words.count(latency.total),
        mean=words.measured(latency.mean),
        quantiles=tuple(
            (words.measured(value), _bounds(quantile_span(sample, fraction, 1 - confidence)))
            for fraction, value in zip(QUANTILES, values, strict=True)
        ),
        maximum=words.measured(latency.maximum),
    )


def _bounds(span: Span) -> str:
    """Return the interval of a quantile in words; it has no end on a side where the sample is too small."""
    if span.low <= 0 or span.high == inf:
        return "too few"
    return f"{words.measured(span.low)} .. {words.measured(span.high)}"
