"""Two runs of one experiment side by side: what changed, what did not as far as the runs can tell, and how their
settings differ."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from chaos import formatting as words
from chaos.errors import InvalidInput
from chaos.journal.result import Result
from chaos.report.data.grouping import with_busiest
from chaos.report.data.journal import journal_of, only_damage, read_run
from chaos.report.figures.overlay import densities, overlaid_percentiles
from chaos.report.figures.style import styled
from chaos.report.pages.data import write
from chaos.report.tables.banner import OURS, headline, tone_of
from chaos.report.tables.changes import DEFAULT, Effect, effects
from chaos.report.tables.forest import Interval, interval_row
from chaos.report.tables.thresholds import Limit, Thresholds
from chaos.version import __version__

Outcome = Literal["none", "worse", "unknown"]
"""none: no change beyond its threshold, for sure; worse: one surely is; unknown: the runs cannot tell."""

Engines = tuple[str, str]
"""What carried out the rules of the two runs: `our gateway`, `Envoy 1.40.0`."""


CHANGES = {"worse": "worse", "better": "better", "changed": "changed", "within": "none", "unknown": "cannot tell"}
"""A change in one word."""


@dataclass(frozen=True, slots=True)
class ComparePaths:
    """Where the comparison is, whether any difference was seen, and what was compared. `engines` are those of the two
    runs where it is they that are compared."""

    html: Path
    json: Path
    different: bool
    effects: tuple[Effect, ...]
    engines: Engines | None = None

    @property
    def outcome(self) -> Outcome:
        """What the comparison says as a whole."""
        return outcome_of(self.effects)


def compare(
    a: Path, b: Path, out: Path | None = None, thresholds: Thresholds = DEFAULT, *, engines: bool = False
) -> ComparePaths:
    """Compare two runs' folders; write compare-with-<A>.html and .json into `out`, or into B's folder. With `engines`
    only their shares are compared, to tell whether their engines do the same.

    Raises InvalidInput when either is not a run, when they are the same, or do not belong to one experiment, and with
    `engines` when both had the same."""
    folders = (journal_of(a).parent, journal_of(b).parent)
    if folders[0].resolve() == folders[1].resolve():
        raise InvalidInput.of(str(b), "is the run that it is to be compared with; give two runs")
    first, second = (with_busiest(read_run(folder)) for folder in folders)
    _check(first, second, str(b))
    both = (_engine(first), _engine(second)) if engines else None
    if both is not None:
        if both[0] == both[1]:
            raise InvalidInput.of(str(b), f"is a run with {both[1]}, as the other is; --engines compares two engines")
        if thresholds.shares == DEFAULT.shares:
            thresholds = replace(thresholds, shares=Limit(absolute=max(first.plan.tolerance, second.plan.tolerance)))
    with only_damage(journal_of(b)):
        return _compared(folders, first, second, out, thresholds, both)


def _engine(run: Result) -> str:
    return run.plan.engine or OURS


def outcome_of(found: tuple[Effect, ...]) -> Outcome:
    """Return what all changes say together: worse if any surely is, unknown if any may be."""
    changes_seen = {effect.change for effect in found if effect.compared}
    if changes_seen & {"worse", "changed"}:
        return "worse"
    return "unknown" if "unknown" in changes_seen or not changes_seen else "none"


def _compared(
    folders: tuple[Path, Path],
    first: Result,
    second: Result,
    out: Path | None,
    thresholds: Thresholds,
    engines: Engines | None,
) -> ComparePaths:
    from chaos.report.pages.page import stylesheet, template
    from chaos.report.pages.script import policy, script

    found = effects(first, second, thresholds, only_shares=engines is not None)
    target = out or folders[1]
    target.mkdir(parents=True, exist_ok=True)
    stem = f"compare-with-{folders[0].name}"
    different = any(effect.seen for effect in found)
    paths = ComparePaths(target / f"{stem}.html", target / f"{stem}.json", different, found, engines)
    write(paths.json, json.dumps(_record(first, second, folders, found), indent=1, allow_nan=False) + "\n")
    with styled():
        figures = [drawing for drawing in (densities(first, second), overlaid_percentiles(first, second)) if drawing]
    page = template("compare.html.j2").render(
        version=__version__,
        css=stylesheet(),
        policy=policy(),
        script=script(),
        name=first.plan.name,
        verdict=_verdict(found, engines),
        runs=[_run(first, folders[0]), _run(second, folders[1])],
        rows=[_row(effect) for effect in found],
        figures=figures,
        changes=changes(first, second),
        diffs=_diffs(first, second),
        confidence=words.exact(min(first.plan.confidence, second.plan.confidence), "share"),
    )
    write(paths.html, page)
    return paths


def _check(a: Result, b: Result, where: str) -> None:
    if a.plan.name != b.plan.name:
        reason = (
            f"is a run of {b.plan.name!r}, the other of {a.plan.name!r}; only runs of one experiment are comparable"
        )
        raise InvalidInput.of(where, reason)


def _verdict(found: tuple[Effect, ...], engines: Engines | None = None) -> dict[str, Any]:
    """Return the comparison's verdict; of two engines with their names."""
    said = _changes_that_matter(found)
    if engines is None:
        return said
    heads = {"falsified": "do not do the same", "verified": "do the same, as far as shares go"}
    head = heads.get(said["tone"], "may do the same, but the runs cannot tell")
    names = f"{engines[0]} and {engines[1]}"
    return {**said, "headline": f"{names[0].upper()}{names[1:]} {head}", "lead": f"{said['lead']}{_enough(found)}"}


