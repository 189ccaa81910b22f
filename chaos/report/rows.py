"""The tables of the report as rows of ready text: one per finding, status code, percentile, destination and load
figure."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from chaos.experiment.finding import Finding
from chaos.journal.histogram import Histogram
from chaos.journal.result import Result
from chaos.report import frames, words
from chaos.report.expected import Injections, status_shares
from chaos.report.forest import Row, forest_row
from chaos.report.latency import quantile_interval
from chaos.verify.interval import VAGUE, interval

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
SECTIONS = (
    ("Rules", "What the rules configure, what the gateway drew, and what users got.", None),
    ("Hypotheses", "What was asked of the application while the faults were on.", {"hypothesis"}),
    (
        "Masking and amplification",
        "Which faults users never noticed, and what one request of theirs cost upstream.",
        {"masking", "amplification"},
    ),
    ("Safeguards", "Bounds that stop a run.", {"safeguard"}),
    ("Search", "The largest fault at which the hypothesis still holds.", {"search"}),
)


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One expectation as the page shows it."""

    finding: Finding
    title: str
    context: str
    anchor: str
    configured: str
    tolerance: str
    drawn: str
    drawn_of: str
    observed: str
    observed_of: str
    interval: str
    interval_confidence: str
    n: str
    forest: Row | None
    needed: str


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    intro: str
    rows: tuple[FindingRow, ...]


def sections(result: Result) -> tuple[Section, ...]:
    """The findings by subject, in the order of the page; empty subjects are left out."""
    named = {kind for _, _, kinds in SECTIONS if kinds for kind in kinds}
    made = []
    for title, intro, kinds in SECTIONS:
        chosen = [each for each in result.findings if (each.kind in kinds if kinds else each.kind not in named)]
        if chosen:
            made.append(Section(title, intro, tuple(finding_row(each, len(result.phases) > 1) for each in chosen)))
    return tuple(made)


def finding_row(finding: Finding, several_phases: bool = False) -> FindingRow:
    width = words.spread(finding.interval)
    context = [finding.rule_name, finding.task, f"phase {finding.phase}" if finding.phase and several_phases else ""]
    seen = finding.observed or finding.drawn
    return FindingRow(
        finding=finding,
        title=finding.title,
        context=" \u00b7 ".join(part for part in context if part and part != finding.title),
        anchor=anchor_of(finding.where),
        configured=words.configured(finding),
        tolerance=words.tolerance(finding),
        drawn=words.share(finding.drawn.share, width) if finding.drawn else words.NONE,
        drawn_of=words.tally(finding.drawn) if finding.drawn else "",
        observed=words.quantity(finding.estimate, finding.unit, width),
        observed_of=words.tally(finding.observed) if finding.observed and finding.unit == "share" else "",
        interval=words.interval(finding.interval, finding.unit),
        interval_confidence=words.exact(1 - finding.alpha, "share"),
        n=words.count(seen.n) if seen else words.NONE,
        forest=forest_row(finding),
        needed=f"about {words.count(finding.needed)} more requests would decide" if finding.needed else "",
    )


def anchor_of(where: str) -> str:
    """The page's anchor for `file:line:column`, empty without one."""
    file, _, rest = (
        where.partition(":") if where.count(":") < 2 else (where.rsplit(":", 2)[0], "", where.rsplit(":", 2)[1])
    )
    return line_anchor(file, int(rest)) if rest.isdigit() else ""


def line_anchor(file: str, line: int) -> str:
    return "line-" + "".join(letter if letter.isalnum() else "-" for letter in file) + f"-{line}"


@dataclass(frozen=True, slots=True)
class StatusRow:
    """A status code (or kind of failure) in one phase and task. `bar` and `mark` in [0, 1]."""

    first: bool
    phase: str
    task: str
    status: str
    meaning: str
    tone: str
    how: str
    count: str
    share: str
    interval: str
    expected: str
    bar: float
    low: float
    high: float
    mark: float | None


def statuses(table: pd.DataFrame, planned: Injections, confidence: float) -> tuple[StatusRow, ...]:
    """Per phase and task: every status with its share, interval and expected share; expected ones that never came are
    rows too."""
    made: list[StatusRow] = []
    for (phase, task), rows in table.groupby(["phase", "task"], sort=False):
        wanted = status_shares(rows, planned)
        counted = {str(label): (int(seen["count"].sum()), _how(seen["group"])) for label, seen in rows.groupby("label")}
        total = int(rows["count"].sum())
        for index, label in enumerate(sorted({*counted, *wanted})):
            count, how = counted.get(label, (0, "never seen"))
            place = (str(phase), str(task), index == 0)
            made.append(_status_row(place, label, how, (count, total), wanted, confidence))
    return tuple(made)


def _status_row(
    place: tuple[str, str, bool],
    label: str,
    how: str,
    counts: tuple[int, int],
    wanted: dict[str, float],
    confidence: float,
) -> StatusRow:
    (phase, task, first), (count, total) = place, counts
    bounds = interval(VAGUE, count, total, 1 - confidence)
    return StatusRow(
        first=first,
        phase=phase,
        task=task,
        status=label,
        meaning=frames.status_text(label),
        tone=frames.status_class(label).replace(" ", "-"),
        how=how,
        count=f"{words.count(count)} of {words.count(total)}",
        share=words.share(count / total if total else None, bounds.high - bounds.low),
        interval=words.interval((bounds.low, bounds.high), "share"),
        expected=words.exact(wanted[label], "share")
        if label in wanted
        else (words.exact(0.0, "share") if wanted else words.NONE),
        bar=count / total if total else 0.0,
        low=bounds.low,
        high=bounds.high,
        mark=wanted.get(label),
    )


