"""The requests of a run, numbered: the id and task of each, and when it is due.

One process of P sends every P-th number, so a run of N requests sends the numbers 0 .. N-1 however many users and
processes carry them. A number that was taken and not sent is given back and taken next."""

from __future__ import annotations

from heapq import heappop, heappush

from gevent.event import Event

from chaos.journal.identity import Identities, row_of, shares_of, task_of
from chaos.load.arrivals import arrivals_of
from chaos.protocol.load_plan import Plan


class Sequence:
    """Hands out requests; `due` is the time at which one should be sent, in seconds after the load began. While there
    is an event in `held_back`, nothing is handed out before it is set."""

    def __init__(self, plan: Plan, process: int = 0):
        self._identify = Identities(plan.seed)
        self._shares = shares_of(task.weight for task in plan.tasks) if plan.tasks else ()
        self._next, self._step = process, plan.processes
        self._returned: list[int] = []
        self.due = arrivals_of(plan.arrivals, plan.arrival_rate, plan.seed).due
        self._replay: list[tuple[int, str, int]] | None = None
        self.limit = plan.requests
        if plan.replay is not None:
            names = {task.name: index for index, task in enumerate(plan.tasks)}
            self._replay = [(names[task], request, number) for task, request, number in plan.replay]
            self.limit = len(self._replay)
        self.taken = 0
        self.held_back: Event | None = None
        self._feeder = plan.feeder

    def take(self) -> int | None:
        """Return the number of the next request, once it may be sent; None when all have been taken."""
        if self.held_back is not None:
            self.held_back.wait()
        if self._returned:
            self.taken += 1
            return heappop(self._returned)
        number = self._next
        if self.limit is not None and number >= self.limit:
            return None
        self._next = number + self._step
        self.taken += 1
        return number

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left to take."""
        return self.limit is not None and self._next >= self.limit and not self._returned

    def give_back(self, number: int) -> None:
        """Give back a number that was taken and will not be sent."""
        self.taken -= 1
        heappush(self._returned, number)

    def request(self, number: int) -> tuple[int, str]:
        """Return the task (its index) and the id of a request."""
        if self._replay is not None:
            return self._replay[number][:2]
        request, draw = self._identify(number)
        return task_of(self._shares, draw), request

    def row(self, number: int, request: str) -> int:
        """Return the row of the feeder that a request takes; 0 without a feeder."""
        if self._feeder is None:
            return 0
        own = number if self._replay is None else self._replay[number][2]
        return row_of(self._feeder.order, len(self._feeder.rows), own, request)

    def identify(self, number: int) -> str:
        """Return the id of a request whose task is chosen elsewhere (in the user's own locustfile)."""
        return self._identify(number)[0]
