"""`chaos report`: render reports again from their journals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chaos.cli.output import say


def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folders of runs, or of an experiment: its latest run.")
    ],
) -> int:
    """Render reports again from their journals: HTML, JSON, JUnit XML and Markdown."""
    from chaos.report.pages.index import render_index
    from chaos.report.pages.render import render

    for run in runs:
        paths = render(run)
        if paths.root is not None:
            render_index(paths.root)
        say(f"{paths.outcome}: {paths.html}")
    return 0
