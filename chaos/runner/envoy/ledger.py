"""Count what Envoy drew, from its access log, in the ledgers of our own gateway.

A request's line comes when it is over, and a delayed one is over later. To count each as it ends would make delays look
rarer than they are for as long as a run lasts. So requests are counted in the order in which they began, each once all
before it are over: whatever is counted is a whole cohort."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from chaos.engines.envoy.access_log import Connection, Started
from chaos.engines.envoy.connections import NOWHERE
from chaos.engines.envoy.measured import NOBODY, Generation
from chaos.faults import AbortFault, DelayFault, FaultKind, fault_of, tag_of
from chaos.gateway.state.counters import Ledger, Phase
from chaos.gateway.state.faulted import Faulted
from chaos.mesh.decision import Request
from chaos.protocol.counters import BOUNDS, WITHIN, RuleCounters
from chaos.protocol.tags import label_of
from chaos.samples.envoy_line import Ended

FAILURES = ("UH", "NC", "UF", "UC", "UR", "UT", "UO", "UPE", "LR")
"""Envoy's response flags for requests that had no response from upstream, or not all of it."""


@dataclass(slots=True)
class _Request:
    authority: str
    ended: Ended | None = None


class EnvoyLedger:
    """The counts so far. `rules` are keys and names by the index in a route's name; new ones are added at the end."""

    def __init__(self, rules: Sequence[tuple[str, str]]):
        self.faulted = Faulted()
        self.ended = 0
        self.aborted = 0
        self.delayed = 0
        self.connections = 0
        self._connected: set[str] = set()
        self._rules = rules
        self._generations: dict[str, Generation] = {}
        self._phases: dict[str, Phase] = {}
        self._undrawn: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._line: deque[_Request] = deque()
        self._open: defaultdict[str, deque[_Request]] = defaultdict(deque)

    def know(self, generation: Generation) -> None:
        """Expect requests of this generation from now on."""
        self._generations[str(generation.number)] = generation

    def started(self, said: Started) -> None:
        """Note that a request is under way."""
        request = _Request(said.authority)
        self._line.append(request)
        self._open[said.id].append(request)

    def over(self, said: Ended) -> None:
        """Note that a request is over, and count those of which all before are."""
        self.ended += 1
        self.aborted += said.aborted
        self.delayed += said.delayed
        waiting = self._open.get(said.id)
        if waiting:
            waiting.popleft().ended = said
            if not waiting:
                del self._open[said.id]
        while self._line and (ended := self._line[0].ended) is not None:
            self._count(ended, self._line.popleft().authority)

    def connection(self, said: Connection, phase: str) -> None:
        """Count a connection in a phase: once it has reached its destination, or has ended without. One line of two
        tells nothing new."""
        if said.over and said.id in self._connected:
            self._connected.discard(said.id)
            return
        if not said.over:
            self._connected.add(said.id)
        self.connections += 1
        counted = self._phase(phase)
        if said.rule == NOWHERE:
            counted.unmatched.requests += 1
        else:
            _count_connection(counted.ledger_of(*self._rules[int(said.rule)]), said)

    def as_json(self) -> dict[str, dict[str, RuleCounters]]:
        """Return the counts by phase and rule, as `GET /counters` gives them."""
        found = {name: phase.as_json() for name, phase in self._phases.items()}
        for (phase, key), undrawn in self._undrawn.items():
            found[phase][key]["undrawn"] = dict(undrawn)
        return found

    @property
    def unmatched(self) -> int:
        return sum(phase.unmatched.requests for phase in self._phases.values())

    def _count(self, said: Ended, authority: str) -> None:
        number, _, index = said.route.partition("/")
        generation = self._generations.get(number)
        if generation is None:  # refused before any route was looked for
            generation = next(reversed(self._generations.values()))
        name = generation.phase
        phase = self._phase(name)
        if index in ("", NOBODY):
            count_answer(phase.unmatched, said)
            return
        key, rule = self._rules[int(index)]
        ledger = phase.ledger_of(key, rule)
        fault = fault_of_line(said)
        self._count_fault(ledger, generation, said, fault)
        count_answer(ledger, said)
        if fault:
            request = Request(said.method.encode(), said.path.encode(), authority.encode(), [])
            self.faulted.record(name, said.id.encode(), request, key, fault)

    def _phase(self, name: str) -> Phase:
        return self._phases.get(name) or self._phases.setdefault(name, Phase(name, tagged=False))

    def _count_fault(self, ledger: Ledger, generation: Generation, said: Ended, fault: str) -> None:
        faults = generation.faults.get(ledger.key, ())
        if fault:
            ledger.faults[fault] += 1
        delay = fault_of(faults, DelayFault)
        if said.delayed and delay is not None:
            ledger.delay_seconds += delay.seconds
        abort = fault_of(faults, AbortFault)
        # Envoy draws the abort once the delay is over, so of a client that left before nobody knows it.
        undrawn = abort is not None and said.left and said.delayed and not said.aborted and not said.attempts
        if undrawn:
            self._undrawn[generation.phase, ledger.key][FaultKind.ABORT] += 1
        if said.left:
            ledger.left[fault] += 1
        if not undrawn and not said.aborted and said.cluster is not None:
            count_forwarded(ledger, said, label_of(said.cluster))


def _count_connection(ledger: Ledger, said: Connection) -> None:
    """Count a connection as one request without a status."""
    ledger.requests += 1
    if said.cluster is not None:
        ledger.forwarded += 1
        ledger.destinations[label_of(said.cluster)] += 1
    if said.over:
        ledger.failures[_failure(said.flags)] += 1
    else:
        ledger.answered += 1


def _failure(flags: frozenset[str]) -> str:
    return next((each for each in FAILURES if each in flags), "UF")


def fault_of_line(said: Ended) -> str:
    """Return the faults that a request met, as `x-chaos-fault` has them."""
    return _fault(said.delayed, said.aborted) if said.flags else ""


@cache
def _fault(delayed: bool, aborted: bool) -> str:
    met = ((FaultKind.DELAY, delayed), (FaultKind.ABORT, aborted))
    return tag_of(kind for kind, happened in met if happened)


def count_answer(ledger: Ledger, said: Ended) -> None:
    """Count a request and its response."""
    ledger.requests += 1
    ledger.statuses[said.status] += 1


def count_forwarded(ledger: Ledger, said: Ended, label: str) -> None:
    """Count what became of a request that was forwarded to this cluster."""
    ledger.forwarded += 1
    ledger.destinations[label] += 1
    if said.attempts is not None:
        ledger.tries[said.attempts] += 1
        ledger.upstream_requests += said.attempts
        # Which tries would have been retried is known of all but the last, because another followed them.
        ledger.upstream_failures += max(0, said.attempts - 1)
    if said.left:
        ledger.left_to[label] += 1
    elif said.details == "via_upstream":
        ledger.answered += 1
        ledger.upstream_statuses[said.status] += 1
    else:
        ledger.failures[_failure(said.flags)] += 1
    if said.time is not None:
        seconds = said.time / 1000
        ledger.upstream_seconds += seconds
        ledger.upstream_times[WITHIN[bisect_left(BOUNDS, seconds)]] += 1
