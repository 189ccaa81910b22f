"""Reports: one self-contained HTML page, result.json, JUnit XML and Markdown, made from a run's journal alone.

    render(folder)         -> ReportPaths       report.html, result.json, junit.xml, report.md beside the journal
    render_index(reports)  -> Path              index.html with the history of every experiment
    compare(a, b, out)     -> ComparePaths      two runs of one experiment side by side

Nothing heavy is imported until one of them is called. `python -m chaos.report --wait` imports everything ahead of
time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaos.report.compare import ComparePaths
    from chaos.report.render import ReportPaths

__all__ = ["compare", "render", "render_index"]


def render(run_folder: Path) -> ReportPaths:
    """See `chaos.report.render.render`."""
    from chaos.report.render import render

    return render(run_folder)


def render_index(reports_root: Path) -> Path:
    """See `chaos.report.index.render_index`."""
    from chaos.report.index import render_index

    return render_index(reports_root)


def compare(a: Path, b: Path, out: Path | None = None) -> ComparePaths:
    """See `chaos.report.compare.compare`."""
    from chaos.report.compare import compare

    return compare(a, b, out)
