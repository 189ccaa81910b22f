"""Destinations that a rule sends requests to although no endpoint is behind them: worth saying before a run does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chaos.claims.effects import PhaseEffects, forwards, short
from chaos.errors import Location, Problem
from chaos.mesh.compile.rules import Rules


def nothing_behind(rules: Rules, phases: Iterable[PhaseEffects], file: str) -> list[Problem]:
    """Return a warning for each destination without endpoints of a rule that the run's requests take."""
    forwarding = {
        each.key
        for phase in phases
        for each in phase.effects
        if each.reply is None and each.key and forwards(each, phase.faults)
    }
    return list(dict.fromkeys(_of(rules, forwarding, file)))


def _of(rules: Rules, keys: set[str], file: str) -> Iterator[Problem]:
    for info in rules.rules:
        for destination in info.destinations if info.key in keys else ():
            if destination.known and destination.share > 0 and not destination.endpoints:
                message = (
                    f"{info.name}: {short(destination.name)} has no endpoint, so what is sent there is answered "
                    "with 503 (no healthy upstream, UH); give spec.services an entry for it"
                )
                yield Problem(info.location or Location(file), "", message, "warning", "no-endpoints")
