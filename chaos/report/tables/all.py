"""The tables that several forms of a report show, made once."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from chaos.journal.result import Result
from chaos.report.data import frames
from chaos.report.data.behind import Behind
from chaos.report.data.expected import Injections, injections
from chaos.report.tables.latencies import LatencyGroup, latencies
from chaos.report.tables.statuses import StatusGroup, statuses


@dataclass(frozen=True)
class Tables:
    """`outcomes` has a row per outcome of the run (chaos/report/data/frames.py), `timed` has those apart that were as
    late as an injected delay that no tag tells of (chaos/report/data/behind.py); the others are ready text."""

    outcomes: pd.DataFrame
    timed: pd.DataFrame
    injections: Injections
    statuses: tuple[StatusGroup, ...]
    latencies: tuple[LatencyGroup, ...]

    @classmethod
    def of(cls, result: Result) -> Tables:
        """Make the tables; empty ones for a run without requests."""
        outcomes, planned, confidence = frames.outcomes(result), injections(result), result.plan.confidence
        if outcomes.empty:
            return cls(outcomes, outcomes, planned, (), ())
        timed = Behind.of(result).split(outcomes)
        return cls(outcomes, timed, planned, statuses(outcomes, planned, confidence), latencies(timed, confidence))
