"""Say which failures the user's own hypotheses judge, so that no claim of ours judges them by another limit."""

from __future__ import annotations

from collections.abc import Iterable

from chaos.claims.hypotheses.measure import Expression, Measure

BOTH = ("failures", "successes")
"""Measures that count bad statuses and missing responses alike."""


def judge_failures(hypotheses: Iterable[Expression], phase: str) -> bool:
    """Return whether a hypothesis about this phase counts responses that say that something failed."""
    return any(each.metric in BOTH or _of_servers(each) for each in _measures(hypotheses, phase))


def judge_lost(hypotheses: Iterable[Expression], phase: str) -> bool:
    """Return whether a hypothesis about this phase counts requests without a response."""
    return any(each.metric in (*BOTH, "errors") for each in _measures(hypotheses, phase))


def _of_servers(measure: Measure) -> bool:
    """Return whether it is the share of a status that tells servers that work from servers that fail."""
    return measure.metric == "status" and measure.argument[:1] in ("2", "5")


def _measures(hypotheses: Iterable[Expression], phase: str) -> list[Measure]:
    sides = [side for each in hypotheses for side in (each.left, each.right)]
    return [side for side in sides if side is not None and side.phase in (None, phase)]