def _expected_words(wanted: dict[str, float], label: str) -> str:
    return f"{words.significant(wanted.get(label, 0.0) * 100, 3)}{words.THIN}%" if wanted else words.NONE


def _how(groups: pd.Series) -> str:
    return words.listed([group for group in frames.GROUPS if group in set(groups)])


@dataclass(frozen=True, slots=True)
class LatencyRow:
    phase: str
    task: str
    group: str
    n: str
    mean: str
    quantiles: tuple[tuple[str, str], ...]  # (value, interval)
    maximum: str


def latencies(table: pd.DataFrame, confidence: float) -> tuple[LatencyRow, ...]:
    """Per phase, task and what happened: percentiles with their intervals; first all together when there is more
    than one row."""
    made = []
    if len(table.groupby(["phase", "task", "group"])) > 1:
        made.append(_latency_row("", "", "all requests", frames.merged(table["latency"]), confidence))
    order = {group: place for place, group in enumerate(frames.GROUPS)}
    for (phase, task), rows in table.groupby(["phase", "task"], sort=False):
        for group, chosen in sorted(rows.groupby("group"), key=lambda item: order[str(item[0])]):
            made.append(_latency_row(str(phase), str(task), str(group), frames.merged(chosen["latency"]), confidence))
    return tuple(made)


def _latency_row(phase: str, task: str, group: str, latency: Histogram, confidence: float) -> LatencyRow:
    cells = []
    for fraction, value in zip(QUANTILES, latency.quantiles(QUANTILES), strict=True):
        bounds = quantile_interval(latency, fraction, confidence)
        cells.append(
            (words.seconds(value), f"{words.seconds(bounds[0])} .. {words.seconds(bounds[1])}" if bounds else "too few")
        )
    return LatencyRow(
        phase,
        task,
        group,
        words.count(latency.total),
        words.seconds(latency.mean),
        tuple(cells),
        words.seconds(latency.maximum),
    )


@dataclass(frozen=True, slots=True)
class DestinationRow:
    route: str
    destination: str
    count: str
    share: str
    interval: str
    bar: float


def destinations(table: pd.DataFrame, confidence: float) -> tuple[DestinationRow, ...]:
    """Which destination answered, per route, of the requests that were forwarded."""
    forwarded = table[table["destination"] != ""]
    made = []
    for route, rows in forwarded.groupby("route", sort=False):
        counted = rows.groupby("destination")["count"].sum()
        total = int(counted.sum())
        for destination, count in counted.items():
            bounds = interval(VAGUE, int(count), total, 1 - confidence)
            made.append(
                DestinationRow(
                    str(route),
                    str(destination),
                    f"{words.count(int(count))} of {words.count(total)}",
                    words.share(count / total, bounds.high - bounds.low),
                    words.interval((bounds.low, bounds.high), "share"),
                    float(count) / total,
                )
            )
    return tuple(made)


@dataclass(frozen=True, slots=True)
class LoadRow:
    what: str
    planned: str
    delivered: str
    note: str = ""


def load(result: Result) -> tuple[LoadRow, ...]:
    """Planned beside delivered."""
    plan, got = result.plan.load, result.delivered
    rate = plan.get("arrival_rate")
    errors = sum(got.errors.values())
    causes = ", ".join(f"{words.count(count)} {frames.status_text(kind)}" for kind, count in sorted(got.errors.items()))
    rows = [
        LoadRow(
            "Users",
            words.count(plan["users"]) if plan.get("users") else words.NONE,
            f"{words.count(got.peak_users)} at most",
        ),
        LoadRow(
            "Requests",
            words.count(plan["requests"]) if plan.get("requests") else _until(plan),
            words.count(got.requests),
        ),
        LoadRow(
            "Duration",
            words.seconds(plan["duration"]) if plan.get("duration") else _until(plan),
            words.seconds(got.seconds),
        ),
        LoadRow(
            "Requests per second",
            f"{words.short_count(rate)} (arrival rate)" if rate else "as fast as the answers come",
            words.short_count(got.rate),
            _rate_note(rate, got.rate),
        ),
        LoadRow("Requests without a response", "0", words.count(errors), causes),
        LoadRow(
            "Load process, share of a core",
            "below 100 %",
            f"{got.cpu:.0%} at the median, {got.peak_cpu:.0%} at most",
            _cpu_note(got.peak_cpu),
        ),
    ]
    if rate:
        rows.append(
            LoadRow(
                "Arrivals that found no idle user",
                "0",
                words.count(got.late),
                "they waited for one; their latency counts from when they were due" if got.late else "",
            )
        )
    return tuple(rows)


def _until(plan: object) -> str:
    return "until decided" if isinstance(plan, dict) and plan.get("until") == "decided" else "open"


def _rate_note(planned: float | None, delivered: float) -> str:
    if planned and delivered < 0.95 * planned:
        return f"only {delivered / planned:.0%} of what was planned: latency verdicts rest on less load"
    return ""


def _cpu_note(peak: float) -> str:
    return "short of CPU: latencies include the load's own waiting" if peak > 0.9 else ""
