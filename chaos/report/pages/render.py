"""Render a run's folder: report.html, result.json, junit.xml and report.md, made from the journal alone."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from chaos.report.data.grouping import with_busiest
from chaos.report.data.journal import journal_of, only_damage, read_run
from chaos.report.pages.data import write, write_result


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """Where the four forms of a report are, and the run's outcome.

    `root` is the folder of all reports when the run's folder is `<root>/<name>/<time>`, as `chaos run` makes it."""

    folder: Path
    html: Path
    json: Path
    junit: Path
    markdown: Path
    root: Path | None
    outcome: str
    exit_code: int

    def to_dict(self) -> dict[str, str | int | None]:
        """Return plain values for JSON."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


def render(run_folder: Path) -> ReportPaths:
    """Write a run's report beside its journal, each file completely or not at all. A journal that stops in the middle
    works too.

    Raises InvalidInput when there is no journal, or a damaged one; OSError when the folder cannot be written."""
    from chaos.report.figures.all import drawings
    from chaos.report.pages.junit import junit
    from chaos.report.pages.markdown import markdown
    from chaos.report.pages.page import page
    from chaos.report.tables.all import Tables

    journal = journal_of(run_folder)
    folder = journal.parent
    result = read_run(folder)
    paths = ReportPaths(
        folder=folder,
        html=folder / "report.html",
        json=folder / "result.json",
        junit=folder / "junit.xml",
        markdown=folder / "report.md",
        root=folder.parent.parent if folder.parent.name == result.plan.name else None,
        outcome=result.outcome,
        exit_code=result.exit_code,
    )
    with only_damage(journal):
        write_result(folder, result)
        result = with_busiest(result)
        tables = Tables.of(result)
        write(paths.markdown, markdown(result, tables))
        write(paths.junit, junit(result))
        write(paths.html, page(result, tables, drawings(result, tables)))
    return paths
