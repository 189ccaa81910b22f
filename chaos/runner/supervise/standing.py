"""Where a run stands: the phase it is in, the verdicts so far, and what whoever watches is told of them."""

from __future__ import annotations

import asyncio
import contextlib
import time

from chaos.claims.finding import Finding
from chaos.errors import EnvironmentFailed
from chaos.runner.plan.phases import RunPhase
from chaos.runner.plan.run_plan import Outset
from chaos.runner.processes.gateway import GatewayProcess
from chaos.runner.supervise.measurement import Recording
from chaos.runner.terminal.view import State, View
from chaos.verify.verdict import Verdict

NO_TRAFFIC_PATIENCE = 5.0  # seconds after which a claim that saw no request is not waited for
LAST_BREATH = 0.5  # seconds in which a gateway that no longer answers may turn out to have died


class Standing:
    """`findings` are the verdicts as of the last look; `more` those that the bench does not make: of safeguards that
    fired, and of a search's levels."""

    def __init__(self, outset: Outset, recording: Recording, view: View):
        self.outset, self.recording, self.view = outset, recording, view
        self.phase = RunPhase()
        self.findings: list[Finding] = []
        self.more: tuple[Finding, ...] = ()
        self._began = self._phase_began = time.monotonic()

    def begin(self) -> None:
        """The load begins now."""
        self._began = time.monotonic()

    def hold(self) -> float:
        """The phase is held from now on; the moment at which it ends at the latest."""
        self._phase_began = time.monotonic()
        return self._phase_began + self.phase.stop.limit

    async def look(self, gateway: GatewayProcess | None, *, now: bool = False) -> None:
        """Ask the gateway what it counted, and write down where the verdicts stand."""
        if gateway is not None and gateway.child.alive:
            await self._ask(gateway, now=now)
        starved = self.recording.starved(self.outset.load.arrival_rate)
        self.findings = self.recording.judge(starved=starved, more=self.more)
        self.view.update(self._state())

    async def _ask(self, gateway: GatewayProcess, *, now: bool) -> None:
        """Raises EnvironmentFailed; of a gateway that has just died it says so, and not that it does not answer."""
        try:
            await self.recording.ask(gateway.admin)
            if self.outset.follows_faults:
                await self.recording.ask_faulted(gateway.admin, now=now)
        except EnvironmentFailed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(gateway.child.process.wait(), LAST_BREATH)
            if gateway.child.alive:
                raise
            raise EnvironmentFailed(f"the gateway {gateway.child.how_it_ended()}") from None

    def of_phase(self, phase: str) -> list[Finding]:
        """The findings about a phase."""
        return [finding for finding in self.findings if finding.phase == phase]

    @property
    def requests(self) -> int:
        """Of the phase."""
        return self.recording.per_phase.get(self.phase.name, 0)

    @property
    def decided(self) -> bool:
        """Whether no verdict of the phase is open. Claims that see no traffic do not hold up the others forever."""
        mine = [finding.verdict for finding in self.of_phase(self.phase.name)]
        patient = time.monotonic() - self._phase_began < NO_TRAFFIC_PATIENCE
        settled = {Verdict.NOT_JUDGED, *([] if patient else [Verdict.NO_TRAFFIC])}
        return all(each.decided or each in settled for each in mine) and bool(mine)

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
        """Seconds until the open verdicts have the requests they want."""
        wanted = [finding.needed for finding in self.of_phase(self.phase.name) if finding.needed]
        if not self.phase.stop.decided or not wanted or self.recording.rate <= 0:
            return None
        return max(wanted) / self.recording.rate
