"""Run experiments, one after the other: plan, supervise, and render the report.

Locust's process is started first, because importing Locust takes longer than everything else before the first request;
meanwhile the experiment is read. Modules that are slow to import are imported in functions for the same reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from chaos.errors import ChaosError, ExitCode
from chaos.runner.plan.options import RunOptions
from chaos.runner.processes.load import LoadProcess

if TYPE_CHECKING:
    from chaos.experiment.redaction import Redaction
    from chaos.runner.live.live import Live
    from chaos.runner.plan.run_plan import RunPlan
    from chaos.runner.processes.report import Reporter
    from chaos.runner.supervise.interruption import Interruption
    from chaos.runner.terminal.result import RunResult
    from chaos.runner.terminal.view import View


def run_files(
    files: Sequence[str], options: RunOptions, view: Callable[[], View], refuse: Callable[[str], None]
) -> list[RunResult]:
    """Run each file and return one result per file. `refuse` is called with the problems of a file that cannot run; the
    others still do. An interrupted run ends the list."""
    results = []
    for file in files:
        try:
            results.append(asyncio.run(run_file(file, options, view)))
        except ChaosError as error:
            refuse(str(error))
            results.append(_not_run(file, error))
        if results[-1].exit_code is ExitCode.INTERRUPTED:
            break
    return results


async def run_file(file: str, options: RunOptions, view: Callable[[], View]) -> RunResult:
    """Run one experiment. Raises InvalidInput with its problems before anything is sent."""
    from chaos.runner.supervise.interruption import Interruption

    with Interruption() as interruption:
        async with _early_load() as load:
            from chaos.runner.plan.planner import plan_run

            return await _supervised(plan_run(file, options), load, view, interruption)


async def run_planned(plan: RunPlan, view: Callable[[], View], interruption: Interruption) -> RunResult:
    """Run one experiment that has been planned. Raises EnvironmentFailed if it cannot even begin.

    If it is cancelled, its journal says so and its processes are ended."""
    async with _early_load() as load:
        return await _supervised(plan, load, view, interruption)


async def _supervised(
    plan: RunPlan, load: LoadProcess, view: Callable[[], View], interruption: Interruption
) -> RunResult:
    from chaos.runner.plan.listeners import require_free_ports

    require_free_ports(plan.prepared.reading)
    if plan.options.live is None and plan.options.ui is None:
        return await _run_and_report(plan, load, view(), interruption)
    from chaos.runner.live.live import watched
    from chaos.runner.terminal.view import Views

    async with watched(plan.options.live, load if plan.options.ui else None) as live:
        result = await _run_and_report(plan, load, Views(view(), live), interruption, live)
        await live.close()
        return result


async def _run_and_report(
    plan: RunPlan, load: LoadProcess, watcher: View, interruption: Interruption, live: Live | None = None
) -> RunResult:
    from chaos.runner.processes.report import Reporter
    from chaos.runner.supervise.journal import run_folder
    from chaos.runner.supervise.supervisor import Supervisor

    folder = run_folder(plan.options.out, plan.name, time.localtime())
    reporter = Reporter(folder, wanted=plan.options.report)
    try:
        try:
            result = await Supervisor(plan, folder, watcher, reporter, interruption, load, live).run()
        finally:
            with contextlib.suppress(OSError):
                load.child.log.save(folder / "load.log")
                _redact_logs(folder, plan.redaction())
        if result.exit_code is ExitCode.INTERRUPTED:
            interruption.forget()  # a signal that came while the processes were ended stays
        result = await _reported(result, reporter, interruption, watcher)
    finally:
        await reporter.stop()
    watcher.end(result)
    return result


def _redact_logs(folder: Path, redact: Redaction) -> None:
    """Take secrets out of the logs of the run's processes, which have ended but for the report's: that has read nothing
    yet. Raises OSError."""
    from chaos.runner.processes.log import redact_file

    for path in sorted(folder.glob("*.log")) if redact.is_needed else ():
        redact_file(path, redact)


async def _reported(result: RunResult, reporter: Reporter, interruption: Interruption, watcher: View) -> RunResult:
    """Render the report and return the result. A first Ctrl-C may have been meant for the run, which is over, so it
    does not stop the report."""
    from chaos.runner.supervise.interruption import Interrupted

    try:
        trouble = await interruption.unless(reporter.render(), insistent=True)
    except Interrupted:
        trouble = f"interrupted while the report was made; `chaos report {reporter.folder}` makes it"
        result = replace(result, exit_code=ExitCode.INTERRUPTED)
    if trouble:
        watcher.event("warning", trouble)
    return result


@contextlib.asynccontextmanager
async def _early_load() -> AsyncIterator[LoadProcess]:
    """Start the load's process and end it with the block. Its log is in memory, because the run has no folder yet."""
    load = await LoadProcess.start()
    try:
        yield load
    finally:
        await load.child.stop(grace=0.2)


def _not_run(file: str, error: ChaosError) -> RunResult:
    from chaos.runner.terminal.result import RunResult

    return RunResult(Path(file).stem or file, file, "not run", error.exit_code, (str(error),))


def exit_code(results: Sequence[RunResult]) -> int:
    from chaos.runner.terminal.result import worst_code

    return int(worst_code(result.exit_code for result in results))
