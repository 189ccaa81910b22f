"""What an expression measures, taken from the ledgers: counts for shares, latencies for quantiles."""

from __future__ import annotations

from math import inf

from chaos.claims.finding import Tally
from chaos.claims.hypotheses.expression import Measure
from chaos.claims.observations import Observed, Outcome
from chaos.protocol.digest import failed
from chaos.verify.quantile import Sample


def concerns(measure: Measure, outcome: Outcome) -> bool:
    """Whether an outcome is of the measure's phase and task."""
    return (measure.phase is None or outcome.phase == measure.phase) and (
        measure.task is None or outcome.task == measure.task
    )


def share_of(measure: Measure, observed: Observed) -> Tally:
    """k of n for a measure whose unit is a share."""
    return observed.tally(lambda outcome: _has(measure, outcome) if concerns(measure, outcome) else None)


def latencies_of(measure: Measure, observed: Observed) -> Sample:
    """Latencies, in seconds; a request without an answer has waited for ever."""
    answered = observed.sample(lambda outcome: concerns(measure, outcome) and outcome.status != 0)
    lost = observed.tally(lambda outcome: outcome.status == 0 if concerns(measure, outcome) else None).k
    return Sample([*answered.buckets, (inf, inf, lost)]) if lost else answered


def _has(measure: Measure, outcome: Outcome) -> bool:
    match measure.metric:
        case "failures":
            return failed(outcome.status)
        case "successes":
            return not failed(outcome.status)
        case "errors":
            return outcome.status == 0
        case "aborted":
            return "abort" in outcome.fault
        case "delayed":
            return "delay" in outcome.fault
        case _:
            wanted = measure.argument
            return outcome.status == int(wanted) if wanted.isdigit() else outcome.status // 100 == int(wanted[0])
