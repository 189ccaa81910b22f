"""Follow the access log of a gateway that runs already while a run lasts, and until its last lines have come."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from chaos.claims.effects import Effect
from chaos.claims.kinds.retries import RetriesClaim
from chaos.claims.observations import Outcome
from chaos.claims.shares.by_latency import near
from chaos.claims.shares.from_log import NO_ATTEMPTS
from chaos.faults import AbortFault, DelayFault
from chaos.journal.identity import shares_of
from chaos.protocol.counters import GatewayCounters
from chaos.runner.outside.ledger import LogLedger, Taken
from chaos.runner.outside.log_file import LogFile
from chaos.runner.plan.run_plan import RunPlan

QUIET = 11.0
"""Seconds without a line after which no more are expected: an Envoy writes at least every ten (file_flush_interval)."""
PATIENCE = 5.0
"""Seconds beyond the longest response that the rules cause, in which the line of a request comes after others'."""


class AccessLog:
    """The access log of a run. Raises InvalidInput if its file cannot be followed."""

    def __init__(self, path: Path, plan: RunPlan):
        self._path = path
        self._file = LogFile(path)
        effects = plan.effects[0].effects
        self._rules = {name: taken for effect in effects if (taken := _taken(effect)) for name in effect.tasks or ()}
        self._ledger = LogLedger(
            [self._rules.get(task.name) for task in plan.tasks],
            shares_of(task.weight for task in plan.tasks),
            seed=plan.seed,
            processes=plan.load.processes,
            patience=plan.longest_answer + PATIENCE,
            phase=plan.effects[0].name,
        )
        self._last = time.monotonic()

    def close(self) -> None:
        self._file.close()

    def poll(self, sent: int) -> None:
        """Read what has been written since the last time; about so many requests have been `sent`."""
        self._ledger.sent(sent)
        now, before = time.monotonic(), self._ledger.found
        try:
            for line in self._file.lines():
                self._ledger.line(line, now)
        except OSError as error:
            self._ledger.trouble = f"the access log {self._path} cannot be read any more: {error.strerror}"
        if self._ledger.found > before:
            self._last = now
        self._ledger.advance(now)

    def wait(self) -> None:
        """Note that the load is over, and that lines are waited for from now on."""
        self._last = time.monotonic()

    def over(self, outcomes: Iterable[tuple[Outcome, int]]) -> bool:
        """Return whether no line is to be expected any more: of all requests, or for a while of none."""
        sent = sum(self._sent(outcomes).values())
        return self._ledger.found >= sent or time.monotonic() - self._last > QUIET

    def finish(self, outcomes: Iterable[tuple[Outcome, int]]) -> None:
        """Count what no line tells of."""
        self._ledger.finish(self._sent(outcomes))

    def counters(self) -> GatewayCounters:
        return self._ledger.counters()

    def complaints(self, kinds: Collection[str]) -> Iterator[str]:
        """Yield what the log does not say of what claims of these kinds need."""
        log = self._ledger.counters()["log"]
        assert log is not None
        if log["trouble"]:
            yield log["trouble"]
        elif not log["attempts"] and RetriesClaim.kind in kinds:
            yield f"retries are not judged: {NO_ATTEMPTS}"

    def _sent(self, outcomes: Iterable[tuple[Outcome, int]]) -> Counter[str]:
        """Return how many requests of each rule were sent."""
        sent = Counter[str]()
        for outcome, count in outcomes:
            taken = self._rules.get(outcome.task)
            if taken is not None:
                sent[taken.key] += count
        return sent


def _taken(effect: Effect) -> Taken | None:
    if not effect.key or effect.tasks is None:
        return None
    delay = effect.delay if effect.share(DelayFault) else 0.0
    return Taken(effect.key, effect.name, max(0.0, delay - near(delay)), bool(effect.share(AbortFault)))
