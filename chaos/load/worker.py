"""One process's share of the users of a distributed load: Locust's WorkerRunner, and a digest per interval."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from time import perf_counter
from typing import Any

import locust.runners
from gevent.event import Event

from chaos.load.channel import Client, use
from chaos.load.local import LocalLoad, environment_of
from chaos.load.patience import Patience
from chaos.load.process import calm_collector, collect_young
from chaos.load.report import Report
from chaos.load.roster import holds_out
from chaos.load.shared import Shared
from chaos.protocol.load_plan import Plan
from chaos.protocol.worker_messages import Told

DIGEST, PHASE, FINISH = "chaos_digest", "chaos_phase", "chaos_finish"
MOST_DIGESTS = 250  # per second from all workers; one, and a heartbeat with it, cost their master a millisecond
HEARTBEAT, STATISTICS, RARELY = 1.0, 3.0, 60.0  # seconds between Locust's own messages
POLL = 0.02  # seconds between a worker's checks of its clock
EARLY = 0.05  # seconds by which a worker's digest comes before the master's


def interval_of(plan: Plan) -> float:
    """Return the seconds between two digests of a worker: those of the plan, or more if there are many workers, so that
    their master has time for all of them."""
    return max(plan.interval, plan.processes / MOST_DIGESTS)


def _speak_seldom(plan: Plan) -> None:
    """Let Locust's own messages of this process be as rare as its digests: a heartbeat costs the master as much as one.
    Its statistics are shown in the web UI alone."""
    vars(locust.runners)["HEARTBEAT_INTERVAL"] = max(HEARTBEAT, plan.interval)
    vars(locust.runners)["WORKER_REPORT_INTERVAL"] = STATISTICS if plan.ui else RARELY


class Worker:
    """One process's share of the users. `client` has greeted the load. `begun` is set when its first request is due,
    `over` when the load is to end, `told_last` when all has been told."""

    def __init__(self, plan: Plan, process: int, client: Client, *, remote: bool = False):
        """Build the users, and tell the load, `remote` if it is on another host, that they are ready. Raises BadPlan,
        or OSError for a name that cannot be resolved."""
        plan = replace(plan, interval=interval_of(plan))
        self.plan, self.process = plan, process
        self.begun, self.over, self.told_last = Event(), Event(), Event()
        self._drain = 0.0
        self._told: tuple[float, bool] | None = None
        shared = self.shared = Shared(plan, process, remote=remote)
        environment = environment_of(shared)
        use(client=client)
        _speak_seldom(plan)
        runner = environment.create_worker_runner("", 0)
        runner.register_message(PHASE, lambda environment, msg, **_: shared.recorder.enter(msg.data["name"]))
        runner.register_message(FINISH, self._hear_finish)
        self.load = LocalLoad(shared, environment, runner)
        self._patience = Patience(shared.sequence, perf_counter(), holds_out(plan.interval))
        environment.events.heartbeat_received.add_listener(lambda **_: self._heard())

    @property
    def sent(self) -> int:
        """The number of requests sent so far."""
        return self.load.shared.sequence.taken

    def finish(self, drain: float) -> None:
        """Ask the worker to end; requests in flight get `drain` seconds."""
        self._drain = drain
        self.over.set()

    def _hear_finish(self, environment: Any, msg: Any, **_: Any) -> None:
        self._heard()
        self.finish(msg.data["drain"])

    def _heard(self) -> None:
        """Note that the load was heard."""
        now = perf_counter()
        self._patience.heard(now)
        if self.shared.doubts is not None:
            self.shared.doubts.heard(now)

    def _look(self) -> None:
        """See whether the load has not been heard for too long."""
        now = perf_counter()
        self._patience.look(now)
        if self.shared.doubts is not None:
            self.shared.doubts.look(now)

    def run(self) -> None:
        """Run until it is asked to finish; send a digest per interval, and the last one."""
        calm_collector()
        while not self.over.wait(POLL):
            self._look()
            if self._due():
                self.begun.set()
                self._tell(self.load.report(), last=False)
        self.load.stop(self._drain)
        self._tell(self.load.last_report(), last=True)
        self.told_last.set()

    def _due(self) -> bool:
        """Return whether to send a digest: once an interval, a little before the master's own, and at once when the
        load has begun and when it has finished."""
        began = self.load.began
        if began is None:
            return False
        tick = (perf_counter() - began + EARLY) // self.plan.interval
        state = (tick, self.load.finished)
        if state == self._told:
            return False
        self._told = state
        return True

    def _tell(self, report: Report, *, last: bool) -> None:
        self.load.runner.send_message(DIGEST, self._told_of(report, last=last))
        collect_young()

    def _told_of(self, report: Report, *, last: bool) -> Told:
        digest, shared, began = report.digest, self.load.shared, self.load.began
        behind, shared.behind = shared.behind, 0.0
        now = perf_counter()
        return Told(
            process=self.process,
            last=last,
            age=None if began is None else now - began,
            told_until=0.0 if began is None or report.told_until is None else report.told_until - began,
            finished=self.load.finished,
            entries=digest.entries(),
            pairs=digest.pair_entries(),
            parts=digest.parts.record(),
            pending=digest.pending_entries(),
            untold=_rows(Counter() if last else shared.pending.untold()),
            held=_rows(report.held),
            sent=shared.sequence.taken,
            users=report.users,
            cpu=report.cpu,
            late=report.late,
            behind=behind,
            paused=self._patience.paused(now),
            samples=report.samples,
            exemplars=report.exemplars,
            share=report.share,
            abandoned=report.abandoned,
        )


def _rows(counts: Counter[tuple[str, str]]) -> list[list[Any]]:
    """Return the written form of counts by phase and task."""
    return [[*place, count] for place, count in counts.items() if count]
