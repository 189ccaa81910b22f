"""The outcome of tests as plain values for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from chaos.errors import Location
from chaos.route_tests.coverage import Coverage
from chaos.route_tests.judge import Outcome


def record(outcomes: Sequence[Outcome], coverage: Coverage, notes: Sequence[str]) -> dict[str, Any]:
    """Return every test, and the match entries that none reaches."""
    passed = sum(each.passed for each in outcomes)
    return {
        "tests": [_outcome(each) for each in outcomes],
        "passed": passed,
        "failed": len(outcomes) - passed,
        "coverage": {
            "total": coverage.total,
            "reached": coverage.reached,
            "percent": coverage.percent,
            "unreached": [
                {"rule": each.rule, "entry": each.entry, **_place(each.location), "reason": each.reason}
                for each in coverage.unreached
            ],
        },
        "notes": list(notes),
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    """Return one test; with the whole explanation if it fails."""
    case, rule = outcome.case, outcome.answer.rule
    return {
        "name": case.name,
        **_place(case.location),
        "request": case.line,
        "headers": dict(case.headers),
        "passed": outcome.passed,
        "rule": rule.rule.name if rule is not None else None,
        "differences": [asdict(each) for each in outcome.differences],
        "explanation": None if outcome.passed else outcome.answer.explanation.to_dict(),
    }


def _place(location: Location) -> dict[str, Any]:
    return {"file": location.file, "line": location.line, "column": location.column}
