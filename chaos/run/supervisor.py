"""One run from start to end: starts the processes, drives the phases, keeps the journal, judges every second.

The only writer of the journal. Everything that can happen arrives in one queue (`chaos.run.events`). Whatever goes wrong,
what was measured is kept, the children are ended, and the journal gets its last line.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

from chaos.errors import ChaosError, EnvironmentFailed, ExitCode
from chaos.experiment.finding import Finding
from chaos.journal.digest import Digest
from chaos.journal.records import Counters, End, Event, Faulted, Findings, Phase
from chaos.run.events import ChildEnded, Happening, Interrupted, LoadSaid
from chaos.run.gateway_process import GatewayProcess, start_gateway
from chaos.run.journal_writer import JournalWriter
from chaos.run.load_process import LoadProcess, digest_line, load_plan, sample_line
from chaos.run.outset import Outset
from chaos.run.phases import RunPhase
from chaos.run.reporting import Reporter
from chaos.run.result import RunResult, outcome_of
from chaos.run.services import Services
from chaos.run.view import State, View
from chaos.verify.verdict import Verdict

INTERVAL = 0.5  # seconds between digests: how soon a verdict can be reached
FAULTED_EVERY = 2.0  # seconds between looks at which requests were faulted
NO_TRAFFIC_PATIENCE = 5.0  # seconds after which a claim that saw no request is not waited for
DRAIN_SLACK = 3.0  # seconds beyond the longest answer that the load is given to end


class Stopped(Exception):  # noqa: N818 - named for what happened
    """The run ends before its time: how, and why."""

    def __init__(self, outcome: str, code: ExitCode, *reasons: str):
        self.outcome, self.code, self.reasons = outcome, code, reasons


class Supervisor:
    """Use once: `await Supervisor(outset, folder, view).run()`."""

    def __init__(self, outset: Outset, folder: Path, view: View, reporter: Reporter):
        self.outset, self.folder, self.view, self.reporter = outset, folder, view, reporter
        self.journal = JournalWriter(folder)
        self.judge = outset.judge()
        self.findings: list[Finding] = []
        self.counters: dict[str, Any] | None = None
        self.requests = 0
        self.answered = 0
        self.load_seconds = 0.0
        self._phase_requests: dict[str, int] = {}
        self._phase = RunPhase()
        self._queue: asyncio.Queue[Happening] = asyncio.Queue()
        self._interrupted = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._gateway: GatewayProcess | None = None
        self._load: LoadProcess | None = None
        self._load_done = False
        self._stopping = False
        self._cpu: list[float] = []
        self._late = 0
        self._users = 0
        self._rate = 0.0
        self._faulted = 0
        self._faulted_at = 0.0
        self._began = time.monotonic()

    # ---------------------------------------------------------------- the whole run
    async def run(self) -> RunResult:
        """Never raises for what happens to the run; the result says how it ended."""
        self.journal.write(self.outset.plan_record(self.folder.name))
        self.view.begin(self.outset.name, self.outset.description, self.folder)
        for level, text in self.outset.announcements():
            self._say(level, text)
        with self._signals():
            try:
                await self._start_and_measure()
                outcome, code, reasons = self._conclude()
            except Stopped as stopped:
                outcome, code, reasons = stopped.outcome, stopped.code, stopped.reasons
            except ChaosError as error:
                self._say("error", str(error))
                outcome, code, reasons = "environment-failed", error.exit_code, (str(error),)
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
            self.requests,
            self.journal.now,
        )

    async def _start_and_measure(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._end_tasks)
            await self._unless_interrupted(self._start(stack))
            stopped: Stopped | None = None
            try:
                await self._run_phases()
            except Stopped as early:
                stopped = early
            await self._finish_load()
            await self._judge(final=True)
            await self._fetch_faulted()
            if stopped is not None:
                raise stopped

    async def _unless_interrupted(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for it, or for Ctrl-C; the work is cancelled then."""
        task = asyncio.ensure_future(work)
        interrupted = asyncio.ensure_future(self._interrupted.wait())
        try:
            await asyncio.wait({task, interrupted}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                raise Stopped("interrupted", ExitCode.INTERRUPTED, "interrupted by the user before the load began")
            task.result()
        finally:
            interrupted.cancel()

    def _conclude(self) -> tuple[str, ExitCode, tuple[str, ...]]:
        if not self.answered:
            raise EnvironmentFailed("no request was answered: " + (self._errors_seen() or "none was sent"))
        return outcome_of(self.findings)

    def _errors_seen(self) -> str:
        kinds: dict[str, int] = {}
        for key, count in self.judge.observed:
            if key.error:
                kinds[key.error] = kinds.get(key.error, 0) + count
        return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))

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
        await self._enter(outset.phases[0])
        tasks = outset.placed_tasks(services.addresses)
        await self._load.begin(
            load_plan(outset.load, tasks, gateway=url, seed=outset.seed, interval=INTERVAL, **outset.load_extra())
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
            return outset.gateway
        self._gateway = await start_gateway(
            outset.files,
            services.addresses,
            self.folder,
            seed=outset.seed,
            workers=outset.workers,
            overrides=outset.overrides,
        )
        stack.push_async_callback(self._gateway.child.stop, 0.3)
        return self._gateway.url

    async def _start_load(self, stack: contextlib.AsyncExitStack) -> LoadProcess:
        load = await LoadProcess.start(self.folder)
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

    async def _enter(self, phase: RunPhase) -> None:
        """From now on the gateway decides and counts under this phase."""
        self._phase = phase
        if self._gateway is not None and (phase.name or not phase.faults):
            if (text := self.outset.rules_of(phase)) is not None:
                await self._gateway.admin.put_rules(text)
            await self._gateway.admin.set_phase({"name": phase.name, "faults": phase.faults})
        self.journal.write(Phase(name=phase.name, event="begin", faults=phase.faults))
        if phase.name:
            self._say("info", f"phase {phase.name}: faults {'on' if phase.faults else 'off'}")

    def _leave(self, phase: RunPhase) -> None:
        self.journal.write(Phase(name=phase.name, event="end", faults=phase.faults))

    async def _hold(self, phase: RunPhase) -> str:
        """Until the phase ends; what ended it. Raises Stopped and EnvironmentFailed."""
        deadline = time.monotonic() + phase.stop.limit
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
            await self._judge()
            if phase.stop.requests is not None and self._phase_requests.get(phase.name, 0) >= phase.stop.requests:
                return "requests"
            if phase.stop.decided and self._decided(phase.name):
                return "decided"

    def _decided(self, phase: str) -> bool:
        """Whether no verdict of the phase is open. Claims that see no traffic at all do not hold up the others forever."""
        mine = [finding.verdict for finding in self.findings if finding.phase == phase]
        patient = time.monotonic() - self._began < NO_TRAFFIC_PATIENCE
        settled = [each.decided or (each is Verdict.NO_TRAFFIC and not patient) for each in mine]
        return all(settled) and (not patient or all(each.decided for each in mine))

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
            case Interrupted():
                raise Stopped("interrupted", ExitCode.INTERRUPTED, "interrupted by the user")
        return happening

    async def _heard(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "digest":
                self._count(message)
            case "sample":
                self.journal.write(sample_line(message))
            case "done":
                self._load_done = True
                if message.get("reason") == "failed":
                    raise EnvironmentFailed(f"the load failed: {message.get('text') or self._load_words()}")
            case "error":
                self._say("error", f"the load: {message.get('text', '')}")

    def _load_words(self) -> str:
        return self._load.child.last_words().removeprefix(": ") if self._load is not None else ""

    def _count(self, message: dict[str, Any]) -> None:
        line = digest_line(message)
        self.journal.write(line)
        digest = Digest.of(line.entries, line.pairs)
        self.judge.observe(digest)
        count = digest.count
        self.requests += count
        self.answered += count - digest.errors
        for key, tally in digest.items():
            self._phase_requests[key.phase] = self._phase_requests.get(key.phase, 0) + tally.count
        self._rate = count / line.seconds if line.seconds > 0 else 0.0
        self._users = line.users
        self._late += line.late
        if count:
            self._cpu.append(line.cpu)

    # ---------------------------------------------------------------- judging
    async def _judge(self, *, final: bool = False) -> None:
        """Ask the gateway what it counted, and write down where the verdicts stand."""
        if self._gateway is not None and (self._gateway.child.alive or not final):
            self.counters = await self._gateway.admin.counters()
            self.journal.write(Counters(counters=self.counters))
        self.findings = [*self.judge.findings(self.counters, starved=self._starved()), *self.outset.silent]
        self.journal.write(Findings(findings=tuple(finding.to_dict() for finding in self.findings)))
        if not final and self.journal.now - self._faulted_at > FAULTED_EVERY:
            await self._fetch_faulted()
        self.view.update(self._state())

    def _starved(self) -> str:
        """Why latencies cannot be trusted, if so."""
        busy = sorted(self._cpu)
        if busy and busy[len(busy) // 2] >= 0.95:
            return "the load process used all of its core; set load.users lower or load.processes higher"
        if self.outset.load.arrival_rate is not None and self._late > 0.01 * max(self.requests, 1):
            return f"{self._late} requests fell due while no user was free; set load.users higher"
        return ""

    async def _fetch_faulted(self) -> None:
        if self._gateway is None:
            return
        self._faulted_at = self.journal.now
        batch = (await self._gateway.admin.faulted(self._faulted)).get("requests", [])
        if batch:
            self._faulted += len(batch)
            self.journal.write(Faulted(requests=tuple(batch)))

    def _state(self) -> State:
        return State(
            self._phase.name,
            time.monotonic() - self._began,
            self.requests,
            self._rate,
            self._users,
            self._time_left(),
            tuple(finding for finding in self.findings if finding.phase == self._phase.name),
        )

    def _time_left(self) -> float | None:
        """Seconds until the open verdicts have the requests they want, or the phase's time is up."""
        wanted = [finding.needed for finding in self.findings if finding.phase == self._phase.name and finding.needed]
        if not self._phase.stop.decided or not wanted or self._rate <= 0:
            return None
        return max(wanted) / self._rate

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

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM become happenings while the run goes on."""
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM)

        def interrupted() -> None:
            self._interrupted.set()
            self._queue.put_nowait(Interrupted())

        for number in numbers:
            loop.add_signal_handler(number, interrupted)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)


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
