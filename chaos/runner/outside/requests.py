"""Find the run's own requests in an access log by their ids, and take them in the order in which they were sent.

The ids follow from the seed and a request's number, so nobody has to tell which they were. Lines come when requests are
over, and late ones would be missing from every count so far. So of each load process, which sends every P-th number, a
request is taken when all before it have been; one that is missing while others have waited for it longer than any
request takes is taken as *unlogged*. Its line may still come."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterator

from chaos.journal.identity import Identities, task_of
from chaos.samples.envoy_line import Ended

MOST_EARLY = 200_000
"""Lines that are kept until their requests are known to have been sent; more of them are other clients' lines."""
AHEAD = 1.25
"""One of several processes may be ahead of the others by so much."""
SLACK = 5_000
MOST_AT_ONCE = 50_000

Take = Callable[[int, Ended | None], None]
"""Takes a request by the index of its task: its line, or None where it has none."""


class Requests:
    """The requests of a run. `take` is called once for each, and again when a line comes late; `found` is the number
    of lines with an id of the run."""

    def __init__(self, seed: int, shares: tuple[float, ...], processes: int, patience: float, take: Take, late: Take):
        self._identify, self._shares = Identities(seed), shares
        self._processes, self._patience = processes, patience
        self._take, self._late = take, late
        self._tasks = array("H")
        self._numbers: dict[str, int] = {}
        self._early: dict[str, tuple[Ended, float]] = {}
        self._lines = [_Line(first) for first in range(processes)]
        self._missing: set[int] = set()
        self._count = 0
        self.found = 0

    def sent(self, count: int) -> None:
        """Note that about so many requests have been sent."""
        self._count = count
        wanted = int(count * AHEAD) + SLACK
        if len(self._early) > SLACK:  # other clients' lines, or one process has sent most of the requests
            wanted = max(wanted, min(count * self._processes, len(self._tasks) + MOST_AT_ONCE))
        self._identify_to(wanted)

    def _identify_to(self, wanted: int) -> None:
        """Make the ids of all requests below this number, and take the lines that came before."""
        for number in range(len(self._tasks), wanted):
            request, draw = self._identify(number)
            self._tasks.append(task_of(self._shares, draw))
            self._numbers[_plain(request)] = number
        for key in [key for key in self._early if key in self._numbers]:
            self._over(self._numbers.pop(key), *self._early.pop(key))

    def line(self, said: Ended, now: float) -> None:
        """Take a line of the log; `now` is when it came, in seconds."""
        key = _plain(said.id)
        number = self._numbers.pop(key, None)
        if number is not None:
            self._over(number, said, now)
        elif key:
            self._early[key] = said, now
            if len(self._early) > MOST_EARLY:
                del self._early[next(iter(self._early))]

    def _over(self, number: int, said: Ended, now: float) -> None:
        self.found += 1
        if number in self._missing:
            self._missing.discard(number)
            self._late(self._tasks[number], said)
        else:
            self._lines[number % self._processes].add(number, said, now)

    def advance(self, now: float, *, final: bool = False) -> None:
        """Take all requests that can be taken; at last, those too of which others have been waited for."""
        if final and self._early:
            self._identify_to(self._count * self._processes)
        for line in self._lines:
            for number, said in line.ready(self._processes, float("inf") if final else now - self._patience):
                self._take(self._tasks[number], said)
                if said is None:
                    self._missing.add(number)


class _Line:
    """The requests of one load process that are over and not taken, and the number of the next one to take."""

    def __init__(self, first: int):
        self._next = first
        self._waiting: dict[int, Ended] = {}
        self._arrived: deque[tuple[float, int]] = deque()

    def add(self, number: int, said: Ended, now: float) -> None:
        self._waiting[number] = said
        self._arrived.append((now, number))

    def ready(self, step: int, before: float) -> Iterator[tuple[int, Ended | None]]:
        """Yield requests in their order; None for one that is missing while another came `before` this time."""
        while self._waiting:
            said = self._waiting.pop(self._next, None)
            if said is None and not self._overdue(before):
                return
            yield self._next, said
            self._next += step

    def _overdue(self, before: float) -> bool:
        while self._arrived and self._arrived[0][1] < self._next:
            self._arrived.popleft()
        return bool(self._arrived) and self._arrived[0][0] <= before


def _plain(request: str) -> str:
    """Return an id without the digit of its version, in which an Envoy that traces writes why it does
    (UuidRequestIdExtension::setTraceReason)."""
    return request[:14].lower() + request[15:].lower()