def _enough(found: tuple[Effect, ...]) -> str:
    """Return how many requests would tell, empty if these do: intervals shrink with the root of their number."""
    open_ = [effect for effect in found if effect.compared and effect.change == "unknown"]
    needed = [
        max(effect.n_a, effect.n_b)
        * ((effect.high - effect.low) / 2 / (effect.limit - abs(effect.estimate or 0.0))) ** 2
        for effect in open_
        if effect.low is not None and effect.high is not None and effect.limit > abs(effect.estimate or 0.0)
    ]
    if not needed or len(needed) < len(open_):
        return ""
    return f" Runs of about {words.short_count(max(needed))} requests each would tell (spec.load.requests)."


def _changes_that_matter(found: tuple[Effect, ...]) -> dict[str, Any]:
    compared = [effect for effect in found if effect.compared]
    if not compared:
        lead = "The runs have no requests in common to compare."
        return {"tone": "no-traffic", "headline": "Nothing to compare", "lead": lead, "details": []}
    beyond = [effect for effect in compared if effect.change in ("worse", "changed")]
    of = words.plural(len(compared), "comparison")
    if beyond:
        lead = f"{words.plural(len(beyond), 'change')} beyond the threshold in {of}."
        return {"tone": "falsified", "headline": "Changed", "lead": lead, "details": [_told(e) for e in beyond[:6]]}
    open_ = [effect for effect in compared if effect.change == "unknown"]
    if open_:
        lead = f"In {len(open_)} of {of} a change beyond the threshold can be neither seen nor ruled out."
        return {
            "tone": "inconclusive",
            "headline": "Cannot tell",
            "lead": lead,
            "details": [_told(e) for e in open_[:6]],
        }
    lead = f"In none of {of} is there a change beyond the threshold."
    return {"tone": "verified", "headline": "No change that matters", "lead": lead, "details": []}


def _told(effect: Effect) -> str:
    subject = f" ({effect.subject})" if effect.subject else ""
    return f"{effect.what[0].upper()}{effect.what[1:]}{subject}: {effect.sentence}"


