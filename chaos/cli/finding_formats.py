"""Problems of files in the forms that other programs read: SARIF 2.1.0, and annotations of a GitHub job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chaos.errors import Problem
from chaos.version import __version__

LEVELS = {"error": "error", "warning": "warning", "info": "note"}
"""Severities as SARIF has them."""
COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}
"""Severities as the workflow commands of GitHub Actions have them."""
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
ABOUT = "https://istio.io/latest/docs/reference/config/analysis/{}/"


def sarif(found: Mapping[str, Sequence[Problem]]) -> dict[str, Any]:
    """Return the problems as a SARIF log with one run."""
    problems = [problem for each in found.values() for problem in each]
    codes = sorted({problem.code for problem in problems if problem.code})
    driver = {"name": "chaos", "version": __version__, "rules": [_rule(code) for code in codes]}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": [_result(problem) for problem in problems]}],
    }


def _rule(code: str) -> dict[str, Any]:
    return {"id": code, **({"helpUri": ABOUT.format(code.lower())} if code.startswith("IST") else {})}


def _result(problem: Problem) -> dict[str, Any]:
    where = problem.location
    region = {"startLine": where.line, "startColumn": where.column or 1} if where.line else None
    place = {"artifactLocation": {"uri": where.file}, **({"region": region} if region else {})}
    return {
        **({"ruleId": problem.code} if problem.code else {}),
        "level": LEVELS[problem.severity],
        "message": {"text": _said(problem)},
        "locations": [{"physicalLocation": place}],
    }


def workflow_commands(problems: Sequence[Problem]) -> list[str]:
    """Return a workflow command for each problem, so that it is shown at its line of a pull request."""
    return [_annotation(problem) for problem in problems]


def _annotation(problem: Problem) -> str:
    where = problem.location
    place = {"file": where.file, "line": where.line or None, "col": where.column or None, "title": problem.code or None}
    properties = ",".join(f"{name}={_escaped(str(value), ':,')}" for name, value in place.items() if value)
    return f"::{COMMANDS[problem.severity]} {properties}::{_escaped(_said(problem))}"


def _said(problem: Problem) -> str:
    return f"{problem.path}: {problem.message}" if problem.path else problem.message


def _escaped(text: str, more: str = "") -> str:
    """Escape what ends a workflow command, or a property of one, early."""
    return "".join(f"%{ord(char):02X}" if char in f"%\r\n{more}" else char for char in text)
