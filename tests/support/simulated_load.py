"""A load on paper: users that wait for their responses, the load's own counting, and the judge's own verdicts.

Time is simulated; what is counted, how it is told, and what is concluded is the real thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random

from chaos.claims.effects import Effect, PhaseEffects
from chaos.claims.expectations import expectations
from chaos.claims.finding import Finding
from chaos.claims.judge.judge import Judge
from chaos.load.pending import Pending
from chaos.load.recorder import Cohort, Outcome, Recorder
from chaos.load.tags import Tags

INTERVAL = 0.5
ROUTE = "web[0]"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. `number` is its place in the order of sending, `at` the second in which it is sent."""

    number: int
    user: int
    task: str
    at: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a gateway does. `aborted` and `delayed` are what its tags say; a `lost` request has no response."""

    aborted: bool = False
    delayed: float = 0.0
    status: int | None = None
    destination: str = "web:80"
    attempts: int = 1
    lost: bool = False
    late: float | None = None
    """Seconds that the response is late by; the delay, if None."""

    @property
    def fault(self) -> str:
        return ",".join(word for word, on in (("delay", self.delayed), ("abort", self.aborted)) if on)


Gateway = Callable[[Asked], Answer]


class User:
    """One user with one connection."""

    def __init__(self, recorder: Recorder, place: int):
        self.place, self.number = place, recorder.new_user()
        self.cohort: Cohort | None = None
        self.phase = ""
        self.asked: int | None = None
        self.previous: Outcome | None = None
        self.sending = 0


class SimulatedLoad:
    """`users` that send requests to a gateway, one after the other each, at `rate` in all if nothing is delayed."""

    def __init__(self, gateway: Gateway, tasks: Sequence[str] = ("GET /",), *, users: int = 20, rate: float = 1000.0,
                 seed: int = 1, hold: float = 1.0):  # fmt: skip
        self.random = Random(seed)
        self.gateway, self.tasks, self.latency = gateway, tuple(tasks), users / rate
        self.recorder = Recorder(self.tasks)
        self.pending = Pending(self.recorder, hold, INTERVAL)
        self.users = [User(self.recorder, place) for place in range(users)]
        self.pending.senders.update(self.users)
        self.sent = 0
        self._due: list[tuple[float, int, User, Answer | None, float]] = []
        for user in self.users:
            heappush(self._due, (self.random.random() * self.latency, user.place, user, None, 0.0))

    def until(self, end: float) -> None:
        """Let time pass."""
        while self._due[0][0] < end:
            at, _, user, answer, sent = heappop(self._due)
            if answer is not None:
                self._answered(user, answer, at - sent)
            self._send(user, at)

    def _send(self, user: User, at: float) -> None:
        task = self.random.randrange(len(self.tasks))
        user.asked, user.cohort = task, self.recorder.cohort
        number, self.sent = self.sent, self.sent + 1
        answer = self.gateway(Asked(number, user.place, self.tasks[task], at))
        user.sending = number
        late = answer.delayed if answer.late is None else answer.late
        took = self.latency * self.random.uniform(0.5, 1.5) + late
        heappush(self._due, (at + took, user.place, user, answer, at))

    def _answered(self, user: User, answer: Answer, took: float) -> None:
        assert user.asked is not None
        if answer.lost:
            outcome = self.recorder.tagged(user.asked, 0, Tags(), "reset", cohort=user.cohort)
        else:
            status = answer.status or (400 if answer.aborted else 200)
            destination = "" if answer.aborted else answer.destination
            tags = Tags(route=ROUTE, destination=destination, fault=answer.fault, attempts=answer.attempts)
            outcome = self.recorder.tagged(user.asked, status, tags, cohort=user.cohort)
        user.cohort = None
        self.recorder.add(outcome, int(took * 1e6), user.previous, user.number)
        self.recorder.order.placed[user.sending] = outcome
        user.previous = None if answer.lost else outcome


def judged(effect: Effect, load: SimulatedLoad, seconds: float, confidence: float = 0.99) -> dict[str, Finding]:
    """The findings by title when the run is over, judged with each digest on the way."""
    judge = Judge(expectations([PhaseEffects("", (effect,), lost=True)]), confidence)
    findings: list[Finding] = []
    for tick in range(1, round(seconds / INTERVAL) + 1):
        load.until(tick * INTERVAL)
        judge.observe(load.pending.digest(), INTERVAL)
        findings = judge.findings(None)
    return {finding.title: finding for finding in findings}
