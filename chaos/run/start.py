"""Run experiments, one after the other: plan, supervise, render, and say how it ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from chaos.errors import ChaosError, ExitCode
from chaos.run.journal_writer import run_folder
from chaos.run.options import RunOptions
from chaos.run.outset import plan_run
from chaos.run.reporting import Reporter
from chaos.run.result import RunResult, worst_code
from chaos.run.supervisor import Supervisor
from chaos.run.view import View


def run_files(
    files: Sequence[str], options: RunOptions, view: Callable[[], View], refuse: Callable[[str], None]
) -> list[RunResult]:
    """One result per file. What is wrong with a file is told to `refuse`; the others still run."""
    results = []
    for file in files:
        try:
            results.append(asyncio.run(run_file(file, options, view())))
        except ChaosError as error:
            refuse(str(error))
            name = Path(file).stem or file
            results.append(RunResult(name, file, "not run", error.exit_code, (str(error),)))
        if results[-1].exit_code is ExitCode.INTERRUPTED:
            break
    return results


async def run_file(file: str, options: RunOptions, view: View) -> RunResult:
    """One experiment. Raises InvalidInput for what is wrong with it, before anything starts."""
    outset = plan_run(file, options)
    folder = run_folder(options.out, outset.name, time.localtime())
    reporter = Reporter(folder, wanted=options.report)
    supervisor = Supervisor(outset, folder, view, reporter)
    try:
        result = await supervisor.run()
        trouble = await reporter.render()
    finally:
        await reporter.stop()
    if trouble:
        view.event("warning", trouble)
    view.end(result)
    return replace(result)


def exit_code(results: Sequence[RunResult]) -> int:
    return int(worst_code(result.exit_code for result in results))
