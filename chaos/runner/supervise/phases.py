"""Drive the phases of a run, or the levels of a search, while the load goes on: enter, hold until its end, leave."""

from __future__ import annotations

import contextlib
import time

from chaos.claims.finding import Finding
from chaos.errors import EnvironmentFailed, ExitCode
from chaos.formatting import listed
from chaos.journal.records import Phase
from chaos.protocol.digest import BY_HAND, TRANSITION, WARM_UP
from chaos.protocol.load_messages import LoadMessage
from chaos.runner.plan.phases import RunPhase
from chaos.runner.plan.run_plan import RunPlan
from chaos.runner.plan.search import SearchPlan
from chaos.runner.processes.gateway import GatewayProcess
from chaos.runner.processes.load import LoadProcess
from chaos.runner.processes.services import Say
from chaos.runner.supervise.events import ChildEnded, Event, Events, LoadSaid, SignalArrived
from chaos.runner.supervise.standing import Standing
from chaos.units import format_duration
from chaos.verify.verdict import Verdict

DRAIN_SLACK = 3.0  # seconds beyond the longest response time that the load has to end


class Stopped(Exception):  # noqa: N818 - named for what happened
    """The run ends early, with this outcome, exit code and reasons."""

    def __init__(self, outcome: str, code: ExitCode, *reasons: str):
        self.outcome, self.code, self.reasons = outcome, code, reasons


