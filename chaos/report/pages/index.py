"""reports/index.html: every run with its outcome and claims, and per experiment the observed shares from run to run.

It is made from the `result.json` files. The part that the index needs of each is kept in `index.json`, so that a
thousand runs are not read a thousand times; a run whose file has changed is read again. Runs without such a file, which
still go on or were killed, are named at the end. `latest.html` beside it leads to the newest report."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, cast
from urllib.parse import quote

from chaos import formatting as words
from chaos.report.data.journal import JOURNAL
from chaos.report.pages.data import write
from chaos.report.tables.banner import headline, tone_of
from chaos.report.tables.sparkline import FindingSummary, Sparkline, sparkline
from chaos.verify.verdict import WORST_FIRST
from chaos.version import __version__

CACHE = "index.json"
CACHE_SCHEMA = 2
LATEST = "latest.html"
SHOWN = 200  # runs per experiment on the page
LAST = 30  # runs in a sparkline
FEW = 4  # claims of a run that are shown at once; the others unfold


class Summary(TypedDict):
    """What the index needs of one run; `stamp` is its result's time of change, 0 for one that has none. `report`:
    whether there is a page."""

    folder: str
    stamp: int
    report: bool
    name: str
    started: str
    outcome: str
    description: str
    seed: str
    requests: int | None
    seconds: float | None
    findings: list[FindingSummary]


class Claim(NamedTuple):
    """One claim of a run, in words."""

    title: str
    whose: str
    configured: str
    observed: str
    verdict: str


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run in the list. `claims` begins with what does not hold."""

    link: str
    report: bool
    outcome: str
    tone: str
    headline: str
    started: str
    started_words: str
    requests: str
    seconds: str
    seed: str
    claims: tuple[Claim, ...]

    @property
    def others(self) -> str:
        """The claims beyond the first few in some words."""
        rest = self.claims[FEW:]
        verdicts = {claim.verdict.replace("-", " ") for claim in rest}
        alike = f", {'all ' if len(rest) > 1 else ''}{verdicts.pop()}" if len(verdicts) == 1 else ""
        return words.plural(len(rest), "more claim") + alike


@dataclass(frozen=True, slots=True)
class ExperimentRow:
    """All runs of one experiment, the newest first."""

    name: str
    anchor: str
    description: str
    runs: tuple[RunRow, ...]
    left_out: int
    lines: tuple[tuple[str, Sparkline], ...]
    outcomes: tuple[tuple[str, str], ...]  # tone and link of the last runs, oldest first


def render_index(reports_root: Path) -> Path:
    """Write index.html (and its cache), and latest.html, into the root of the reports. Returns the index's path."""
    from chaos.report.pages.page import stylesheet, template

    summaries = _summaries(reports_root)
    finished = [each for each in summaries if each["outcome"]]
    latest = next((_link(each) for each in reversed(finished) if each["report"]), "")
    page = template("index.html.j2").render(
        version=__version__,
        css=stylesheet(),
        experiments=_experiments(finished),
        total=len(finished),
        without=[(each["folder"], quote(f"{each['folder']}/")) for each in reversed(summaries) if not each["outcome"]],
        latest=LATEST if latest else "",
        few=FEW,
        words=words,
    )
    path = reports_root / "index.html"
    write(path, page)
    _lead(reports_root / LATEST, latest)
    return path


def _lead(path: Path, link: str) -> None:
    """Write the page that leads to a link at once, wherever the folder is and whatever serves it; none without one."""
    from chaos.report.pages.page import stylesheet, template

    if link:
        write(path, template("latest.html.j2").render(css=stylesheet(), link=link))
    else:
        path.unlink(missing_ok=True)


def _link(summary: Summary) -> str:
    """Return the address of a run's report or, without one, of its result."""
    return quote(f"{summary['folder']}/{'report.html' if summary['report'] else 'result.json'}")


def _summaries(root: Path) -> list[Summary]:
    """Return the part of each run that the index needs; oldest first."""
    known = _cache(root)
    found: dict[str, Summary] = {}
    for journal in root.glob(f"*/*/{JOURNAL}"):
        folder = journal.parent
        name = folder.relative_to(root).as_posix()
        rendered = folder / "result.json"
        with contextlib.suppress(OSError):
            stamp = rendered.stat().st_mtime_ns if rendered.exists() else 0
            kept = known.get(name)
            summary = kept if kept and stamp and kept.get("stamp") == stamp else _summary(folder, name, stamp)
            summary["report"] = (folder / "report.html").is_file()
            found[name] = summary
    write(root / CACHE, json.dumps({"schema": CACHE_SCHEMA, "runs": found}, separators=(",", ":")))
    return sorted(found.values(), key=_when)


