"""Drive the phases of a run, or the levels of a search, while the load goes on: enter, hold until it is over, leave."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from chaos.claims.finding import Finding
from chaos.errors import EnvironmentFailed, ExitCode
from chaos.journal.records import Phase
from chaos.protocol.digest import TRANSITION
from chaos.runner.plan.phases import RunPhase
from chaos.runner.plan.run_plan import Outset
from chaos.runner.plan.search import SearchPlan
from chaos.runner.processes.gateway import GatewayProcess
from chaos.runner.processes.load import LoadProcess
from chaos.runner.supervise.events import ChildEnded, Event, Events, LoadSaid, SignalArrived
from chaos.runner.supervise.standing import Standing
from chaos.verify.verdict import Verdict

"""The phase of requests that meet the gateway while its rules change; no verdict counts them."""
DRAIN_SLACK = 3.0  # seconds beyond the longest answer that the load is given to end

Say = Callable[[str, str], None]


class Stopped(Exception):  # noqa: N818 - named for what happened
    """The run ends before its time: how, and why."""

    def __init__(self, outcome: str, code: ExitCode, *reasons: str):
        self.outcome, self.code, self.reasons = outcome, code, reasons


class Driver:
    """Drives one run. `gateway` is None when it is not ours; then there is one phase."""

    def __init__(
        self,
        outset: Outset,
        standing: Standing,
        events: Events,
        gateway: GatewayProcess | None,
        load: LoadProcess,
        say: Say,
    ):
        self.outset, self.standing, self.events = outset, standing, events
        self.gateway, self.load, self.say = gateway, load, say
        self._journal = standing.recording.journal
        self._text: str | None = None
        self._load_done = False
        self._load_trouble = ""
        self._stopping = False

    @property
    def first(self) -> RunPhase:
        """The phase in which the load begins; a search begins with faults off, its levels come one by one."""
        return self.outset.phases[0] if self.outset.search is None else RunPhase("start", faults=False)

    async def run(self) -> None:
        """All of it; the first phase has been entered. Raises Stopped and EnvironmentFailed."""
        if self.outset.search is not None:
            await self._run_search(self.outset.search)
        else:
            await self._run_phases()

    async def _run_phases(self) -> None:
        for index, phase in enumerate(self.outset.phases):
            if index:
                await self.enter(phase)
            try:
                ended_by = await self._hold(phase)
            finally:
                self._leave(phase)
            if ended_by == "load":
                return

    async def _run_search(self, plan: SearchPlan) -> None:
        """Level by level, until the search knows enough."""
        search, recording, standing = plan.search(), self.standing.recording, self.standing
        self._leave(standing.phase)
        while (level := search.next()) is not None:
            phase = self.outset.level(plan, level)
            recording.bench = self.outset.level_bench(plan, phase, 1 - search.alpha)
            await self.enter(phase)
            try:
                ended_by = await self._hold(phase)
            finally:
                self._leave(phase)
                found = standing.of_phase(phase.name)
                verdict = found[0].verdict if found else Verdict.NO_TRAFFIC
                search.record(level, verdict)
                standing.more = (*self._levels(phase), search.finding(plan.quantity, plan.hold.text))
            self.say("info", f"{plan.quantity.show(level)}: {verdict.value}")
            if ended_by == "load":
                break
        recording.bench = self.outset.bench()

    def _levels(self, phase: RunPhase) -> tuple[Finding, ...]:
        """The findings of the levels so far, this one's included, without the search's own."""
        standing = self.standing
        return (*(each for each in standing.more if each.kind != "search"), *standing.of_phase(phase.name))

    # ---------------------------------------------------------------- one phase
    async def enter(self, phase: RunPhase) -> None:
        """From now on the gateway decides and counts under this phase; requests that meet the change count nowhere."""
        self.standing.phase = phase
        if self.gateway is not None and (phase.name or not phase.faults):
            admin = self.gateway.admin
            if phase.text != self._text:
                await admin.set_phase({"name": TRANSITION, "faults": phase.faults})
                await admin.put_rules(phase.text if phase.text is not None else self.outset.own_text())
                self._text = phase.text
            await admin.set_phase({"name": phase.name, "faults": phase.faults})
        if self.load.began:
            await self.load.command("phase", name=phase.name)
        self._journal.write(Phase(name=phase.name, event="begin", faults=phase.faults))
        if phase.name:
            self.say("info", f"phase {phase.name}: faults {'on' if phase.faults else 'off'}")

    def _leave(self, phase: RunPhase) -> None:
        self._journal.write(Phase(name=phase.name, event="end", faults=phase.faults))

    async def _hold(self, phase: RunPhase) -> str:
        """Until the phase ends; what ended it. Raises Stopped and EnvironmentFailed."""
        deadline = self.standing.hold()
        while True:
            if time.monotonic() >= deadline:
                return "duration"
            event = await self._next(deadline)
            if not isinstance(event, LoadSaid):
                continue
            kind = event.message.get("type")
            if kind == "done":
                return "load"
            if kind != "digest":
                continue
            await self.standing.look(self.gateway)
            if phase.stop.requests is not None and self.standing.requests >= phase.stop.requests:
                return "requests"
            if phase.stop.decided and self.standing.decided:
                return "decided"

    # ---------------------------------------------------------------- what happens meanwhile
    async def _next(self, deadline: float) -> Event | None:
        """The next event, dealt with as far as it is the same in every phase; None at the deadline."""
        event = await self.events.next(deadline)
        match event:
            case LoadSaid(message):
                await self._heard(message)
            case ChildEnded(name, how):
                if not self._stopping:
                    raise EnvironmentFailed(f"{name} {how}")
            case SignalArrived():
                raise Stopped("interrupted", ExitCode.INTERRUPTED, "interrupted by the user")
        return event

    async def _heard(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "digest":
                fired = self.standing.recording.digest(message)
                if fired is not None:
                    await self._stop_by(fired)
            case "sample":
                self.standing.recording.sample(message)
            case "done":
                self._load_done = True
                self._load_ended(message.get("reason", ""))
            case "event":
                self._load_trouble = message["text"] if message["level"] == "error" else self._load_trouble
                self.say(message["level"], f"the load: {message['text']}")

    def _load_ended(self, reason: str) -> None:
        """Raises EnvironmentFailed when it was not of its own accord: what it was to send has not been sent."""
        if reason == "failed":
            words = self._load_trouble or self.load.child.last_words().removeprefix(": ")
            raise EnvironmentFailed(f"the load failed: {words}")
        if reason == "signal" and not self._stopping:
            raise EnvironmentFailed("the load was ended by a signal that was not ours")

    async def _stop_by(self, fired: Finding) -> None:
        """A safeguard: faults off at once, then the run ends."""
        self.standing.more = (*self.standing.more, fired)
        if self.gateway is not None:
            await self.gateway.admin.set_faults(False)
        self.say("error", f"safeguard {fired.title}: {fired.sentence}")
        raise Stopped("stopped by a safeguard", ExitCode.SAFEGUARD, fired.sentence)

    # ---------------------------------------------------------------- ending
    async def finish_load(self) -> None:
        """End the load; requests in flight are answered and counted first. A second interrupt cuts them off."""
        if self._load_done:
            return
        drain = self.outset.longest_answer + DRAIN_SLACK
        await self.load.command("stop", drain=drain)
        self._stopping = True
        deadline = time.monotonic() + drain + DRAIN_SLACK
        with contextlib.suppress(Stopped):
            while not self._load_done and time.monotonic() < deadline:
                await self._next(deadline)
