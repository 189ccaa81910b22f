"""`chaos compare`: compare two runs of one experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chaos.cli.output import say, say_lines
from chaos.errors import ExitCode


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="Folder of the earlier run.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Folder of the later run.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder for the comparison; by default B's.")
    ] = None,
    engines: Annotated[
        bool,
        typer.Option(
            "--engines",
            help="Whether two engines do the same, for example ours and Envoy: only shares are compared, and the runs' "
            "tolerance is what matters, unless --threshold shares=POINTS says otherwise.",
        ),
    ] = False,
    threshold: Annotated[
        str,
        typer.Option(
            metavar="NAME=VALUE,...",
            help="The changes that matter: p50, p90, p95, p99 or latency in percent of A's (10%) or as a duration "
            "(20ms), failures and shares in points. By default latency=10% (and 1ms), failures=1, shares=1.",
        ),
    ] = "",
) -> int:
    """Compare two runs of one experiment: what changed, and whether it matters; with --engines, whether what carried
    out the rules does the same.

    Exit code 0: no change beyond its threshold; 1: something is worse, or a share changed; 3: the runs cannot tell."""
    from chaos.report.pages.compare import compare as compare_runs
    from chaos.report.pages.compare import lines_of
    from chaos.report.tables.thresholds import parse_thresholds

    found = compare_runs(a, b, out, parse_thresholds(threshold), engines=engines)
    say_lines(lines_of(found))
    say(f"comparison: {found.html}")
    return {"none": ExitCode.VERIFIED, "worse": ExitCode.FALSIFIED, "unknown": ExitCode.INCONCLUSIVE}[found.outcome]