def _when(summary: Summary) -> tuple[str, str]:
    """Return a sort key. A run's folder is named for the time at which it began, whether or not there is a result
    yet."""
    return Path(summary["folder"]).name, summary["folder"]


def _cache(root: Path) -> dict[str, Summary]:
    try:
        kept = json.loads((root / CACHE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    runs = kept.get("runs") if isinstance(kept, dict) and kept.get("schema") == CACHE_SCHEMA else None
    return runs if isinstance(runs, dict) else {}


def _summary(folder: Path, name: str, stamp: int) -> Summary:
    blank = Summary(
        folder=name,
        stamp=stamp,
        report=False,
        name=folder.parent.name,
        started=folder.name,
        outcome="",
        description="",
        seed="",
        requests=None,
        seconds=None,
        findings=[],
    )
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        return Summary(
            folder=name,
            stamp=stamp,
            report=False,
            name=str(result["name"]),
            started=str(result["started"]),
            outcome=str(result["outcome"]),
            description=str(result["description"]),
            seed=str(result["seed"]),
            requests=int(result["load"]["delivered"]["requests"]),
            seconds=float(result["seconds"]),
            findings=[_finding(each) for each in result["findings"]],
        )
    except (OSError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return blank


def _finding(found: dict[str, Any]) -> FindingSummary:
    return cast(FindingSummary, {key: found.get(key) for key in FindingSummary.__annotations__})


def _experiments(summaries: list[Summary]) -> list[ExperimentRow]:
    """Group runs by experiment; the one that ran last comes first."""
    by_name: dict[str, list[Summary]] = {}
    for each in summaries:
        by_name.setdefault(each["name"], []).append(each)
    order = sorted(by_name.items(), key=lambda item: (_when(item[1][-1]), item[0]), reverse=True)
    return [_experiment(name, runs) for name, runs in order]


def _experiment(name: str, runs: list[Summary]) -> ExperimentRow:
    recent = runs[-LAST:]
    return ExperimentRow(
        name=name,
        anchor="experiment-" + "".join(letter if letter.isalnum() else "-" for letter in name),
        description=next((each["description"] for each in reversed(runs) if each["description"]), ""),
        runs=tuple(_run(each) for each in reversed(runs[-SHOWN:])),
        left_out=max(0, len(runs) - SHOWN),
        lines=tuple(_lines(recent)),
        outcomes=tuple((tone_of(each["outcome"]), _link(each)) for each in recent),
    )


def _lines(runs: list[Summary]) -> Iterable[tuple[str, Sparkline]]:
    """Yield a sparkline for each of the first four findings that were judged in at least two of these runs."""
    titles: dict[str, str] = {}
    values: dict[str, list[FindingSummary]] = {}
    for run in runs:
        for each in run["findings"]:
            if each.get("estimate") is not None:
                titles[each["id"]] = each["title"]
                values.setdefault(each["id"], []).append(each)
    several = [(name, history) for name, history in values.items() if len(history) > 1]
    for name, history in several[:4]:
        yield titles[name], sparkline(history)


def _run(summary: Summary) -> RunRow:
    outcome = summary["outcome"]
    return RunRow(
        link=_link(summary),
        report=summary["report"],
        outcome=outcome,
        tone=tone_of(outcome),
        headline=headline(outcome),
        started=summary["started"],
        started_words=words.when(summary["started"]),
        requests=words.count(summary["requests"]) if summary["requests"] is not None else words.NONE,
        seconds=words.seconds(summary["seconds"]),
        seed=summary["seed"],
        claims=tuple(_claim(each) for each in sorted(summary["findings"], key=_severity)),
    )


def _severity(found: FindingSummary) -> int:
    """Return a sort key: what was refuted comes first; a verdict of a newer version last."""
    order = [verdict.value for verdict in WORST_FIRST]
    return order.index(found["verdict"]) if found["verdict"] in order else len(order)


def _claim(found: FindingSummary) -> Claim:
    configured, unit = found["configured"], found["unit"]
    side = {"below": "below ", "above": "above "}.get(found["sense"], "")
    phase = "" if str(found["title"]).startswith(str(found["phase"] or "")) else found["phase"]
    return Claim(
        title=str(found["title"]),
        whose=" \u00b7 ".join(part for part in (phase, found["rule_name"]) if part),
        configured="" if configured is None else side + words.edge(configured, found["tolerance"], unit),
        observed=words.quantity(found["estimate"], unit, words.spread(found["interval"])),
        verdict=str(found["verdict"]),
    )
