"""List the claims that follow from the rules, for each thing that a rule does to the requests that reach it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from chaos.claims.effects import PhaseEffects
from chaos.claims.expectation import Expectation
from chaos.claims.kinds import KINDS
from chaos.verify.claim import DEFAULT_TOLERANCE


def expectations(
    phases: Iterable[PhaseEffects], *, tolerance: float = DEFAULT_TOLERANCE, tagged: bool = True
) -> tuple[Expectation, ...]:
    """Return every claim that follows from the rules in each phase.

    `tagged` is False for a gateway that sends no tags: then only claims that responses alone can show are made."""
    made = [
        replace(claim, phase=phase.name, tagged=tagged, id=f"{phase.name}:{claim.id}" if phase.name else claim.id)
        for phase in phases
        for effect in phase.effects
        for kind in KINDS
        for claim in kind.of(effect, phase.faults, tolerance)
    ]
    return tuple(made if tagged else (each for each in made if each.visible and each.tasks is not None))
