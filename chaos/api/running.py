"""Run experiments from a program: journal and report as by `chaos run`, and not a word on the terminal."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from chaos.api.experiment import Experiment, load_experiment, planned
from chaos.api.inputs import Name, at_least
from chaos.api.result import Result, read_run
from chaos.runner.plan.options import RunOptions
from chaos.runner.plan.run_plan import RunPlan
from chaos.runner.start import run_planned
from chaos.runner.supervise.interruption import Interruption
from chaos.runner.terminal.view import View

Told = Callable[[str, str], None]
"""Is handed `info`, `warning` or `error`, and a text."""


class _Events(View):
    """Passes on what happens, and nothing else."""

    def __init__(self, told: Told | None):
        self._told = told

    def event(self, level: str, text: str) -> None:
        if self._told is not None:
            self._told(level, text)


def run(
    experiment: Experiment | Name,
    *,
    out: Name = "reports",
    report: bool = True,
    seed: int | None = None,
    gateway: str | None = None,
    workers: int = 1,
    on_event: Told | None = None,
) -> Result:
    """Run an experiment to its end, and return what came of it; journal and report are in a new folder in `out`.

    `seed` repeats a run's faults, request by request. `gateway` is the URL of one that runs already, `workers` the
    number of processes of ours. `on_event` is told what happens meanwhile (level, text); nothing is printed.

    Raises InvalidInput for what is wrong with the file or an argument, before anything is sent, and EnvironmentFailed
    when the run cannot even begin; whatever happens to it later is in the result. In the main thread a signal (Ctrl-C,
    SIGTERM, SIGHUP) ends the run in good order, and then does what it would have done without one: after Ctrl-C,
    KeyboardInterrupt is raised. Raises RuntimeError where an event loop is running: there, await `run_async`."""
    if _in_a_loop():
        raise RuntimeError("an event loop is running here: use `await chaos.run_async(...)`")
    plan = _planned(experiment, out, report, seed, gateway, workers)
    result, arrived = asyncio.run(_interruptible(plan, on_event))
    if arrived is not None:
        signal.raise_signal(arrived)
    return result


async def run_async(
    experiment: Experiment | Name,
    *,
    out: Name = "reports",
    report: bool = True,
    seed: int | None = None,
    gateway: str | None = None,
    workers: int = 1,
    on_event: Told | None = None,
) -> Result:
    """As `run`, in the caller's event loop. Signals are left to the caller; cancel the task to end the run: its
    processes are then ended, and its journal says `interrupted`."""
    plan = _planned(experiment, out, report, seed, gateway, workers)
    with Interruption(signals=False) as interruption:
        return await _run(plan, on_event, interruption)


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _planned(
    experiment: Experiment | Name, out: Name, report: bool, seed: int | None, gateway: str | None, workers: int
) -> RunPlan:
    at_least("seed", seed, 0)
    at_least("workers", workers, 1)
    found = experiment if isinstance(experiment, Experiment) else load_experiment(experiment)
    options = RunOptions(out=Path(os.fspath(out)), seed=seed, gateway=gateway, workers=workers, report=report)
    return planned(found, options)


async def _interruptible(plan: RunPlan, on_event: Told | None) -> tuple[Result, signal.Signals | None]:
    with Interruption(exits=False) as interruption:
        return await _run(plan, on_event, interruption), interruption.last


async def _run(plan: RunPlan, on_event: Told | None, interruption: Interruption) -> Result:
    ended = await run_planned(plan, lambda: _Events(on_event), interruption)
    assert ended.folder is not None
    return read_run(ended.folder)
