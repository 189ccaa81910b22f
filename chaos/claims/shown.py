"""Format a finding's numbers: the columns that JUnit, Markdown and reports share."""

from __future__ import annotations

from chaos.claims.finding import Finding, Tally
from chaos.claims.kinds import BY_NAME
from chaos.formatting import NONE, THIN, count, edge, exact, quantity, significant, spread


def configured(finding: Finding) -> str:
    """Return the claimed value, as `50 %` or `below 5 %`."""
    if finding.configured is None:
        return NONE
    value = _configured_value(finding)
    if finding.sense == "below":
        return f"below {value}"
    if finding.sense == "above":
        return f"above {value}"
    return value


def _configured_value(finding: Finding) -> str:
    value = finding.configured or 0.0
    kind = BY_NAME.get(finding.kind)
    if kind is not None and kind.measured_target:  # its digits end where its tolerance does
        return edge(value, finding.tolerance, finding.unit)
    return exact(value, finding.unit)


def tolerance(finding: Finding) -> str:
    """Return `\u00b1 2 points` or `\u00b1 150 ms`; empty for a claim with one side."""
    if finding.tolerance is None or finding.sense != "within":
        return ""
    if finding.unit == "share":
        size = significant(finding.tolerance * 100, 3)
        return f"\u00b1{THIN}{size} point" + ("" if size == "1" else "s")
    return f"\u00b1{THIN}{exact(finding.tolerance, finding.unit)}"


def tally(value: Tally | None) -> str:
    """Return `7 012 of 14 000`."""
    return NONE if value is None else f"{count(value.k)} of {count(value.n)}"


def estimate(finding: Finding) -> str:
    """Return the measured value, with the digits that its interval supports."""
    return quantity(finding.estimate, finding.unit, spread(finding.interval))
