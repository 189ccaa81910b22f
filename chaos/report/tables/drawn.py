"""What the gateway drew, in the unit of the claim: a share of requests or, of an added delay, how long it was."""

from __future__ import annotations

from chaos import formatting as words
from chaos.claims import shown
from chaos.claims.finding import Finding
from chaos.faults import FaultKind, count_of
from chaos.protocol.counters import GatewayCounters


def drawn(finding: Finding, counters: GatewayCounters | None) -> tuple[str, str]:
    """Return what was drawn and, in words, of how many requests; a dash and nothing where the gateway did not say."""
    if finding.drawn is None:
        return words.NONE, ""
    if finding.unit != "seconds":
        return words.share(finding.drawn.share, words.spread(finding.interval)), shown.tally(finding.drawn)
    seconds = _mean_delay(finding, counters)
    return (
        (words.NONE, "") if seconds is None else (words.exact(seconds, "seconds"), f"for {shown.tally(finding.drawn)}")
    )


def _mean_delay(finding: Finding, counters: GatewayCounters | None) -> float | None:
    """Return the mean of the delays that the gateway drew for the finding's rule; None without any."""
    counted = counters["phases"].get(finding.phase, {}).get(finding.rule) if counters else None
    delayed = count_of(FaultKind.DELAY, counted["faults"]) if counted else 0
    return counted["delay_seconds"] / delayed if counted and delayed and counted["delay_seconds"] else None
