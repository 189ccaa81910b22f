"""Supervise one run from start to end: start the processes, drive the phases, judge every digest, end everything.

Whatever goes wrong, the measurements are kept, the children are ended, and the journal gets its last record. Events
arrive in one queue (`events`); `phases` handles them, and `standing` keeps the verdicts.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chaos.claims.checks import told_of_checks
from chaos.claims.silent_applications import silent_applications
from chaos.claims.upstream_errors import upstream_errors
from chaos.errors import ChaosError, EnvironmentFailed, ExitCode, Severity
from chaos.formatting import plural
from chaos.journal.records import End, Event
from chaos.loopback import is_loopback
from chaos.protocol.digest import BY_HAND, WARM_UP
from chaos.protocol.load_workers import Joining
from chaos.runner.outside.follow import AccessLog
from chaos.runner.plan.run_plan import RunPlan
from chaos.runner.processes.endpoints import try_endpoints
from chaos.runner.processes.load import LoadProcess
from chaos.runner.processes.load_messages import load_plan
from chaos.runner.processes.report import Reporter
from chaos.runner.processes.session import DRAIN, Session, here, start
from chaos.runner.supervise.events import Events
from chaos.runner.supervise.interruption import Interrupted, Interruption
from chaos.runner.supervise.journal import JournalWriter
from chaos.runner.supervise.measurement import Recording
from chaos.runner.supervise.phases import Driver, Stopped
from chaos.runner.supervise.standing import Standing
from chaos.runner.supervise.workers import told_of_workers
from chaos.runner.terminal.result import RunResult, outcome_of
from chaos.runner.terminal.view import View

if TYPE_CHECKING:
    from chaos.runner.istio.deeper import DeeperCalls
    from chaos.runner.live.live import Live

INTERVAL = 0.5  # seconds between digests: how soon a verdict can be reached

Conclusion = tuple[str, ExitCode, tuple[str, ...]]
"""Outcome, exit code, reasons."""


class Supervisor:
    """Supervises one run; use it once: `await Supervisor(...).run()`. `load` has been started while the experiment was
    still being read; `live` is the live page, if there is one."""

    def __init__(
        self,
        plan: RunPlan,
        folder: Path,
        view: View,
        reporter: Reporter,
        interruption: Interruption,
        load: LoadProcess,
        live: Live | None = None,
    ):
        self.plan, self.folder, self.view, self.reporter = plan, folder, view, reporter
        self.interruption, self.load, self.live = interruption, load, live
        self.redact = plan.redaction()
        self.journal = JournalWriter(folder, self.redact, live.observe if live is not None else None)
        self.recording = Recording(self.journal, plan.judge(), plan.effects, counts=plan.options.engine.counts)
        self.standing = Standing(plan, self.recording, view)
        self.events = Events(interruption)
        self.calls: DeeperCalls | None = None

    async def run(self) -> RunResult:
        """Run, and return the result. Failures of the run are not raised but are its outcome. If the task is cancelled,
        the journal records it."""
        self.journal.write(self.plan.plan_record(self.folder.name))
        self.view.begin(self.plan.name, self.plan.description, self.folder)
        if self.live is not None and self.live.url:
            self._report_event("info", f"the live page is at {self.live.url}")
        for level, text in self.plan.announcements():
            self._report_event(level, text)
        try:
            outcome, code, found = await self._concluded()
            reasons = tuple(map(self.redact, found))
            self._end(outcome, code, reasons)
        except asyncio.CancelledError:
            self._end("interrupted", ExitCode.INTERRUPTED, ("the run was cancelled",))
            raise
        finally:
            self.journal.close()
        return RunResult(
            self.plan.name,
            self.plan.file,
            outcome,
            code,
            reasons,
            tuple(self.standing.findings),
            self.folder,
            self.recording.counted,
            self.journal.now,
            self._where_to_look(),
        )

    def _where_to_look(self) -> str:
        """Return a line about failures that met no fault, empty without any."""
        plan = self.plan
        return self.recording.unexplained.line(
            {task.name for task in plan.tasks if task.direct},
            self.folder,
            plan.gateway,
            replays=plan.search is None and not plan.load.locustfile and plan.options.engine.seeded,
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
            raise EnvironmentFailed("no request had a response: " + (self.recording.errors or "none was sent"))
        searched = [finding for finding in self.standing.findings if finding.kind == "search"]
        without_faults = {phase.name for phase in self.plan.phases if not phase.faults}
        return outcome_of(searched or self.standing.findings, without_faults)

    async def _start_and_measure(self) -> None:
        """Start everything and measure. Raises Stopped and EnvironmentFailed, after the measurements were judged."""
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self.events.close)
            driver = await self._start_unless_interrupted(stack)
            stopped: Stopped | None = None
            try:
                await self._wait_for_start(driver)
                await driver.run()
            except Stopped as early:
                stopped = early
            await driver.finish_load()
            await self._finish_log(hurry=stopped is not None)
            await self._finish_calls(hurry=stopped is not None)
            driver.count_levels_again()
            await self.standing.update_verdicts(driver.gateway, now=True)
            self._warn_of_upstream()
            self._warn_of_silence(driver)
            self._tell_of_warm_up()
            self._tell_of_switch()
            self._tell_of_checks()
            self._tell_of_workers()
            if stopped is not None:
                raise stopped

    async def _begin_calls(self) -> None:
        """Note what Prometheus has counted of the calls of applications, if it is to tell. Raises EnvironmentFailed."""
        mesh = self.plan.options.engine.mesh
        if mesh is None or not mesh.prometheus:
            return
        from chaos.runner.istio.deeper import DeeperCalls

        if not mesh.deeper:
            self._report_event("warning", "--prometheus has nothing to tell: tasks take every rule with a fault")
        self.calls = DeeperCalls(mesh.prometheus, self.plan.rules, mesh.deeper, everybody=mesh.everybody)
        await self.calls.begin()

    async def _finish_calls(self, *, hurry: bool) -> None:
        """Tell what Prometheus has counted of them, once it has scraped the proxies after the load."""
        if self.calls is None or hurry:
            return
        try:
            found = await self.interruption.unless(self.calls.end())
        except Interrupted:
            return
        except EnvironmentFailed as error:
            self._report_event("warning", f"calls of applications were not counted: {error}")
            return
        for finding in found:
            self._report_event("info", finding.sentence)
        self.standing.more = (*self.standing.more, *found)

    async def _finish_log(self, *, hurry: bool) -> None:
        """Wait for the last lines of the access log, if there is one and they would decide something."""
        log = self.recording.log
        if log is None:
            return
        await self.standing.update_verdicts(None, now=True)
        if any(each.open for each in self.standing.findings):
            await self._wait_for_log(log, hurry=hurry)
        for text in log.complaints({each.kind for each in self.plan.expected}):
            self._report_event("warning", text)

    async def _wait_for_log(self, log: AccessLog, *, hurry: bool) -> None:
        observed = self.recording.judge.observed
        log.wait()
        if not hurry and not log.over(observed):
            self._report_event("info", "the load is over; waiting for the last lines of the access log")
            with contextlib.suppress(Interrupted):
                await self.interruption.unless(self._last_lines(log))
        log.finish(observed)

    async def _last_lines(self, log: AccessLog) -> None:
        while not log.over(self.recording.judge.observed):
            await asyncio.sleep(INTERVAL)
            self.recording.poll_log()

    def _warn_of_upstream(self) -> None:
        """Report the errors that upstream itself answered with, of which no claim speaks."""
        for text in upstream_errors(self.plan.effects, self.recording.judge.observed, self.recording.counters):
            self._report_event("warning", text)

    def _warn_of_silence(self, driver: Driver) -> None:
        """Report applications under test that called nobody, if the whole load goes to them."""
        direct = {task.host for task in self.plan.tasks if task.direct}
        if driver.gateway is not None and all(task.direct for task in self.plan.tasks):
            recording = self.recording
            text = silent_applications(direct, recording.judge.observed, recording.counters, driver.gateway.url)
            if text:
                self._report_event("warning", text)

    def _tell_of_checks(self) -> None:
        """Report how many responses were not what their tasks expect."""
        for text in told_of_checks(self.recording.judge.observed):
            self._report_event("warning", text)

    def _tell_of_workers(self) -> None:
        """Report how many load workers took part, and of which of them something is unknown."""
        for level, text in told_of_workers(self.recording.workers):
            self._report_event(level, text)

    def _tell_of_warm_up(self) -> None:
        """Report how many requests the warm-up had."""
        count = self.recording.per_phase.get(WARM_UP, 0)
        if count:
            text = f"the warm-up had {plural(count, 'request')}, which no verdict, hypothesis or figure counts"
            self._report_event("info", text)

    def _tell_of_switch(self) -> None:
        """Report how many requests no claim is about, because somebody had switched the faults."""
        count = self.recording.per_phase.get(BY_HAND, 0)
        if count:
            self._report_event("warning", f"{plural(count, 'request')} met {BY_HAND[1:-1]}, and no verdict counts them")

    async def _start_unless_interrupted(self, stack: contextlib.AsyncExitStack) -> Driver:
        try:
            return await self.interruption.unless(self._start(stack))
        except Interrupted:
            raise Stopped("interrupted", ExitCode.INTERRUPTED, "interrupted before the load began") from None

    async def _start(self, stack: contextlib.AsyncExitStack) -> Driver:
        """Start the gateway, services and Locust side by side, then the load, and return the driver of the phases."""
        plan = self.plan
        await self._look_at_mesh()
        await self._begin_calls()
        session = await stack.enter_async_context(
            start(
                plan.started,
                plan.gateway if plan.gateway is not None else plan.gateway_plan(),
                seed=plan.seed,
                folder=self.folder,
                load=None if plan.options.ui else self.load,  # its process serves the page, to the last
                program=plan.options.program or plan.options.engine.program,
                pace=plan.options.engine.pace,
                say=self._report_event,
            )
        )
        if session.gateway is not None and plan.options.engine.mesh is None:  # those of others are unknown
            await try_endpoints(plan.prepared.registry(session.services.addresses))
        if plan.options.access_log is not None:
            self.recording.log = AccessLog(plan.options.access_log, plan)
            stack.callback(self.recording.log.close)
        stack.push_async_callback(self.events.close)  # first when the stack unwinds, before children end
        for child in session.children:
            self.events.watch(child)
        if plan.options.ui:
            stack.push_async_callback(self._end_load)
        joining = self._joining(session)
        tasks = await asyncio.to_thread(plan.described_tasks, session.services.addresses)
        driver = Driver(plan, self.standing, self.events, session.gateway, self.load, self._report_event)
        await driver.enter(driver.first)
        await self.load.begin(
            replace(
                load_plan(
                    plan.load,
                    tasks,
                    gateway=session.url,
                    seed=plan.seed,
                    feeder=plan.feeder,
                    compared=plan.compared_tasks,
                    **session.secure_door,
                ),
                interval=INTERVAL,
                admin=session.gateway.admin.url if session.gateway is not None else None,
                joining=joining,
                **plan.load_extra(),
            ),
            self._report_event,
        )
        self._tell_addresses(session)
        self.events.listen_to(self.load)
        await self.reporter.warm()
        return driver

    def _joining(self, session: Session) -> Joining | None:
        """Return how the load's workers join, with the URL under which they reach the gateway, and report that."""
        joining = self.plan.joining
        if joining is None:
            return None
        if not joining.advertised:
            joining = replace(joining, gateway=session.gateway.url if session.gateway is not None else session.url)
        if session.gateway is not None and session.secure is not None:
            secure = next(url for url in session.gateway.listeners.values() if here(url) == session.secure)
            joining = replace(joining, secure=secure)
        if session.gateway is not None and not is_loopback(urlsplit(session.gateway.url).hostname or ""):
            where = session.gateway.url.removeprefix("http://")
            text = f"the gateway listens on {where}, where its services can be reached from other hosts while it runs"
            self._report_event("info", text)
        if joining.advertised:
            self._report_event("info", f"load workers reach the gateway at {joining.gateway}")
        return joining

    async def _look_at_mesh(self) -> None:
        """Look whether a running mesh is as the run needs it. Raises InvalidInput with everything that is not."""
        if self.plan.options.engine.mesh is None:
            return
        from chaos.runner.istio.preflight import preflight_of

        found = await preflight_of(self.plan)
        for level, text in found.notes:
            self._report_event(level, text)
        found.require()

    def _tell_addresses(self, session: Session) -> None:
        """Report where the pages of the run are, and let them reach the gateway."""
        if self.load.ui:
            self._report_event("info", f"Locust's web UI is at {self.load.ui}")
        if self.live is not None and session.gateway is not None:
            self.live.use_gateway(session.gateway.admin.url)

    async def _wait_for_start(self, driver: Driver) -> None:
        """Wait until somebody has started the load in the web UI, if it waits for that. Raises Stopped and
        EnvironmentFailed."""
        if self.plan.waits:
            self._report_event("info", "the load begins when Start is pressed there")
            if self.live is not None:
                self.live.wait_for_start()
            await driver.wait_for_start()
        self.standing.begin()

    async def _end_load(self) -> None:
        """End the load's process before the gateway, unless it has told all: then it only serves the page."""
        if not self.load.done:
            await self.load.child.stop(DRAIN)

    def _report_event(self, level: Severity, text: str) -> None:
        """Write an event to the journal and show it, on a terminal without secrets, too: it may be a build's log."""
        text = self.redact(text)
        self.journal.write(Event(level=level, text=text))
        self.view.event(level, text)
