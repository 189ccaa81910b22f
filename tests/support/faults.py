"""Faults of an effect, from the share that they should have."""

from __future__ import annotations

from chaos.faults import AbortFault, DelayFault
from chaos.units import MILLION, Percent


def aborting(share: float, status: int = 503) -> AbortFault:
    return AbortFault(Percent(round(share * MILLION)), status)


def delaying(share: float, seconds: float) -> DelayFault:
    return DelayFault(Percent(round(share * MILLION)), seconds)
