"""The planned load beside the delivered one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chaos import formatting as words
from chaos.journal.result import Result
from chaos.protocol.worker_messages import WorkerRecord
from chaos.report.data import frames

FEW_WORKERS = 16
BUSY = 0.9  # share of a core from which a load process is short of CPU


@dataclass(frozen=True, slots=True)
class LoadRow:
    what: str
    planned: str
    delivered: str
    note: str = ""


def load(result: Result) -> tuple[LoadRow, ...]:
    """Return the rows of the table."""
    plan, got = result.plan.load, result.delivered
    rate = plan.get("arrival_rate")
    arrivals = "Poisson arrivals" if plan.get("arrivals") == "poisson" else "arrival rate"
    errors = sum(got.errors.values())
    causes = ", ".join(f"{words.count(count)} {frames.status_text(kind)}" for kind, count in sorted(got.errors.items()))
    rows = [
        *_warm_up(result),
        LoadRow(
            "Users",
            words.count(plan["users"]) if plan.get("users") else words.NONE,
            f"{words.count(got.peak_users)} at most",
        ),
        LoadRow(
            "Requests",
            words.count(plan["requests"]) if plan.get("requests") else _otherwise(plan),
            words.count(got.requests),
        ),
        LoadRow(
            "Duration",
            words.seconds(plan["duration"]) if plan.get("duration") else _otherwise(plan),
            words.seconds(got.seconds),
        ),
        LoadRow(
            "Requests per second",
            f"{words.short_count(rate)} ({arrivals})" if rate else "as fast as responses come",
            words.short_count(got.rate),
            _rate_note(rate, got.rate),
        ),
        LoadRow("Requests without a response", "0", words.count(errors), causes),
        *_checks(got.checks),
        LoadRow(
            "Load process, share of a core",
            "below 100 %",
            f"{words.whole_share(got.cpu)} at the median, {words.whole_share(got.peak_cpu)} at most",
            _cpu_note(got.peak_cpu),
        ),
    ]
    rows += map(_worker, _shown(result.workers))
    if rate:
        rows.append(
            LoadRow(
                "Arrivals that found no idle user",
                "0",
                words.count(got.late),
                "they waited for one; their latency counts from the time they were due" if got.late else "",
            )
        )
    return tuple(rows)


def _shown(workers: Sequence[WorkerRecord]) -> Iterator[WorkerRecord]:
    """Yield the load workers that a reader wants to see: all that are few, else those with something to be said."""
    return (each for each in workers if len(workers) <= FEW_WORKERS or _worker_note(each))


def _worker(worker: WorkerRecord) -> LoadRow:
    return LoadRow(
        f"Load worker {worker['worker']} ({worker['host']})",
        words.NONE,
        words.plural(worker["requests"], "request"),
        _worker_note(worker),
    )


def _worker_note(worker: WorkerRecord) -> str:
    """Return what was unusual with a load worker, empty if nothing was."""
    unknown = words.plural(worker["unknown"], "request")
    said = (
        (worker["state"] == "lost", "lost"),
        (worker["state"] == "silent", "silent at the end"),
        (worker["unknown"] > 0, f"up to {unknown} unknown, which widens every interval"),
        (worker["silent"] > 0, f"silent for {words.seconds(worker['silent'])}"),
        (worker["paused"] > 0, f"sent nothing for {words.seconds(worker['paused'])}: it did not hear the run"),
        (worker["late"] > 0, f"{words.count(worker['late'])} late, {words.seconds(worker['behind'])} at most"),
        (worker["cpu"] > BUSY, f"used {words.whole_share(worker['cpu'])} of a core"),
    )
    return "; ".join(text for is_so, text in said if is_so)


def _warm_up(result: Result) -> tuple[LoadRow, ...]:
    """Return the row of the warm-up; none without one."""
    span = result.warm_up
    if span is None:
        return ()
    delivered = words.plural(span.requests, "request")
    if span.end is not None:
        delivered += f" in {words.seconds(span.end - span.begin)}"
    planned = words.seconds(result.plan.load.get("warmup") or 0.0)
    return (LoadRow("Warm-up", planned, delivered, "counted in no verdict and no other number of this report"),)


def _checks(checks: Mapping[str, Mapping[str, int]] | None) -> tuple[LoadRow, ...]:
    """Return the row of responses that were not what their tasks expect; none if no task expects anything."""
    if checks is None:
        return ()
    failed = sum(sum(parts.values()) for parts in checks.values())
    note = "; ".join(
        f"{task}: " + ", ".join(f"{part} {words.count(count)}" for part, count in parts.items())
        for task, parts in checks.items()
    )
    return (LoadRow("Failed checks", "0", words.count(failed), note),)


def _otherwise(plan: Mapping[str, Any]) -> str:
    """Return what ends a run that this number does not bound."""
    return words.NONE if plan.get("requests") or plan.get("duration") else "until decided"


def _rate_note(planned: float | None, delivered: float) -> str:
    if planned and delivered < 0.95 * planned:
        return f"only {words.whole_share(delivered / planned)} of what was planned: latency verdicts rest on less load"
    return ""


def _cpu_note(peak: float) -> str:
    return "short of CPU: latencies include the load's own waiting" if peak > BUSY else ""