class Driver:
    """Drives one run. `gateway` is None if it is not ours; then there is one phase."""

    def __init__(
        self,
        plan: RunPlan,
        standing: Standing,
        events: Events,
        gateway: GatewayProcess | None,
        load: LoadProcess,
        say: Say,
    ):
        self.plan, self.standing, self.events = plan, standing, events
        self.gateway, self.load, self.say = gateway, load, say
        self._journal = standing.recording.journal
        self._text: str | None = None
        self._load_done = False
        self._load_trouble = ""
        self._stopping = False
        self._by_hand: tuple[str, ...] = ()

    @property
    def first(self) -> RunPhase:
        """The phase in which the load begins: the warm-up, or else the first one that counts."""
        return self.plan.warm_up or self.plan.first

    async def wait_for_start(self) -> None:
        """Wait until somebody has started the load. Raises Stopped and EnvironmentFailed."""
        while True:
            event = await self._next(float("inf"))
            if isinstance(event, LoadSaid) and event.message["type"] in ("started", "done"):
                return

    async def run(self) -> None:
        """Drive all phases, of which the first has been entered. Raises Stopped and EnvironmentFailed."""
        if self.plan.warm_up is not None and await self._warm_up(self.plan.warm_up) == "load":
            self.say("warning", "the load ended during the warm-up")
            return
        if self.plan.search is not None:
            await self._run_search(self.plan.search)
        else:
            await self._run_phases()

    async def _warm_up(self, phase: RunPhase) -> str:
        """Wait until the warm-up ends, and enter the first phase. Return why it ended: duration or load."""
        try:
            ended_by = await self._hold(phase)
        finally:
            self._leave(phase)
            self.standing.recording.begin_to_count()
        if ended_by != "load":
            await self.enter(self.plan.first)
        return ended_by

    async def _run_phases(self) -> None:
        for index, phase in enumerate(self.plan.phases):
            if index:
                await self.enter(phase)
            try:
                ended_by = await self._hold(phase)
            finally:
                self._leave(phase)
            if ended_by == "load":
                return

    async def _run_search(self, wanted: SearchPlan) -> None:
        """Drive level after level, until the search ends or the load does."""
        search, recording, standing = wanted.search(), self.standing.recording, self.standing
        self._leave(standing.phase)
        while (level := search.next()) is not None:
            phase = self.plan.level(wanted, level)
            recording.judge = self.plan.level_judge(wanted, phase, 1 - search.alpha)
            await self.enter(phase)
            try:
                ended_by = await self._hold(phase)
            finally:
                self._leave(phase)
                found = standing.of_phase(phase.name)
                verdict = found[0].verdict if found else Verdict.NO_TRAFFIC
                search.record(level, verdict)
                recording.earlier.append(recording.judge)
                standing.more = (*self._levels(phase), search.finding(wanted.quantity, wanted.hold.text))
            self.say("info", f"{wanted.quantity.show(level)}: {verdict.value}")
            if ended_by == "load":
                break
        recording.judge = self.plan.judge()

    def count_levels_again(self) -> None:
        """Give the findings of a search's levels the counts that they have now. Their last responses come after the
        next level has begun; a verdict that was reached stays."""
        recording, standing = self.standing.recording, self.standing
        found = [each for judge in recording.earlier for each in judge.findings(recording.counters)]
        latest = {each.id: each for each in found}
        standing.more = tuple(_with_counts(each, latest.get(each.id)) for each in standing.more)

    def _levels(self, phase: RunPhase) -> tuple[Finding, ...]:
        """Return the findings of the levels so far, this one's included, without the search's own."""
        standing = self.standing
        return (*(each for each in standing.more if each.kind != "search"), *standing.of_phase(phase.name))

    # ---------------------------------------------------------------- one phase
    async def enter(self, phase: RunPhase) -> None:
        """Switch the gateway and the load to this phase. Requests during the change are counted under TRANSITION, which
        no verdict uses."""
        self.standing.phase = phase
        if self.gateway is not None and (phase.name or not phase.faults or self.plan.warm_up is not None):
            admin = self.gateway.admin
            if phase.text != self._text:
                await admin.set_phase({"name": TRANSITION, "faults": phase.faults})
                await admin.put_rules(phase.text if phase.text is not None else self.plan.own_text())
                self._text = phase.text
            await admin.set_phase({"name": phase.name, "faults": phase.faults})
        if self.load.began:
            await self.load.command("phase", name=phase.name)
        self._journal.write(Phase(name=phase.name, event="begin", faults=phase.faults))
        if phase.name == WARM_UP:
            seconds = format_duration(phase.stop.limit)
            self.say("info", f"warm-up of {seconds}: no verdict, hypothesis or figure counts its requests")
        elif phase.name:
            self.say("info", f"phase {phase.name}: faults {'on' if phase.faults else 'off'}")

    def _leave(self, phase: RunPhase) -> None:
        self._journal.write(Phase(name=phase.name, event="end", faults=phase.faults))

    async def _hold(self, phase: RunPhase) -> str:
        """Wait until the phase ends, and return why: duration, load, requests, decided or budget. Raises Stopped and
        EnvironmentFailed."""
        deadline, budget = self.standing.hold(), self.plan.budget(phase)
        while True:
            if time.monotonic() >= deadline:
                if phase.stop.decided and phase.stop.duration is None:
                    self._say_what_is_open(f"after {format_duration(phase.stop.limit)}")
                return "duration"
            event = await self._next(deadline)
            if not isinstance(event, LoadSaid):
                continue
            kind = event.message["type"]
            if kind == "done":
                return "load"
            if kind != "digest":
                continue
            await self.standing.update_verdicts(self.gateway)
            await self._heed_what_is_by_hand()
            if phase.stop.requests is not None and self.standing.requests >= phase.stop.requests:
                return "requests"
            if phase.stop.decided and self.standing.decided:
                return "decided"
            if budget is not None and self.standing.requests >= budget:
                self._say_what_is_open(f"after {self.standing.requests} requests, ten times what was expected")
                return "budget"

    async def _heed_what_is_by_hand(self) -> None:
        """Report it when somebody has set faults or their levels, or has undone that. Responses of an application have
        no tag of the gateway's, so the load is told under what to count them."""
        now = self.standing.recording.by_hand
        if now == self._by_hand:
            return
        self._by_hand = now
        await self.load.command("phase", name=BY_HAND if now else self.standing.phase.name)
        if now:
            self.say("warning", f"by hand: {listed(list(now))}; until that is undone, no verdict counts the requests")
        else:
            self.say("info", "what was set by hand is undone")

    def _say_what_is_open(self, when: str) -> None:
        left = [each.name for each in self.standing.of_phase(self.standing.phase.name) if each.open]
        if left:
            self.say("warning", f"{when} the phase ends and leaves open: {listed(left)}")

    # ---------------------------------------------------------------- what happens meanwhile
    async def _next(self, deadline: float) -> Event | None:
        """Return the next event, after handling it as every phase does; None at the deadline. Raises Stopped and
        EnvironmentFailed."""
        event = await self.events.next(deadline)
        match event:
            case LoadSaid(message):
                await self._on_load_message(message)
            case ChildEnded(name, how):
                if not self._stopping:
                    raise EnvironmentFailed(f"{name} {how}")
            case SignalArrived():
                raise Stopped("interrupted", ExitCode.INTERRUPTED, "interrupted by the user")
        return event

    async def _on_load_message(self, message: LoadMessage) -> None:
        match message["type"]:
            case "digest":
                try:
                    await self.standing.poll(self.gateway)
                finally:  # a gateway that has ended takes no measurement with it
                    fired = self.standing.recording.digest(message)
                if fired is not None:
                    await self._stop_by(fired)
            case "sample":
                self.standing.recording.sample(message)
            case "exemplars":
                self.standing.recording.exemplars(message)
            case "workers":
                self.standing.recording.of_workers(message)
            case "done":
                self._load_done = True
                self._load_ended(message["reason"])
            case "event":
                self._load_trouble = message["text"] if message["level"] == "error" else self._load_trouble
                self.say(message["level"], f"the load: {message['text']}")

    def _load_ended(self, reason: str) -> None:
        """Raise EnvironmentFailed unless the load ended as planned or was stopped by us."""
        if reason == "failed":
            words = self._load_trouble or self.load.child.last_words().removeprefix(": ")
            raise EnvironmentFailed(f"the load failed: {words}")
        if reason == "signal" and not self._stopping:
            raise EnvironmentFailed("the load was ended by a signal that was not ours")

    async def _stop_by(self, fired: Finding) -> None:
        """Switch faults off at once and raise Stopped, because a safeguard fired."""
        self.standing.more = (*self.standing.more, fired)
        if self.gateway is not None:
            await self.gateway.admin.set_faults(False)
        self.say("error", f"safeguard {fired.title}: {fired.sentence}")
        raise Stopped("stopped by a safeguard", ExitCode.SAFEGUARD, fired.sentence)

    # ---------------------------------------------------------------- ending
    async def finish_load(self) -> None:
        """End the load. Requests in flight are waited for and counted, unless a second interrupt cuts them off."""
        if self._load_done:
            return
        drain = self.plan.longest_answer + DRAIN_SLACK
        await self.load.command("stop", drain=drain)
        self._stopping = True
        deadline = time.monotonic() + drain + DRAIN_SLACK
        with contextlib.suppress(Stopped):
            while not self._load_done and time.monotonic() < deadline:
                await self._next(deadline)


def _with_counts(finding: Finding, latest: Finding | None) -> Finding:
    """Return the latest finding of a claim if its verdict is the one that was reached."""
    return latest if latest is not None and latest.verdict is finding.verdict else finding
