"""Take a measure's values from the observed ledger: counts for shares, latencies for quantiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf

from chaos.claims.finding import Tally
from chaos.claims.hypotheses.measure import Measure
from chaos.claims.observations import EARLY, Observed, Outcome
from chaos.faults import FaultKind
from chaos.protocol.digest import ANY_TASK, BY_HAND, PASSED
from chaos.statuses import failed, of_grpc_name, shown
from chaos.verify.quantile import Sample


@dataclass(frozen=True, slots=True)
class Share:
    """A share of requests: those for which `has` is true, and what happened to them, for sentences (`done`). Only the
    gateway's tags reveal a `fault`, so that requests without a response are unknown. It is one `of` the requests for
    which that is true."""

    has: Callable[[Outcome], bool]
    done: str
    fault: str = ""
    of: Callable[[Outcome], bool] = lambda outcome: True


def _faulted(kind: FaultKind) -> Share:
    def has(outcome: Outcome) -> bool:
        return kind in outcome.fault and not (kind is FaultKind.DELAY and EARLY in outcome.fault)

    return Share(has, f"were {kind.happened}", kind.value)


def _is_checked(outcome: Outcome) -> bool:
    return outcome.check != ""


def _check_failed(outcome: Outcome) -> bool:
    return outcome.check not in ("", PASSED)


CHECKS = ("checks_failed", "checks_succeeded")
"""The shares, in k6's words, of responses to tasks with `expect`."""

SHARES: Mapping[str, Share] = {
    "failures": Share(lambda outcome: failed(outcome.status), "failed"),
    "errors": Share(lambda outcome: outcome.status == 0, "had no response"),
    "successes": Share(lambda outcome: not failed(outcome.status), "ended well"),
    "checks_failed": Share(_check_failed, "failed their checks", of=_is_checked),
    "checks_succeeded": Share(lambda outcome: not _check_failed(outcome), "passed their checks", of=_is_checked),
    **{kind.happened: _faulted(kind) for kind in sorted(FaultKind)},
}


def concerns(measure: Measure, outcome: Outcome) -> bool:
    """Return whether an outcome is of the measure's phase and task. Without a phase, all but those while somebody had
    switched the faults."""
    if not _in_phase(measure, outcome.phase) or measure.task not in (None, outcome.task):
        return False
    share = SHARES.get(measure.metric)
    return share is None or share.of(outcome)


def _in_phase(measure: Measure, phase: str) -> bool:
    return phase != BY_HAND if measure.phase is None else phase == measure.phase


def share_of(measure: Measure, observed: Observed) -> Tally:
    """Return k of n for a measure whose unit is a share."""
    return observed.tally(lambda outcome: has(measure, outcome) if concerns(measure, outcome) else None)


def latencies_of(measure: Measure, observed: Observed) -> Sample:
    """Return the latencies, in seconds; a request without a response counts as infinitely slow."""
    answered = observed.sample(lambda outcome: concerns(measure, outcome) and outcome.status != 0)
    lost = lost_of(measure, observed)
    return Sample([*answered.buckets, (inf, inf, lost)]) if lost else answered


def has(measure: Measure, outcome: Outcome) -> bool:
    """Return whether an outcome is one that the share counts."""
    share = SHARES.get(measure.metric)
    if share is not None:
        return share.has(outcome)
    wanted, grpc = measure.argument, of_grpc_name(measure.argument)
    if grpc is not None:
        return outcome.status == grpc
    return outcome.status == int(wanted) if wanted.isdigit() else outcome.status // 100 == int(wanted[0])


def lost_of(measure: Measure, observed: Observed) -> int:
    """Return how many of the measure's requests had no response."""
    return observed.tally(lambda outcome: outcome.status == 0 if concerns(measure, outcome) else None).k


def pending_of(measure: Measure, observed: Observed) -> int:
    """Return how many requests of the measure are in flight, or may be of it: nobody knows yet how they end."""
    return sum(
        max(0, count)
        for (phase, task), count in observed.pending.items()
        if _in_phase(measure, phase) and (measure.task is None or task in (measure.task, ANY_TASK))
    )


def done(measure: Measure) -> str:
    """Return what happened to the requests that a share counts, for sentences: `failed`."""
    share = SHARES.get(measure.metric)
    if share is not None:
        return share.done
    grpc = of_grpc_name(measure.argument)
    return f"were answered with {measure.argument if grpc is None else shown(grpc)}"
