"""reports/index.html: every run with its outcome, and per experiment the observed shares from run to run.

It is made from the `result.json` files. The part that the index needs of each is kept in `index.json`, so that a
thousand runs are not read a thousand times; a run whose file has changed is read again, and one that was never rendered
is listed as such."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, cast

from chaos import formatting as words
from chaos.report.data.journal import JOURNAL
from chaos.report.pages.data import write
from chaos.report.tables.banner import headline, tone_of
from chaos.report.tables.sparkline import FindingSummary, Sparkline, sparkline
from chaos.version import __version__

CACHE = "index.json"
CACHE_SCHEMA = 1
SHOWN = 200  # runs per experiment on the page
LAST = 30  # runs in a sparkline


class Summary(TypedDict):
    """What the index needs of one run; `stamp` is its result's time of change, 0 for one that was never rendered."""

    folder: str
    stamp: int
    name: str
    started: str
    outcome: str
    description: str
    seed: str
    requests: int | None
    seconds: float | None
    findings: list[FindingSummary]


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run in the list."""

    link: str
    outcome: str
    tone: str
    headline: str
    started: str
    started_words: str
    requests: str
    seconds: str
    seed: str
    shares: tuple[tuple[str, str, str, str], ...]  # title, configured, observed, verdict


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
    """Write index.html (and its cache) into the root of the reports. Returns the page's path."""
    from chaos.report.pages.page import stylesheet, template

    summaries = _summaries(reports_root)
    experiments = _experiments(summaries)
    page = template("index.html.j2").render(
        version=__version__, css=stylesheet(), experiments=experiments, total=len(summaries), words=words
    )
    path = reports_root / "index.html"
    write(path, page)
    return path


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
            found[name] = kept if kept and stamp and kept.get("stamp") == stamp else _summary(folder, name, stamp)
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
        outcomes=tuple(
            (tone_of(each["outcome"]) if each["outcome"] else "unknown", f"{each['folder']}/report.html")
            for each in recent
        ),
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
        link=f"{summary['folder']}/report.html" if outcome else f"{summary['folder']}/",
        outcome=outcome,
        tone=tone_of(outcome) if outcome else "unknown",
        headline=headline(outcome) if outcome else "Not rendered yet",
        started=summary["started"],
        started_words=words.when(summary["started"]),
        requests=words.count(summary["requests"]) if summary["requests"] is not None else words.NONE,
        seconds=words.seconds(summary["seconds"]),
        seed=summary["seed"],
        shares=tuple(
            (
                str(each["title"]),
                words.edge(each["configured"], each["tolerance"], each["unit"])
                if each["configured"] is not None
                else "",
                words.quantity(each["estimate"], each["unit"], words.spread(each["interval"])),
                str(each["verdict"]),
            )
            for each in summary["findings"][:4]
        ),
    )
