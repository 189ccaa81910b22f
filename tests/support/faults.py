"""Faults of an effect, from the share that they should have; and each kind as a file has it."""

from __future__ import annotations

from chaos.faults import AbortFault, DelayFault, FaultKind
from chaos.units import MILLION, Percent

PARAMETERS = {FaultKind.DELAY: "fixedDelay: 50ms", FaultKind.ABORT: "httpStatus: 418"}
"""What a rule's fault of a kind says beside its percentage; empty for a kind that needs nothing."""


def written(kind: FaultKind, percent: float = 100) -> str:
    """The fault of a rule, as YAML."""
    told = ", ".join(part for part in (f"percentage: {{value: {percent}}}", PARAMETERS[kind]) if part)
    return f"{{{kind}: {{{told}}}}}"


def aborting(share: float, status: int = 503) -> AbortFault:
    return AbortFault(Percent(round(share * MILLION)), status)


def delaying(share: float, seconds: float) -> DelayFault:
    return DelayFault(Percent(round(share * MILLION)), seconds)
