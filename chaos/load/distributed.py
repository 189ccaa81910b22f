"""A load in several processes, of this machine or of others: Locust's MasterRunner here, a WorkerRunner in each.

Every worker counts for itself and sends one digest per interval over Locust's own channel; the master adds them up. So
the master's work depends on the number of workers and of kinds of outcome, never on the number of requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any, Protocol

import gevent

from chaos.load.channel import Server
from chaos.load.local import Say, environment_of
from chaos.load.master import Master, master_of
from chaos.load.report import Report
from chaos.load.roster import Event, Roster
from chaos.load.shared import Shared
from chaos.load.worker import DIGEST, FINISH, PHASE, interval_of
from chaos.otel.needed import LOAD_END
from chaos.protocol.load_plan import Plan
from chaos.protocol.worker_messages import WorkerRecord

CONNECT = 10.0  # seconds for all workers to report
GRACE = 2.0  # seconds after the drain for the workers' last digests

Note = Callable[[Iterable[Event]], None]
"""Takes what is to be known of the workers."""


class Workers(Protocol):
    """Where the workers are: forked here (chaos/load/forked.py), or joining from this host and others
    (chaos/load/joining.py). `trouble` is why the load cannot go on."""

    trouble: str

    def listen(self) -> Server: ...
    def admits(self, identity: str) -> bool: ...
    def attach(self, runner: Master, roster: Roster, note: Note) -> None: ...
    def gather(self, say: Say, over: Callable[[], bool]) -> None: ...
    def dismiss(self) -> None: ...


class DistributedLoad:
    """The master's side of the load."""

    def __init__(self, plan: Plan, workers: Workers):
        """Listen for the workers. Raises BadPlan and OSError."""
        self.shared = Shared(plan)
        self.environment = environment_of(self.shared)
        self.runner = master_of(self.environment, workers.listen(), workers.admits)
        self.runner.register_message(DIGEST, self._hear)
        self.roster = Roster(interval_of(plan), plan.phase)
        self._workers, self._count = workers, plan.processes
        self._trouble = ""
        self._events: list[Event] = []
        workers.attach(self.runner, self.roster, self._events.extend)

    @property
    def trouble(self) -> str:
        """Why the load cannot go on; empty while it can."""
        return self._trouble or self._workers.trouble or ("no load worker is left" if self.roster.all_lost else "")

    def gather(self, say: Say, over: Callable[[], bool]) -> None:
        """Wait until the workers have joined, if they do. Returns early when the load is `over`. Raises NotAll."""
        self._workers.gather(say, over)

    @property
    def began(self) -> float | None:
        return self.roster.began

    @property
    def finished(self) -> bool:
        return self.roster.finished

    def take_events(self) -> list[Event]:
        """Return what is to be known of the workers and was not returned before."""
        self._events += self.roster.look(perf_counter())
        taken = list(self._events)
        self._events.clear()
        return taken

    def workers(self) -> list[WorkerRecord]:
        """Return what each of the workers has done so far."""
        return self.roster.records()

    def start(self, users: int, rate: float) -> None:
        """Start the users, once all workers have reported; blocks until the users exist."""
        with gevent.Timeout(CONNECT, False):
            while self.runner.worker_count < self._count:
                gevent.sleep(0.005)
        if self.runner.worker_count < self._count:
            self._trouble = "the load's workers did not report to their master"
        elif self.environment.shape_class is None:
            self.runner.start(users, rate)
        else:
            self.runner.start_shape()

    def enter(self, phase: str) -> None:
        self.roster.enter(phase, perf_counter())
        self.runner.send_message(PHASE, {"name": phase})

    def _hear(self, environment: Any, msg: Any, **_: Any) -> None:
        self._events += self.roster.hear(msg.data, perf_counter())

    def report(self) -> Report:
        """Return what the workers have told since the last report, added up."""
        return self.roster.report(perf_counter())

    def stop(self, drain: float) -> None:
        """Ask the workers to end their users and to send their last digests; then end the workers."""
        self.runner.send_message(FINISH, {"drain": drain})
        with gevent.Timeout(drain + GRACE + (LOAD_END if self.shared.plan.otel else 0.0), False):
            while not self.roster.told_everything and not self.trouble:
                gevent.sleep(0.005)
        if not self.trouble:
            self._events += self.roster.close(perf_counter())
        self._workers.dismiss()

    def last_report(self) -> Report:
        return self.report()
