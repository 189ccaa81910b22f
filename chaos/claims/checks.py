"""Tell how many responses were not what their tasks expect (`expect`), and in which part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from chaos.claims.observations import Outcome
from chaos.formatting import count as thousands
from chaos.formatting import plural
from chaos.protocol.digest import NO_RESPONSE, PASSED

WORDS = {NO_RESPONSE: "no response"}


def failed_checks(outcomes: Iterable[tuple[Outcome, int]]) -> dict[str, Counter[str]]:
    """Return how many requests of each task failed at each part of `expect`; only tasks with failures."""
    found: dict[str, Counter[str]] = {}
    for outcome, count in outcomes:
        if outcome.check not in ("", PASSED):
            found.setdefault(outcome.task, Counter())[outcome.check] += count
    return dict(sorted(found.items()))


def told_of_checks(outcomes: Iterable[tuple[Outcome, int]]) -> Iterator[str]:
    """Yield a sentence for each task of which checks failed."""
    outcomes = list(outcomes)
    for task, parts in failed_checks(outcomes).items():
        total = sum(count for outcome, count in outcomes if outcome.check and outcome.task == task)
        where = ", ".join(f"{WORDS.get(part, part)} {thousands(count)}" for part, count in parts.most_common())
        failed = thousands(sum(parts.values()))
        yield f"{task}: {failed} of {plural(total, 'request')} failed their checks ({where})"
