"""One run from start to end: starts the processes, drives the phases, judges every digest, ends everything.

Everything that can happen arrives in one queue (`chaos.run.supervise.events`). Whatever goes wrong, what was measured
is kept, the children are ended, and the journal gets its last line.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chaos.claims.finding import Finding
from chaos.errors import ChaosError, EnvironmentFailed, ExitCode
from chaos.journal.records import End, Event, Phase
from chaos.run.plan.phases import RunPhase
from chaos.run.plan.run_plan import Outset
from chaos.run.plan.search import SearchPlan
from chaos.run.processes.gateway import GatewayProcess, start_gateway
from chaos.run.processes.load import LoadProcess
from chaos.run.processes.load_messages import load_plan
from chaos.run.processes.ports import accepts
from chaos.run.processes.report import Reporter
from chaos.run.processes.services import Services
from chaos.run.supervise.events import ChildEnded, Happening, LoadSaid, SignalArrived
from chaos.run.supervise.interruption import Interrupted, Interruption
from chaos.run.supervise.journal import JournalWriter
from chaos.run.supervise.measurement import Recording
from chaos.run.terminal.result import RunResult, outcome_of
from chaos.run.terminal.view import State, View
from chaos.verify.verdict import Verdict

INTERVAL = 0.5  # seconds between digests: how soon a verdict can be reached
TRANSITION = (
    "(transition)"  # the phase of requests that meet the gateway while its rules change; no verdict counts them
)
NO_TRAFFIC_PATIENCE = 5.0  # seconds after which a claim that saw no request is not waited for
DRAIN_SLACK = 3.0  # seconds beyond the longest answer that the load is given to end


class Stopped(Exception):  # noqa: N818 - named for what happened
    """The run ends before its time: how, and why."""

    def __init__(self, outcome: str, code: ExitCode, *reasons: str):
        self.outcome, self.code, self.reasons = outcome, code, reasons


class Supervisor:
    """Use once: `await Supervisor(outset, folder, view, reporter).run()`. `early`: a load process that was started
    while the experiment was still being read."""

    def __init__(
        self,
        outset: Outset,
        folder: Path,
        view: View,
        reporter: Reporter,
        interruption: Interruption,
        early: LoadProcess | None = None,
    ):
        self._early = early
        self._interruption = interruption
        self.outset, self.folder, self.view, self.reporter = outset, folder, view, reporter
        self.journal = JournalWriter(folder)
        self.recording = Recording(self.journal, outset.bench())
        self.findings: list[Finding] = []
        self._more: tuple[Finding, ...] = ()
        self._phase = RunPhase()
        self._text: str | None = None
        self._queue: asyncio.Queue[Happening] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._gateway: GatewayProcess | None = None
        self._load: LoadProcess | None = None
        self._load_done = False
        self._load_trouble = ""
        self._stopping = False
        self._began = self._phase_began = time.monotonic()

    # ---------------------------------------------------------------- the whole run
    async def run(self) -> RunResult:
        """Never raises for what happens to the run; the result says how it ended."""
        self.journal.write(self.outset.plan_record(self.folder.name))
        self.view.begin(self.outset.name, self.outset.description, self.folder)
        for level, text in self.outset.announcements():
            self._say(level, text)
        self._interruption.listen(lambda: self._queue.put_nowait(SignalArrived()))
        try:
            await self._start_and_measure()
            outcome, code, reasons = self._conclude()
        except Stopped as stopped:
            outcome, code, reasons = stopped.outcome, stopped.code, stopped.reasons
        except ChaosError as error:
            self.journal.write(Event(level="error", text=str(error)))
            outcome, code, reasons = "environment-failed", error.exit_code, (str(error),)
        self._interruption.listen(None)
        self.journal.write(End(outcome=outcome, exit_code=int(code), reasons=tuple(reasons)))
        self.journal.close()
        return RunResult(
            self.outset.name,
            self.outset.file,
            outcome,
            code,
            tuple(reasons),
            tuple(self.findings),
            self.folder,
            self.recording.requests,
            self.journal.now,
        )

    async def _start_and_measure(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._end_tasks)
            await self._start_unless_interrupted(stack)
            stopped: Stopped | None = None
            try:
                if self.outset.search is not None:
                    await self._run_search(self.outset.search)
                else:
                    await self._run_phases()
            except Stopped as early:
                stopped = early
            await self._finish_load()
            await self._look(now=True)
            if stopped is not None:
                raise stopped

    async def _start_unless_interrupted(self, stack: contextlib.AsyncExitStack) -> None:
        try:
            await self._interruption.unless(self._start(stack))
        except Interrupted:
            raise Stopped("interrupted", ExitCode.INTERRUPTED, "interrupted before the load began") from None

    def _conclude(self) -> tuple[str, ExitCode, tuple[str, ...]]:
        if not self.recording.answered:
            raise EnvironmentFailed("no request was answered: " + (self.recording.errors or "none was sent"))
        searched = [finding for finding in self.findings if finding.kind == "search"]
        return outcome_of(searched or self.findings)

    # ---------------------------------------------------------------- starting
    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        """Gateway, services and Locust come up side by side; the load begins when all of them answer."""
        outset = self.outset
        services = Services(outset.prepared.services, self.folder, seed=outset.seed, base=outset.file, say=self._say)
        await stack.enter_async_context(services)
        gateway, self._load = await _side_by_side(
            self._start_gateway(stack, services), self._start_load(stack), services.start_builtin()
        )
        url = gateway
        await services.use_gateway(url)
        self._watch_services(services)
        if self._gateway is not None:
            self._watch("the gateway", self._gateway.child.process)
        await self._enter(self._first_phase())
        tasks = outset.placed_tasks(services.addresses)
        await self._load.begin(
            load_plan(
                outset.load,
                tasks,
                gateway=url,
                seed=outset.seed,
                interval=INTERVAL,
                admin=self._gateway.admin.url if self._gateway is not None else None,
                **outset.load_extra(),
            )
        )
        if self._load.ui:
            self._say("info", f"Locust's web UI is at {self._load.ui}")
        self._tasks.append(asyncio.ensure_future(self._listen_to(self._load)))
        self._began = time.monotonic()
        await self.reporter.warm()

    async def _start_gateway(self, stack: contextlib.AsyncExitStack, services: Services) -> str:
        """The URL that load is sent to."""
        outset = self.outset
        if outset.gateway is not None:
            await _reachable(outset.gateway)
            return outset.gateway
        self._gateway = await start_gateway(
            outset.files,
            services.addresses,
            self.folder,
            seed=outset.seed,
            workers=outset.workers,
            overrides=outset.overrides,
            program=outset.options.program,
        )
        stack.push_async_callback(self._gateway.child.stop, 0.3)
        return self._gateway.url

    async def _start_load(self, stack: contextlib.AsyncExitStack) -> LoadProcess:
        load = self._early or await LoadProcess.start(self.folder / "load.log")
        stack.push_async_callback(load.child.stop, 0.3)
        return load

    async def _listen_to(self, load: LoadProcess) -> None:
        async for message in load.messages():
            self._queue.put_nowait(LoadSaid(message))
        await load.child.process.wait()
        if not self._load_done:
            self._queue.put_nowait(ChildEnded(load.child.name, f"{load.child.how_it_ended()}{load.child.last_words()}"))

    def _watch(self, name: str, process: asyncio.subprocess.Process) -> None:
        async def wait() -> None:
            code = await process.wait()
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            self._queue.put_nowait(ChildEnded(name, how))

        self._tasks.append(asyncio.ensure_future(wait()))

    def _watch_services(self, services: Services) -> None:
        for child in services.children:
            self._watch(child.name, child.process)

    # ---------------------------------------------------------------- phases
    async def _run_phases(self) -> None:
        for index, phase in enumerate(self.outset.phases):
            if index:
                await self._enter(phase)
            try:
                ended_by = await self._hold(phase)
            finally:
                self._leave(phase)
            if ended_by == "load":
                return

    def _first_phase(self) -> RunPhase:
        """The phase in which the load begins; a search begins with faults off, its levels come one by one."""
        return self.outset.phases[0] if self.outset.search is None else RunPhase("start", faults=False)

    async def _run_search(self, plan: SearchPlan) -> None:
        """Level by level, until the search knows enough."""
        search = plan.search()
        self._leave(self._phase)
        while (level := search.next()) is not None:
            phase = self.outset.level(plan, level)
            self.recording.bench = self.outset.level_bench(plan, phase, 1 - search.alpha)
            await self._enter(phase)
            try:
                ended_by = await self._hold(phase)
            finally:
                self._leave(phase)
                verdict = self._of_phase(phase.name)[0].verdict if self._of_phase(phase.name) else Verdict.NO_TRAFFIC
                search.record(level, verdict)
                self._more = (*self._levels(phase), search.finding(plan.quantity, plan.hold.text))
            self._say("info", f"{plan.quantity.show(level)}: {verdict.value}")
            if ended_by == "load":
                break
        self.recording.bench = self.outset.bench()

    def _levels(self, phase: RunPhase) -> tuple[Finding, ...]:
        """The findings of the levels so far, this one's included, without the search's own."""
        return (*(each for each in self._more if each.kind != "search"), *self._of_phase(phase.name))

    async def _enter(self, phase: RunPhase) -> None:
        """From now on the gateway decides and counts under this phase; requests that meet the change count nowhere."""
        self._phase = phase
        if self._gateway is not None and (phase.name or not phase.faults):
            if phase.text != self._text:
                await self._gateway.admin.set_phase({"name": TRANSITION, "faults": phase.faults})
                await self._gateway.admin.put_rules(phase.text if phase.text is not None else self.outset.own_text())
                self._text = phase.text
            await self._gateway.admin.set_phase({"name": phase.name, "faults": phase.faults})
        if self._load is not None and self._load.began:
            await self._load.command("phase", name=phase.name)
        self.journal.write(Phase(name=phase.name, event="begin", faults=phase.faults))
        if phase.name:
            self._say("info", f"phase {phase.name}: faults {'on' if phase.faults else 'off'}")

    def _leave(self, phase: RunPhase) -> None:
        self.journal.write(Phase(name=phase.name, event="end", faults=phase.faults))

    async def _hold(self, phase: RunPhase) -> str:
        """Until the phase ends; what ended it. Raises Stopped and EnvironmentFailed."""
        self._phase_began = time.monotonic()
        deadline = self._phase_began + phase.stop.limit
        while True:
            if time.monotonic() >= deadline:
                return "duration"
            happening = await self._next(deadline)
            if not isinstance(happening, LoadSaid):
                continue
            kind = happening.message.get("type")
            if kind == "done":
                return "load"
            if kind != "digest":
                continue
            await self._look()
            if phase.stop.requests is not None and self.recording.per_phase.get(phase.name, 0) >= phase.stop.requests:
                return "requests"
            if phase.stop.decided and self._decided(phase.name):
                return "decided"

    def _of_phase(self, phase: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.phase == phase]

    def _decided(self, phase: str) -> bool:
        """Whether no verdict of the phase is open. Claims that see no traffic do not hold up the others forever."""
        mine = [finding.verdict for finding in self._of_phase(phase)]
        patient = time.monotonic() - self._phase_began < NO_TRAFFIC_PATIENCE
        return all(each.decided or (each is Verdict.NO_TRAFFIC and not patient) for each in mine) and bool(mine)

    async def _next(self, deadline: float) -> Happening | None:
        """The next thing that happens, dealt with as far as it is the same in every phase; None at the deadline."""
        timeout = min(max(deadline - time.monotonic(), 0.0), 1.0)
        try:
            happening = await asyncio.wait_for(self._queue.get(), timeout)
        except TimeoutError:
            return None
        match happening:
            case LoadSaid(message):
                await self._heard(message)
            case ChildEnded(name, how):
                if not self._stopping:
                    raise EnvironmentFailed(f"{name} {how}")
            case SignalArrived():
                raise Stopped("interrupted", ExitCode.INTERRUPTED, "interrupted by the user")
        return happening

    async def _heard(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "digest":
                fired = self.recording.digest(message)
                if fired is not None:
                    await self._stop_by(fired)
            case "sample":
                self.recording.sample(message)
            case "done":
                self._load_done = True
                self._load_ended(message.get("reason", ""))
            case "event":
                self._load_trouble = message["text"] if message["level"] == "error" else self._load_trouble
                self._say(message["level"], f"the load: {message['text']}")

    def _load_ended(self, reason: str) -> None:
        """Raises EnvironmentFailed when it was not of its own accord: what it was to send has not been sent."""
        if reason == "failed":
            raise EnvironmentFailed(f"the load failed: {self._load_trouble or self._load_words()}")
        if reason == "signal" and not self._stopping:
            raise EnvironmentFailed("the load was ended by a signal that was not ours")

    def _load_words(self) -> str:
        return self._load.child.last_words().removeprefix(": ") if self._load is not None else ""

    async def _stop_by(self, fired: Finding) -> None:
        """A safeguard: faults off at once, then the run ends."""
        self._more = (*self._more, fired)
        if self._gateway is not None:
            await self._gateway.admin.set_faults(False)
        self._say("error", f"safeguard {fired.title}: {fired.sentence}")
        raise Stopped("stopped by a safeguard", ExitCode.SAFEGUARD, fired.sentence)

    # ---------------------------------------------------------------- judging
    async def _look(self, *, now: bool = False) -> None:
        """Ask the gateway what it counted, and write down where the verdicts stand."""
        if self._gateway is not None and self._gateway.child.alive:
            await self._ask(self._gateway, now=now)
        starved = self.recording.starved(self.outset.load.arrival_rate)
        self.findings = self.recording.judge(starved=starved, more=self._more)
        self.view.update(self._state())

    async def _ask(self, gateway: GatewayProcess, *, now: bool) -> None:
        """Raises EnvironmentFailed; of a gateway that has just died it says so, and not that it does not answer."""
        try:
            await self.recording.ask(gateway.admin)
            if self.outset.follows_faults:
                await self.recording.ask_faulted(gateway.admin, now=now)
        except EnvironmentFailed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(gateway.child.process.wait(), 0.5)
            if gateway.child.alive:
                raise
            raise EnvironmentFailed(f"the gateway {gateway.child.how_it_ended()}") from None

    def _state(self) -> State:
        recording = self.recording
        return State(
            self._phase.name,
            time.monotonic() - self._began,
            recording.requests,
            recording.rate,
            recording.users,
            self._time_left(),
            tuple(self._of_phase(self._phase.name)),
        )

    def _time_left(self) -> float | None:
        """Seconds until the open verdicts have the requests they want."""
        wanted = [finding.needed for finding in self._of_phase(self._phase.name) if finding.needed]
        if not self._phase.stop.decided or not wanted or self.recording.rate <= 0:
            return None
        return max(wanted) / self.recording.rate

    # ---------------------------------------------------------------- ending
    async def _finish_load(self) -> None:
        """End the load; requests in flight are answered and counted first. A second interrupt cuts them off."""
        if self._load is None or self._load_done:
            return
        drain = self.outset.longest_answer + DRAIN_SLACK
        await self._load.command("stop", drain=drain)
        self._stopping = True
        deadline = time.monotonic() + drain + DRAIN_SLACK
        with contextlib.suppress(Stopped):
            while not self._load_done and time.monotonic() < deadline:
                await self._next(deadline)

    async def _end_tasks(self) -> None:
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _say(self, level: str, text: str) -> None:
        assert level in ("info", "warning", "error")
        self.journal.write(Event(level=level, text=text))  # type: ignore[arg-type]
        self.view.event(level, text)


async def _reachable(url: str) -> None:
    """Raises EnvironmentFailed when nothing accepts connections there."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not await asyncio.to_thread(accepts, parts.hostname or "", port, 5.0):
        raise EnvironmentFailed(f"nothing accepts connections at {url} (--gateway)")


async def _side_by_side(*starting: Coroutine[Any, Any, Any]) -> tuple[Any, Any]:
    """The first two results once all have come; the first failure ends the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in starting]
    except ExceptionGroup as failures:
        raise next(
            (each for each in failures.exceptions if isinstance(each, ChaosError)), failures.exceptions[0]
        ) from None
    return tasks[0].result(), tasks[1].result()
