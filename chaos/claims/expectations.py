"""List the claims that follow from the rules: of each phase as a whole, then for each thing that a rule does to the
requests that reach it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from chaos.claims.effects import PhaseEffects
from chaos.claims.expectation import WITH_LOG, WITHOUT_GATEWAY, Expectation
from chaos.claims.kinds import KINDS
from chaos.claims.kinds.connections import ConnectionsClaim
from chaos.claims.policing import never_forwarded
from chaos.verify.claim import CERTAIN_TOLERANCE, DEFAULT_TOLERANCE


def expectations(
    phases: Iterable[PhaseEffects],
    *,
    tolerance: float = DEFAULT_TOLERANCE,
    certain: float = CERTAIN_TOLERANCE,
    tagged: bool = True,
    logged: bool = False,
) -> tuple[Expectation, ...]:
    """Return every claim that follows from the rules in each phase.

    `tolerance` is that of a share, `certain` that of never and always; both are proportions. `tagged` False is for a
    gateway that does not say what it did: what does not show in a response is unseen, unless an access log shows it
    (`logged`)."""
    made = (
        replace(
            claim,
            phase=phase.name,
            tagged=tagged,
            certain=certain,
            policies=phase.policies,
            id=f"{phase.name}:{claim.id}" if phase.name else claim.id,
        )
        for phase in phases
        for claim in _claims(phase, tolerance)
    )
    return tuple(made if tagged else (_from_outside(claim, logged) for claim in made))


def _claims(phase: PhaseEffects, tolerance: float) -> Iterator[Expectation]:
    for kind in KINDS:
        yield from kind.of_phase(phase)
    for policy in phase.policies:
        for kind in KINDS:
            yield from kind.of_policy(policy, phase, tolerance)
    for effect in phase.effects:
        if effect.tasks and all(never_forwarded(phase.policies, task) for task in effect.tasks):
            continue
        for kind in KINDS:
            yield from kind.of(effect, phase.faults, tolerance)
    yield from ConnectionsClaim.of_connections(phase, tolerance)


def _from_outside(claim: Expectation, logged: bool) -> Expectation:
    of_load = claim.tasks is not None or claim.of_whole_phase
    reason = claim.hidden if of_load else "its requests are not the load's own"
    shown = claim.logged and of_load
    if claim.unseen or not reason or (shown and logged):
        return claim
    way_out = WITH_LOG if shown else WITHOUT_GATEWAY
    return replace(claim, unseen=f"cannot be seen from outside, as {reason}; {way_out}")
