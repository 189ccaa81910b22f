"""`chaos compare`: two runs of one experiment side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chaos.cli.output import say


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="Folder of the earlier run.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Folder of the later run.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the comparison goes; B's folder by default.")
    ] = None,
) -> int:
    """Set two runs of one experiment side by side: what changed, and how much of it could be seen."""
    from chaos.report.pages.compare import compare as compare_runs

    paths = compare_runs(a, b, out)
    say("the runs differ" if paths.different else "no difference that these runs could have seen")
    say(f"comparison: {paths.html}")
    return 0
