"""Count what an access log says of the run's requests, in the ledgers of our own gateway.

Which rule a request takes follows from its task; the log says what became of it: flags of faults, the cluster, how many
attempts, the response."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chaos.faults import FaultKind
from chaos.formatting import count as thousands
from chaos.formatting import plural
from chaos.gateway.state.counters import Ledger, Phase
from chaos.protocol.counters import GatewayCounters, LogInfo
from chaos.protocol.tags import label_of
from chaos.runner.envoy.ledger import FAILURES, count_answer, count_forwarded, fault_of_line
from chaos.runner.outside.requests import Requests
from chaos.samples.envoy_line import STATUS, Ended, ended

INBOUND = "inbound|"
"""How the clusters of a workload's own side begin: such a line is the second one of a request."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a task's requests take: the rule, and the seconds that one of them takes at least if it is delayed."""

    key: str
    name: str
    least: float = 0.0
    aborts: bool = False


class LogLedger:
    """The counts so far. `rules` are what the requests of each task take, None for those that are not the gateway's."""

    def __init__(
        self,
        rules: Sequence[Taken | None],
        shares: tuple[float, ...],
        *,
        seed: int,
        processes: int,
        patience: float,
        phase: str = "",
    ):
        self._rules = rules
        self._requests = Requests(seed, shares, processes, patience, self._take, self._late)
        self._phase = Phase(phase, tagged=False)
        self._unlogged: dict[str, int] = {}
        self._undrawn: dict[str, int] = {}
        self._lines = self._read = self._named = 0
        self._attempts, self._foreign = True, ""
        self._began = time.monotonic()
        self.final = False
        self.trouble = ""

    # ---------------------------------------------------------------- what comes
    def sent(self, count: int) -> None:
        """Note that about so many requests have been sent."""
        self._requests.sent(count)

    def line(self, line: bytes, now: float) -> None:
        """Count a line of the log."""
        self._lines += 1
        try:
            value = json.loads(line)
            said = ended(value) if isinstance(value, dict) and STATUS in value else None
        except ValueError:
            return
        if said is None or (said.cluster or "").startswith(INBOUND):
            return
        self._read += 1
        self._named += bool(said.id)
        self._requests.line(said, now)

    def advance(self, now: float) -> None:
        """Count the requests of which all before are over."""
        self._requests.advance(now)

    def finish(self, sent: Mapping[str, int]) -> None:
        """Count the rest, when no line comes any more. `sent` are the numbers of requests by rule: those without a line
        are unlogged."""
        self._requests.advance(0.0, final=True)
        for taken in (each for each in self._rules if each is not None):
            counted = self._phase.ledger_of(taken.key, taken.name).requests
            self._unlogged[taken.key] = max(self._unlogged.get(taken.key, 0), sent.get(taken.key, 0) - counted)
        self.final = True

    @property
    def lines(self) -> int:
        """How many lines have come, of whatever."""
        return self._lines

    @property
    def found(self) -> int:
        """How many lines are of this run's requests."""
        return self._requests.found

    # ---------------------------------------------------------------- counting
    def _take(self, task: int, said: Ended | None) -> None:
        taken = self._rules[task]
        if taken is None:
            return
        if said is None:
            self._unlogged[taken.key] = self._unlogged.get(taken.key, 0) + 1
        else:
            self._count(taken, said)

    def _late(self, task: int, said: Ended | None) -> None:
        taken = self._rules[task]
        if taken is not None and said is not None:
            self._unlogged[taken.key] -= 1
            self._count(taken, said)

    def _count(self, taken: Taken, said: Ended) -> None:
        ledger = self._phase.ledger_of(taken.key, taken.name)
        said = _with_details(_as_delayed(said, taken.least))
        count_answer(ledger, said)
        if fault := fault_of_line(said):
            ledger.faults[fault] += 1
        if said.left:
            ledger.left[fault] += 1
        # Envoy draws the abort once the delay is over, so of a client that left before nobody knows it.
        if taken.aborts and said.left and said.delayed and not said.aborted and not (said.host or said.attempts):
            self._undrawn[taken.key] = self._undrawn.get(taken.key, 0) + 1
        elif said.cluster is not None and not said.aborted:
            self._count_forwarded(ledger, said, said.cluster)

    def _count_forwarded(self, ledger: Ledger, said: Ended, cluster: str) -> None:
        self._attempts &= said.attempts is not None
        try:
            label = label_of(cluster)
        except ValueError:
            label, self._foreign = cluster, cluster
        count_forwarded(ledger, said, label)

    # ---------------------------------------------------------------- what others read
    def counters(self) -> GatewayCounters:
        """Return the counts, as those of our own gateway."""
        rules = self._phase.as_json()
        for key, counts in rules.items():
            if unlogged := self._unlogged.get(key):
                counts["unlogged"] = unlogged
            if undrawn := self._undrawn.get(key):
                counts["undrawn"] = {FaultKind.ABORT: undrawn}
        return {
            "generation": 0,
            "seconds": time.monotonic() - self._began,
            "workers": 0,
            "connections": 0,
            "cpu_seconds": 0.0,
            "phases": {self._phase.name: rules},
            "unmatched": 0,
            "log": self._log(),
        }

    def _log(self) -> LogInfo:
        return {
            "lines": self._lines,
            "found": self.found,
            "attempts": self._attempts,
            "foreign": self._foreign,
            "final": self.final,
            "trouble": self.trouble or (self._why_none() if self.final and not self.found else ""),
        }

    def _why_none(self) -> str:
        """Return why no line is one of the run's."""
        if not self._lines:
            return "the access log has had no new line: is it this gateway's, and is it written while the run lasts"
        if not self._read:
            return (
                f"of {plural(self._lines, 'new line')} of the access log none is Envoy's in JSON with response_code "
                "(accessLogEncoding: JSON in Istio)"
            )
        if not self._named:
            return "the lines of the access log have no request_id (%REQ(X-REQUEST-ID)%)"
        return (
            f"none of {thousands(self._read)} lines of the access log has the id of a request of this run: it is "
            "another gateway's, or one at the edge, which writes an x-request-id of its own for clients from outside "
            "(preserve_external_request_id keeps theirs)"
        )


def _as_delayed(said: Ended, least: float) -> Ended:
    """Return the line without the flag of a delay that it did not take; a duration is cut to milliseconds."""
    if (
        said.flags
        and said.delayed
        and said.duration is not None
        and (said.duration + 1) / 1000 < least
        and not said.left
    ):
        return replace(said, flags=said.flags - {"DI"})
    return said


def _with_details(said: Ended) -> Ended:
    """Return the line with Envoy's word for a response from upstream, if its format does not say it."""
    if not said.details and not said.flags.intersection(FAILURES):
        return replace(said, details="via_upstream")
    return said
