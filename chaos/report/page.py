"""The page: a result becomes one self-contained HTML file. Everything shown is escaped by Jinja2; figures are our
own markup."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

import chaos
from chaos.errors import ExitCode
from chaos.journal.result import UNFINISHED, Result
from chaos.report import expected, frames, rows, words
from chaos.report.banner import banner
from chaos.report.documents import documents
from chaos.report.figures.model import Drawing

CONTENTS = (
    ("expectations", "Expectations"),
    ("statuses", "What users saw"),
    ("latency", "Latency"),
    ("timeline", "Time line"),
    ("load", "Load"),
    ("ledgers", "Ledgers"),
    ("surroundings", "Surroundings"),
    ("rules", "Rules"),
)


@cache
def template(name: str) -> Any:
    """A template of this folder, compiled once; undefined names are errors."""
    folder = files("chaos.report").joinpath("templates")
    environment = Environment(
        loader=FunctionLoader(lambda wanted: folder.joinpath(wanted).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=False,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)


@cache
def stylesheet() -> Markup:
    return Markup(files("chaos.report").joinpath("templates", "report.css").read_text(encoding="utf-8"))


def page(result: Result, drawings: dict[str, Drawing | None]) -> str:
    """The report as HTML; `drawings` by name, None for what there was nothing to draw of."""
    return str(template("report.html.j2").render(context(result, drawings)))


def context(result: Result, drawings: dict[str, Drawing | None]) -> dict[str, Any]:
    plan, table = result.plan, frames.outcomes(result)
    listed = documents(
        plan.documents,
        [*(each.where for each in result.findings), *(str(note.get("where", "")) for note in plan.notes)],
    )
    predicted = expected.injections(result)
    shown: dict[str, Any] = {
        "version": chaos.__version__,
        "css": stylesheet(),
        "name": plan.name,
        "description": plan.description,
        "started": plan.started,
        "started_words": words.when(plan.started),
        "banner": banner(result),
        "tiles": tiles(result, table),
        "command": shlex.join(plan.command) or "chaos run " + shlex.quote(plan.file),
        "sections": rows.sections(result),
        "statuses": rows.statuses(table, predicted, plan.confidence),
        "any_expected": bool(predicted),
        "latencies": rows.latencies(table, plan.confidence) if len(table) else (),
        "quantile_names": [f"p{fraction * 100:g}" for fraction in rows.QUANTILES],
        "confidence": words.exact(plan.confidence, "share"),
        "several_phases": table["phase"].nunique() > 1 or len(result.phases) > 1,
        "phases": _phases(result),
        "figures": drawings,
        "load": rows.load(result),
        "ledgers": ledgers(result, table),
        "destinations": rows.destinations(table, plan.confidence),
        "environment": _environment(result),
        "events": [
            {"at": words.seconds(event.at), "level": event.level, "text": event.text} for event in result.events
        ],
        "notes": [_note(note) for note in plan.notes],
        "documents": listed,
        "anchors": {line.anchor for document in listed for line in document.lines},
        "ended": result.outcome != UNFINISHED,
    }
    present = {
        "statuses": shown["statuses"],
        "latency": shown["latencies"],
        "timeline": drawings.get("timeline"),
        "rules": listed,
    }
    return shown | {"contents": [(name, text) for name, text in CONTENTS if present.get(name, True)]}


@dataclass(frozen=True, slots=True)
class Tile:
    what: str
    value: str
    note: str = ""


def tiles(result: Result, table: pd.DataFrame) -> tuple[Tile, ...]:
    """The few numbers that everybody asks for first."""
    got = result.delivered
    made = [
        Tile("Requests", words.count(got.requests), f"in {words.seconds(got.seconds)}" if got.seconds else ""),
        Tile("Requests per second", words.short_count(got.rate), f"{words.plural(got.peak_users, 'user')} at most"),
    ]
    if got.requests:
        failed = int(table.loc[(table["status"] == 0) | (table["status"] >= 400), "count"].sum())
        faulted = int(table.loc[table["fault"] != "", "count"].sum())
        everything = frames.merged(table["latency"])
        made += [
            Tile("Met a fault", words.share(faulted / got.requests), f"{words.count(faulted)} requests"),
            Tile(
                "Failed for users", words.share(failed / got.requests), f"{words.count(failed)}, 4xx and 5xx included"
            ),
            Tile(
                "Median latency",
                words.seconds(everything.quantile(0.5)),
                f"p99 {words.seconds(everything.quantile(0.99))}",
            ),
        ]
    made.append(Tile("Exit code", str(result.exit_code), _exit_name(result.exit_code)))
    return tuple(made)


def _exit_name(code: int) -> str:
    try:
        return ExitCode(code).name.lower().replace("_", " ")
    except ValueError:
        return ""


def _phases(result: Result) -> list[dict[str, Any]]:
    return [
        {
            "name": span.name,
            "faults": span.faults,
            "begin": words.seconds(span.begin),
            "end": words.seconds(span.end) if span.end is not None else "did not end",
            "requests": words.count(span.requests),
        }
        for span in result.phases
    ]


@dataclass(frozen=True, slots=True)
class LedgerRow:
    phase: str
    rule: str
    cells: tuple[str, ...]


def ledgers(result: Result, table: pd.DataFrame) -> tuple[LedgerRow, ...]:
    """The gateway's counters per phase and rule, beside what the users' side counted of the same route."""
    names = {each.rule: each.rule_name for each in result.findings if each.rule}
    names |= {str(rule.get("key")): str(rule.get("name")) for rule in result.plan.rules if rule.get("name")}
    seen = table.groupby(["phase", "route"])["count"].sum().to_dict()
    made = []
    for phase, counted in ((result.counters or {}).get("phases") or {}).items():
        for rule, counts in counted.items():
            fields = ("requests", "delay", "abort", "delay_abort", "forwarded", "upstream_requests")
            cells = [words.count(counts.get(field, 0)) for field in fields]
            name = names.get(rule, rule)
            found = seen.get((phase, name))
            made.append(LedgerRow(phase, name, (*cells, words.count(found) if found is not None else words.NONE)))
    return tuple(made)


def _environment(result: Result) -> list[tuple[str, str]]:
    plan = result.plan
    load = ", ".join(
        part
        for part in (
            words.plural(int(plan.load.get("processes") or 1), "load process", "load processes"),
            f"{plan.load['client']} client" if plan.load.get("client") else "",
        )
        if part
    )
    facts = [
        ("Experiment file", plan.file),
        ("Run", plan.run),
        ("Started", plan.started),
        ("Seed", str(plan.seed)),
        ("Load", load),
    ]
    facts += [(str(name), _plain(value)) for name, value in plan.environment.items()]
    return [(name, value) for name, value in facts if value]


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(each) for each in value)
    return str(value)


def _note(note: dict[str, Any]) -> dict[str, str]:
    where = str(note.get("where", ""))
    return {
        "severity": str(note.get("severity", "info")),
        "where": where,
        "anchor": rows.anchor_of(where),
        "path": str(note.get("path", "")),
        "message": str(note.get("message", "")),
    }