def _run(result: Result, folder: Path) -> dict[str, str]:
    return {
        "folder": str(folder),
        "started": words.when(result.plan.started),
        "tone": tone_of(result.outcome),
        "headline": headline(result.outcome),
        "seed": str(result.plan.seed),
        "requests": words.count(result.delivered.requests),
        "rate": words.short_count(result.delivered.rate),
        "seconds": words.seconds(result.delivered.seconds),
    }


def _row(effect: Effect) -> dict[str, Any]:
    drawn = Interval(effect.estimate, effect.low, effect.high)
    return {
        "effect": effect,
        "change": CHANGES[effect.change] if effect.compared else words.NONE,
        "a": words.quantity(effect.a, effect.unit),
        "b": words.quantity(effect.b, effect.unit),
        "n": f"{words.count(effect.n_a)} and {words.count(effect.n_b)}",
        "difference": effect.words(effect.estimate) if effect.estimate is not None else words.NONE,
        "interval": effect.range if effect.estimate is not None else words.NONE,
        "forest": interval_row(drawn, effect.sentence) if effect.estimate is not None else None,
    }


def lines_of(found: ComparePaths) -> list[str]:
    """Return the comparison for a terminal: a line for each quantity that both runs have, then the outcome."""
    rows = [
        (
            f"{effect.subject}  {effect.what}".strip(),
            f"A {words.quantity(effect.a, effect.unit)}",
            f"B {words.quantity(effect.b, effect.unit)}",
            effect.words(effect.estimate or 0.0),
            f"({effect.range})",
            CHANGES[effect.change],
        )
        for effect in found.effects
        if effect.compared
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(6)] if rows else []
    said = _verdict(found.effects, found.engines)
    table = ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [words.plain(line) for line in (*table, f"{said['headline']}: {said['lead']}")]


def changes(a: Result, b: Result) -> list[tuple[str, str, str]]:
    """Return how the runs themselves differ: (name, in A, in B), for settings, environment and load."""
    left, right = _settings(a), _settings(b)
    names = dict.fromkeys([*left, *right])
    return [
        (name, left.get(name, words.NONE), right.get(name, words.NONE))
        for name in names
        if left.get(name) != right.get(name)
    ]


def _settings(result: Result) -> dict[str, str]:
    plan = result.plan
    flat = {"engine": _engine(result), "seed": str(plan.seed), "file": plan.file, "command": " ".join(plan.command)}
    flat["tolerance"] = words.exact(plan.tolerance, "share")
    flat["confidence"] = words.exact(plan.confidence, "share")
    for title, values in (("load", plan.load), ("environment", plan.environment)):
        for name, value in values.items():
            flat[f"{title}: {name}"] = value if isinstance(value, str) else json.dumps(value)
    return flat


def _diffs(a: Result, b: Result) -> list[tuple[str, list[str]]]:
    """Return the unified differences of the files as they ran."""
    made = []
    for file in dict.fromkeys([*a.plan.documents, *b.plan.documents]):
        old, new = (run.plan.documents.get(file, "").splitlines() for run in (a, b))
        lines = list(difflib.unified_diff(old, new, "A", "B", lineterm="", n=3))
        if lines:
            made.append((file, lines))
    return made


def _record(a: Result, b: Result, folders: tuple[Path, Path], found: tuple[Effect, ...]) -> dict[str, Any]:
    return {
        "schema": 1,
        "name": a.plan.name,
        "confidence": min(a.plan.confidence, b.plan.confidence),
        "different": any(effect.seen for effect in found),
        "outcome": outcome_of(found),
        "runs": [
            {
                "folder": str(folder),
                "started": run.plan.started,
                "outcome": run.outcome,
                "seed": run.plan.seed,
                "requests": run.delivered.requests,
            }
            for run, folder in ((a, folders[0]), (b, folders[1]))
        ],
        "effects": [effect.to_dict() for effect in found],
        "changes": [{"name": name, "a": old, "b": new} for name, old, new in changes(a, b)],
    }
