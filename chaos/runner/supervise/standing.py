"""The standing of a run: its current phase and the verdicts so far, which the view shows."""

from __future__ import annotations

import asyncio
import contextlib
import time

from chaos.claims.finding import Finding
from chaos.errors import EnvironmentFailed
from chaos.protocol.digest import WARM_UP
from chaos.runner.plan.phases import RunPhase
from chaos.runner.plan.run_plan import RunPlan
from chaos.runner.processes.gateway import GatewayProcess
from chaos.runner.supervise.measurement import Recording
from chaos.runner.terminal.view import State, View
from chaos.verify.verdict import Verdict

PATIENCE = 5.0  # seconds after which a claim that more requests would not decide does not keep the phase open
LAST_BREATH = 3.0  # seconds for a gateway that does not respond to turn out to have ended, on a busy machine, too


def _settled(finding: Finding, patient: bool) -> bool:
    """Return whether more requests would not change an undecided finding."""
    if finding.verdict is Verdict.NOT_JUDGED:
        return True
    return not patient and (finding.verdict is Verdict.NO_TRAFFIC or finding.cause == "lost")


class Standing:
    """The current phase and findings. `findings` are those of the last update; `more` are findings that the judge does
    not make: of safeguards that fired, and of a search's levels."""

    def __init__(self, plan: RunPlan, recording: Recording, view: View):
        self.plan, self.recording, self.view = plan, recording, view
        self.phase = RunPhase()
        self.findings: list[Finding] = []
        self.more: tuple[Finding, ...] = ()
        self._began = self._phase_began = time.monotonic()

    def begin(self) -> None:
        """Note that the load begins now."""
        self._began = time.monotonic()

    def hold(self) -> float:
        """Note that the phase begins now, and return the time (of the monotonic clock) at which it ends at the
        latest."""
        self._phase_began = time.monotonic()
        return self._phase_began + self.phase.stop.limit

    async def update_verdicts(self, gateway: GatewayProcess | None, *, now: bool = False) -> None:
        """Judge, and show the new findings. With `now` everything is polled before, faulted requests even if they were
        a moment ago. Raises EnvironmentFailed."""
        if self.phase.name == WARM_UP and not now:  # there is nothing to judge
            self.view.update(self._state())
            return
        if now:
            await self.poll(gateway, now=True)
        starved = self.recording.starved(self.plan.load.arrival_rate)
        self.findings = self.recording.findings(starved=starved, more=self.more)
        self.view.update(self._state())

    async def poll(self, gateway: GatewayProcess | None, *, now: bool = False) -> None:
        """Read the gateway's counters, if there is one of ours; not during a warm-up. Raises EnvironmentFailed."""
        self.recording.poll_log()
        if gateway is not None and gateway.child.alive and (now or self.phase.name != WARM_UP):
            await self._poll(gateway, now=now)

    async def _poll(self, gateway: GatewayProcess, *, now: bool) -> None:
        """Poll the gateway. Raises EnvironmentFailed; if the gateway has just ended, the message says that instead of a
        missing response."""
        try:
            await self.recording.poll_counters(gateway.admin)
            if self.plan.follows_faults:
                await self.recording.poll_faulted(gateway.admin, now=now)
        except EnvironmentFailed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(gateway.child.process.wait(), LAST_BREATH)
            if gateway.child.alive:
                raise
            ended = f"{gateway.child.how_it_ended()}{gateway.child.last_words()}"
            raise EnvironmentFailed(f"the gateway {ended}") from None

    def of_phase(self, phase: str) -> list[Finding]:
        """Return the findings about a phase."""
        return [finding for finding in self.findings if finding.phase == phase]

    @property
    def requests(self) -> int:
        """The number of requests of the current phase."""
        return self.recording.per_phase.get(self.phase.name, 0)

    @property
    def decided(self) -> bool:
        """Whether no verdict of the phase is open. Claims without traffic, and those with too many lost requests to
        tell, keep it open for PATIENCE only, from when the first response can have come."""
        mine = self.of_phase(self.phase.name)
        # The load tells of requests once those that were sent with them have their responses, the delayed ones, too.
        patient = time.monotonic() - self._phase_began < PATIENCE + self.plan.longest_answer
        return bool(mine) and all(each.verdict.decided or _settled(each, patient) for each in mine)

    def _state(self) -> State:
        recording = self.recording
        return State(
            self.phase.name,
            time.monotonic() - self._began,
            recording.requests,
            recording.rate,
            recording.users,
            self._time_left(),
            tuple(self.of_phase(self.phase.name)),
        )

    def _time_left(self) -> float | None:
        """Return the estimated seconds until the open verdicts have the requests they need; None if that is unknown."""
        wanted = [finding.needed for finding in self.of_phase(self.phase.name) if finding.needed]
        if not self.phase.stop.decided or not wanted or self.recording.rate <= 0:
            return None
        return max(wanted) / self.recording.rate
