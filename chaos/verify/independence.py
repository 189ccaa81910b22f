"""Whether each request is drawn independently of the request before it on the connection.

A share can be right while the draws are not: a gateway that draws once per connection faults all requests of half the
connections. Among neighbours on a connection, the share of faults after a fault and after none must then be equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chaos.verify.difference import Counts, allows, estimated
from chaos.verify.verdict import Verdict

TOLERANCE = 0.1
"""Ten points of dependence widen a share's scatter by a tenth; a single draw per connection is a hundred points."""


@dataclass(frozen=True, slots=True)
class Dependence:
    """`gap` is P(fault | fault before) - P(fault | no fault before): 0 for independent draws, 1 for one draw per
    connection."""

    after_clean: Counts
    after_fault: Counts
    gap: float
    verdict: Verdict


def dependence(pairs: Sequence[int], alpha: float) -> Dependence:
    """Assess neighbours on connections: the counts of [clean-clean, clean-faulted, faulted-clean, faulted-faulted]."""
    clean_clean, clean_fault, fault_clean, fault_fault = pairs
    after_clean = Counts(clean_fault, clean_clean + clean_fault)
    after_fault = Counts(fault_fault, fault_clean + fault_fault)
    return Dependence(
        after_clean, after_fault, estimated(after_clean, after_fault), _verdict(after_clean, after_fault, alpha)
    )


def _verdict(after_clean: Counts, after_fault: Counts, alpha: float) -> Verdict:
    if not after_clean.n or not after_fault.n:
        return Verdict.NO_TRAFFIC
    excluded = [not allows(after_clean, after_fault, gap, alpha) for gap in (-TOLERANCE, TOLERANCE)]
    if abs(estimated(after_clean, after_fault)) <= TOLERANCE:
        return Verdict.VERIFIED if all(excluded) else Verdict.INCONCLUSIVE
    side = estimated(after_clean, after_fault) > 0
    return Verdict.FALSIFIED if excluded[side] else Verdict.INCONCLUSIVE
