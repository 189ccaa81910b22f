"""Compile the rules of each phase: the experiment's own, those of other files, or its own at another fault level."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chaos.claims.hypotheses.fault_levels import Values, as_text, at_level, istio_values
from chaos.claims.hypotheses.search import Quantity
from chaos.errors import InvalidInput
from chaos.experiment.read import read_experiment
from chaos.experiment.services import proxy_of
from chaos.mesh.check.report import refusals
from chaos.mesh.compile.rules import Rules, compile_rules
from chaos.mesh.source.document import Path
from chaos.runner.plan.checked import Prepared
from chaos.runner.plan.files import beside, read_text
from chaos.runner.plan.gateway_rules import with_documents
from chaos.runner.plan.phases import RunPhase


@dataclass(frozen=True, slots=True, eq=False)
class PhaseRules:
    """A phase and the rules in force during it."""

    phase: RunPhase
    rules: Rules


def own_values(prepared: Prepared) -> Values:
    """Return the experiment's Istio documents."""
    return istio_values(document.value for file in prepared.reading.files for document in file)


def with_rules(prepared: Prepared, phase: RunPhase, own: Rules, at: Path) -> PhaseRules:
    """Return the phase with its text and rules. `own` are the experiment's rules, `at` the field that problems point
    at. Raises InvalidInput."""
    if not phase.rules and phase.vary is None:
        return PhaseRules(phase, own)
    values = _of_files(prepared, phase.rules) if phase.rules else own_values(prepared)
    if phase.vary is not None:
        try:
            values = at_level(values, Quantity.parse(phase.vary[0]), phase.vary[1])
        except ValueError as error:
            raise InvalidInput([prepared.reading.problem(at, str(error))]) from None
    text = as_text(values)
    checked = with_documents(prepared, text, file=f"phase {phase.name}").require()
    rules = compile_rules(checked.reading.resources, checked.registry(), proxy_of(prepared.reading))
    return PhaseRules(replace(phase, text=text), rules)


def _of_files(prepared: Prepared, names: tuple[str, ...]) -> Values:
    """Return the files' Istio documents. Raises InvalidInput that points at the lines of these files."""
    paths = [beside(prepared.reading.file, name) for name in names]
    reading = read_experiment([(path, read_text(path)) for path in paths])
    refused = [*reading.errors, *refusals(reading.resources)]
    if refused:
        raise InvalidInput(refused)
    return istio_values(document.value for file in reading.files for document in file)
