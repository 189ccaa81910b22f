"""What the journal's first line tells of the plan, as plain values: effects, expectations, notes, the surroundings."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict
from typing import Any, cast

from chaos.claims.effects import Effect, PhaseEffects
from chaos.claims.expectation import Expectation
from chaos.claims.expected_outcomes import ExpectedOutcome, expected_outcomes
from chaos.claims.judge.forecast import PlanLine
from chaos.errors import Problem
from chaos.protocol.plan_record import ExpectationRecord, NoteRecord, OutcomeRecord, RuleEffect
from chaos.version import __version__


def environment() -> dict[str, Any]:
    """Where the run takes place, for the report."""
    return {
        "chaos": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "host": platform.node(),
    }


def effect_json(phase: PhaseEffects, effect: Effect) -> RuleEffect:
    return {
        "phase": phase.name,
        "key": effect.key,
        "name": effect.name,
        "where": effect.where,
        "tasks": list(effect.tasks) if effect.tasks is not None else None,
        "abort": effect.abort_share if phase.faults else None,
        "abort_status": effect.abort_status,
        "delay": effect.delay_share if phase.faults else None,
        "delay_seconds": effect.delay,
        "destinations": list(effect.destinations),
        "mirrors": list(effect.mirrors),
        "timeout": effect.timeout,
        "reply": effect.reply,
        "reply_status": effect.reply_status,
        "outcomes": [_outcome(each) for each in expected_outcomes(effect, faults=phase.faults)],
    }


def _outcome(outcome: ExpectedOutcome) -> OutcomeRecord:
    return cast(OutcomeRecord, asdict(outcome))


def claim_json(line: PlanLine) -> dict[str, Any]:
    expectation = line.expectation
    about = " ".join(part for part in (expectation.phase, expectation.rule_name or expectation.task) if part)
    return {
        "id": expectation.id,
        "title": f"{about}  {expectation.title}".strip(),
        "share": line.share,
        "median": line.median,
        "nine_in_ten": line.nine_in_ten,
        "deviation": line.deviation,
    }


def expectation_json(expectation: Expectation) -> ExpectationRecord:
    return {
        "id": expectation.id,
        "kind": expectation.kind,
        "title": expectation.title,
        "rule": expectation.rule,
        "rule_name": expectation.rule_name,
        "where": expectation.where,
        "phase": expectation.phase,
        "tasks": list(expectation.tasks) if expectation.tasks is not None else None,
        "share": expectation.share,
        "tolerance": expectation.tolerance,
    }


def note_json(problem: Problem) -> NoteRecord:
    return {
        "severity": problem.severity,
        "where": str(problem.location),
        "path": problem.path,
        "message": problem.message,
        "code": problem.code,
    }
