"""The page: turn a result into one self-contained HTML file. Everything shown is escaped by Jinja2; figures are our own
markup."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from chaos import formatting as words
from chaos.journal.result import UNFINISHED, Result
from chaos.protocol.plan_record import NoteRecord
from chaos.protocol.worker_messages import THIS_HOST
from chaos.report.data import expected
from chaos.report.figures.model import Drawing
from chaos.report.pages.script import policy, script
from chaos.report.tables.all import Tables
from chaos.report.tables.banner import OURS, banner, repeat_command
from chaos.report.tables.destinations import destinations
from chaos.report.tables.documents import documents
from chaos.report.tables.exemplars import exemplars, gateway_command
from chaos.report.tables.findings import anchor_of, sections
from chaos.report.tables.latencies import QUANTILES
from chaos.report.tables.ledgers import HEADINGS as LEDGER_HEADINGS
from chaos.report.tables.ledgers import ledgers
from chaos.report.tables.load import load
from chaos.report.tables.policies import HEADINGS as POLICY_HEADINGS
from chaos.report.tables.policies import policy_ledgers
from chaos.report.tables.tiles import tiles
from chaos.version import __version__

CONTENTS = (
    ("expectations", "Expectations"),
    ("statuses", "What users saw"),
    ("latency", "Latency"),
    ("requests", "Single requests"),
    ("timeline", "Time line"),
    ("load", "Load"),
    ("ledgers", "Ledgers"),
    ("surroundings", "Surroundings"),
    ("rules", "Rules"),
)


@cache
def template(name: str) -> Any:
    """Return a template of this folder, compiled once; undefined names are errors."""
    folder = files("chaos.report").joinpath("templates")
    environment = Environment(
        loader=FunctionLoader(lambda wanted: folder.joinpath(wanted).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=False,
        keep_trailing_newline=True,
    )
    environment.filters["coded"] = coded
    return environment.get_template(name)


def coded(text: str) -> Markup:
    """Mark the text between backticks as code; all of it is escaped."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # an odd number of backticks: they are not pairs
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in enumerate(parts)
    )


@cache
def stylesheet() -> Markup:
    return Markup(files("chaos.report").joinpath("templates", "report.css").read_text(encoding="utf-8"))


def page(result: Result, tables: Tables, drawings: dict[str, Drawing | None]) -> str:
    """Return the report as HTML; `drawings` by name, None where there was nothing to draw."""
    return str(template("report.html.j2").render(context(result, tables, drawings)))


def context(result: Result, tables: Tables, drawings: dict[str, Drawing | None]) -> dict[str, Any]:
    """Return the values that the report's template shows."""
    plan, table = result.plan, tables.outcomes
    listed = documents(
        plan.documents,
        [*(each.where for each in result.findings), *(str(note.get("where", "")) for note in plan.notes)],
    )
    shown: dict[str, Any] = {
        "version": __version__,
        "css": stylesheet(),
        "policy": policy(),
        "script": script(),
        "name": plan.name,
        "description": plan.description,
        "started": plan.started,
        "started_words": words.when(plan.started),
        "banner": banner(result),
        "tiles": tiles(result, table),
        "command": repeat_command(plan),
        "sections": sections(result),
        "statuses": tables.statuses,
        "any_expected": any(row.mark is not None for group in tables.statuses for row in group.rows),
        "latencies": tables.latencies,
        "quantile_names": [f"p{fraction * 100:g}" for fraction in QUANTILES],
        "confidence": words.exact(plan.confidence, "share"),
        "several_phases": table["phase"].nunique() > 1 or len(result.phases) > 1,
        "phases": _phases(result),
        "figures": drawings,
        "load": load(result),
        "ledgers": ledgers(result, table),
        "ledger_headings": LEDGER_HEADINGS,
        "policy_ledgers": policy_ledgers(result),
        "policy_headings": POLICY_HEADINGS,
        "destinations": destinations(table, expected.destination_shares(result), plan.confidence),
        "environment": _environment(result),
        "events": [
            {"at": words.seconds(event.at), "level": event.level, "text": event.text} for event in result.events
        ],
        "notes": [_note(note) for note in plan.notes],
        "documents": listed,
        "anchors": {line.anchor for document in listed for line in document.lines},
        "exemplars": exemplars(result),
        "engine": plan.engine,
        "other_gateway": bool(plan.load.get("gateway")),
        "by_locustfile": bool(plan.load.get("locustfile")),
        "gateway_command": gateway_command(plan),
        "ended": result.outcome != UNFINISHED,
        "of_samples": plan.of_samples,
    }
    present = {
        "load": not plan.of_samples,
        "ledgers": not plan.of_samples,
        "statuses": shown["statuses"],
        "latency": shown["latencies"],
        "requests": shown["exemplars"],
        "timeline": drawings.get("timeline"),
        "rules": listed,
    }
    return shown | {"contents": [(name, text) for name, text in CONTENTS if present.get(name, True)]}


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


def _environment(result: Result) -> list[tuple[str, str]]:
    plan = result.plan
    load = ", ".join(
        part
        for part in (
            _carried_by(result),
            f"{plan.load['client']} client" if plan.load.get("client") else "",
        )
        if part
    )
    facts = [
        ("Samples" if plan.of_samples else "Experiment file", plan.file),
        ("Run", plan.run),
        ("Started", plan.started),
    ]
    if not plan.of_samples:
        facts += [("Engine", plan.engine or OURS), ("Seed", str(plan.seed)), ("Load", load)]
    facts += [(str(name), _plain(value)) for name, value in plan.environment.items()]
    return [(name, value) for name, value in facts if value]


def _carried_by(result: Result) -> str:
    """Return how many processes carried the load, and on how many hosts if on others."""
    hosts = {worker["host"] for worker in result.workers}
    if hosts - {THIS_HOST}:
        return f"{words.plural(len(result.workers), 'load worker')} on {words.plural(len(hosts), 'host')}"
    return words.plural(int(result.plan.load.get("processes") or 1), "load process", "load processes")


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(each) for each in value)
    return str(value)


def _note(note: NoteRecord) -> dict[str, str]:
    where = str(note.get("where", ""))
    return {
        "severity": str(note.get("severity", "info")),
        "where": where,
        "anchor": anchor_of(where),
        "path": str(note.get("path", "")),
        "message": str(note.get("message", "")),
    }
