"""Why an expression cannot be judged by what is known of a run's requests, although the gateway is one of ours."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from chaos.claims.hypotheses.measure import Expression, Measure
from chaos.claims.hypotheses.measures import metric_of
from chaos.claims.hypotheses.observed_values import SHARES
from chaos.formatting import listed

Unseen = Callable[[Expression], str]
"""Returns why an expression is not judged, empty if it is."""


def nothing(expression: Expression) -> str:
    """Return that every expression can be judged."""
    return ""


def behind(applications: Collection[str]) -> Unseen:
    """Return what says why the share of aborted or delayed requests is unknown, where any of them go to an application,
    as those of these tasks do: its own responses have no tag, whatever its calls met."""

    def reason(expression: Expression) -> str:
        sides = [side for side in _sides(expression) if _by_tag(side)]
        named = [task for task in sorted(applications) if any(side.task in (None, task) for side in sides)]
        if not named:
            return ""
        return (
            f"requests of {listed(named)} go to an application itself, whose responses do not say which faults its "
            "calls met; failures, status and masked can be judged"
        )

    return reason


def uncounted(expression: Expression) -> str:
    """Return why what a gateway counts is not judged where nobody counts it."""
    if not any(metric_of(side).hidden for side in _sides(expression)):
        return ""
    return "nobody counts the calls in a mesh, nor says which of them met a fault"


def either(first: Unseen, second: Unseen) -> Unseen:
    """Return what says the first reason that there is."""
    return lambda expression: first(expression) or second(expression)


def without_ids(expression: Expression) -> str:
    """Return why what follows single requests is not judged in a test, whose client does the requests itself."""
    if not any(metric_of(side).followed for side in _sides(expression)):
        return ""
    return (
        "which of the test's own requests met an abort is unknown, as they are not followed by their id; `chaos run` "
        "follows those of its load"
    )


def _sides(expression: Expression) -> Iterator[Measure]:
    yield from (side for side in (expression.left, expression.right) if side is not None)


def _by_tag(measure: Measure) -> bool:
    share = SHARES.get(measure.metric)
    return share is not None and share.fault != ""
