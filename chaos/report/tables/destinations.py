"""Where forwarded requests went: each route's destinations with their shares, intervals and configured shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from chaos import formatting as words
from chaos.verify.interval import VAGUE, interval


@dataclass(frozen=True, slots=True)
class DestinationRow:
    """One destination of a route. `bar`, `low`, `high` and `mark` are positions in [0, 1]."""

    route: str
    destination: str
    count: str
    configured: str
    share: str
    interval: str
    bar: float
    low: float
    high: float
    mark: float | None


def destinations(
    table: pd.DataFrame, configured: Mapping[tuple[str, str], float], confidence: float
) -> tuple[DestinationRow, ...]:
    """Return a row for each destination that a route forwarded to or should have. `configured` is by route and
    destination."""
    made: list[DestinationRow] = []
    for route, rows in table[table["destination"] != ""].groupby("route", sort=False):
        counted = {str(name): int(count) for name, count in rows.groupby("destination")["count"].sum().items()}
        wanted = {name: share for (rule, name), share in configured.items() if rule == route}
        total = sum(counted.values())
        names = sorted({*counted, *wanted})
        made += [_row(str(route), name, counted.get(name, 0), total, wanted.get(name), confidence) for name in names]
    return tuple(made)


def _row(route: str, name: str, count: int, total: int, configured: float | None, confidence: float) -> DestinationRow:
    bounds = interval(VAGUE, count, total, 1 - confidence)
    return DestinationRow(
        route=route,
        destination=name,
        count=f"{words.count(count)} of {words.count(total)}",
        configured=words.NONE if configured is None else words.exact(configured, "share"),
        share=words.share(count / total, bounds.high - bounds.low),
        interval=words.interval((bounds.low, bounds.high), "share"),
        bar=count / total,
        low=bounds.low,
        high=bounds.high,
        mark=configured,
    )
