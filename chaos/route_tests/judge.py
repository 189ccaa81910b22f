"""Put the request of a test to the rules, and say whether it passes."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.mesh.explain.asking import explain
from chaos.mesh.explain.explanation import Considered
from chaos.route_tests.answer import Answer, Difference, Subject
from chaos.route_tests.cases import Case
from chaos.route_tests.destinations import assumed


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """One test and what came of it; it passes if nothing is different. `notes` name what was assumed."""

    case: Case
    answer: Answer
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.differences

    @property
    def taken(self) -> Considered | None:
        """The match entry that took the request, or None."""
        return next((each for each in self.answer.explanation.considered if each.taken), None)


def judge(case: Case, subject: Subject) -> Outcome:
    """Return what comes of a test with these rules."""
    explanation = explain(subject.rules, case.request)
    rule = subject.effective(explanation.rule.key) if explanation.rule is not None else None
    answer = Answer(subject, explanation, rule)
    return Outcome(case, answer, tuple(case.compare(answer)), (*subject.notes, *assumed(answer)))
