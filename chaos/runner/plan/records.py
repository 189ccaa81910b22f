"""Make the parts of the journal's first record, as plain values: expectations, notes, the environment."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from typing import Any

from chaos.claims.expectation import Expectation
from chaos.errors import Problem
from chaos.protocol.plan_record import ExpectationRecord, NoteRecord
from chaos.version import __version__


def environment() -> dict[str, Any]:
    """Return versions and the machine, for the report."""
    return {
        "chaos": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "host": platform.node(),
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


def note_json(problem: Problem, redact: Callable[[str], str] = str) -> NoteRecord:
    return {
        "severity": problem.severity,
        "where": str(problem.location),
        "path": problem.path,
        "message": redact(problem.message),
        "code": problem.code,
    }
