"""One run from start to end: starts the processes, drives the phases, judges every digest, ends everything.

Whatever goes wrong, what was measured is kept, the children are ended, and the journal gets its last line. What can
happen meanwhile arrives in one queue (`events`); `phases` acts on it, `standing` knows where the verdicts are.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from chaos.errors import ChaosError, EnvironmentFailed, ExitCode
from chaos.journal.records import End, Event
from chaos.runner.plan.run_plan import Outset
from chaos.runner.processes.endpoints import try_endpoints
from chaos.runner.processes.load import LoadProcess
from chaos.runner.processes.load_messages import load_plan
from chaos.runner.processes.report import Reporter
from chaos.runner.processes.session import start
from chaos.runner.supervise.events import Events
from chaos.runner.supervise.interruption import Interrupted, Interruption
from chaos.runner.supervise.journal import JournalWriter
from chaos.runner.supervise.measurement import Recording
from chaos.runner.supervise.phases import Driver, Stopped
from chaos.runner.supervise.standing import Standing
from chaos.runner.terminal.result import RunResult, outcome_of
from chaos.runner.terminal.view import View

INTERVAL = 0.5  # seconds between digests: how soon a verdict can be reached

Conclusion = tuple[str, ExitCode, tuple[str, ...]]
"""Outcome, exit code, reasons."""


class Supervisor:
    """Use once: `await Supervisor(...).run()`. `load` has been started while the experiment was still being read."""

    def __init__(
        self,
        outset: Outset,
        folder: Path,
        view: View,
        reporter: Reporter,
        interruption: Interruption,
        load: LoadProcess,
    ):
        self.outset, self.folder, self.view, self.reporter = outset, folder, view, reporter
        self.interruption, self.load = interruption, load
        self.journal = JournalWriter(folder)
        self.recording = Recording(self.journal, outset.bench())
        self.standing = Standing(outset, self.recording, view)
        self.events = Events(interruption)

    async def run(self) -> RunResult:
        """Never raises for what happens to the run; the result says how it ended. Cancelled, it has an end as well."""
        self.journal.write(self.outset.plan_record(self.folder.name))
        self.view.begin(self.outset.name, self.outset.description, self.folder)
        for level, text in self.outset.announcements():
            self._say(level, text)
        try:
            outcome, code, reasons = await self._concluded()
            self._end(outcome, code, reasons)
        except asyncio.CancelledError:
            self._end("interrupted", ExitCode.INTERRUPTED, ("the run was cancelled",))
            raise
        finally:
            self.journal.close()
        return RunResult(
            self.outset.name,
            self.outset.file,
            outcome,
            code,
            reasons,
            tuple(self.standing.findings),
            self.folder,
            self.recording.requests,
            self.journal.now,
        )

    def _end(self, outcome: str, code: ExitCode, reasons: tuple[str, ...]) -> None:
        self.journal.write(End(outcome=outcome, exit_code=int(code), reasons=reasons))

    async def _concluded(self) -> Conclusion:
        try:
            await self._start_and_measure()
            return self._conclude()
        except Stopped as stopped:
            return stopped.outcome, stopped.code, stopped.reasons
        except ChaosError as error:
            self.journal.write(Event(level="error", text=str(error)))
            return "environment-failed", error.exit_code, (str(error),)

    def _conclude(self) -> Conclusion:
        if not self.recording.answered:
            raise EnvironmentFailed("no request was answered: " + (self.recording.errors or "none was sent"))
        searched = [finding for finding in self.standing.findings if finding.kind == "search"]
        return outcome_of(searched or self.standing.findings)

    async def _start_and_measure(self) -> None:
        """Raises Stopped and EnvironmentFailed; what was measured until then has been judged."""
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self.events.close)
            driver = await self._start_unless_interrupted(stack)
            stopped: Stopped | None = None
            try:
                await driver.run()
            except Stopped as early:
                stopped = early
            await driver.finish_load()
            await self.standing.look(driver.gateway, now=True)
            if stopped is not None:
                raise stopped

    async def _start_unless_interrupted(self, stack: contextlib.AsyncExitStack) -> Driver:
        try:
            return await self.interruption.unless(self._start(stack))
        except Interrupted:
            raise Stopped("interrupted", ExitCode.INTERRUPTED, "interrupted before the load began") from None

    async def _start(self, stack: contextlib.AsyncExitStack) -> Driver:
        """Gateway, services and Locust come up side by side; the load begins when all of them answer."""
        outset = self.outset
        session = await stack.enter_async_context(
            start(
                outset.prepared,
                outset.gateway if outset.gateway is not None else outset.gateway_plan(),
                seed=outset.seed,
                folder=self.folder,
                load=self.load,
                program=outset.options.program,
                say=self._say,
            )
        )
        if session.gateway is not None:  # another gateway has endpoints of its own
            await try_endpoints(outset.prepared.registry(session.services.addresses))
        stack.push_async_callback(self.events.close)  # before anything is ended on purpose
        for child in session.children:
            self.events.watch(child)
        driver = Driver(outset, self.standing, self.events, session.gateway, self.load, self._say)
        await driver.enter(driver.first)
        await self.load.begin(
            load_plan(
                outset.load,
                outset.placed_tasks(session.services.addresses),
                gateway=session.url,
                seed=outset.seed,
                interval=INTERVAL,
                admin=session.gateway.admin.url if session.gateway is not None else None,
                **outset.load_extra(),
            )
        )
        if self.load.ui:
            self._say("info", f"Locust's web UI is at {self.load.ui}")
        self.events.listen_to(self.load)
        self.standing.begin()
        await self.reporter.warm()
        return driver

    def _say(self, level: str, text: str) -> None:
        assert level in ("info", "warning", "error")
        self.journal.write(Event(level=level, text=text))  # type: ignore[arg-type]
        self.view.event(level, text)
