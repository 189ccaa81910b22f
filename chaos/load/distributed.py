"""A load in several processes of this machine: Locust's MasterRunner here, a WorkerRunner in each forked child.

Every worker counts for itself and sends one digest per interval over Locust's own channel; the master adds them up. So
the master's work depends on the number of workers and of kinds of outcome, never on the number of requests."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from time import perf_counter
from typing import Any, NoReturn

import gevent
from gevent import monkey

from chaos.load.local import LocalLoad, environment_of
from chaos.load.patience import Patience
from chaos.load.process import calm_collector, collect_young
from chaos.load.report import Report
from chaos.load.roster import Event, Roster
from chaos.load.shared import Shared
from chaos.parent_death import die_with
from chaos.protocol.load_plan import BadPlan, Plan
from chaos.protocol.worker_messages import THIS_HOST, Told, WorkerRecord

DIGEST, PHASE, FINISH = "chaos_digest", "chaos_phase", "chaos_finish"
CONNECT = 10.0  # seconds for all workers to report
MOST_DIGESTS = 400  # per second from all workers; a digest costs their master a quarter of a millisecond
POLL = 0.02  # seconds between a worker's checks of its clock
EARLY = 0.05  # seconds by which a worker's digest comes before the master's
GRACE = 2.0  # seconds after the drain for the workers' last digests

_fork: Any = monkey.get_original("os", "fork")  # used before there is a loop or a zmq context, which survive no fork
_waitpid: Any = monkey.get_original("os", "waitpid")


def fork_workers(plan: Plan) -> dict[int, int]:
    """Fork the workers, which wait for the master's port. Returns the write ends of their pipes by process id."""
    master = os.getpid()
    workers: dict[int, int] = {}
    for process in range(plan.processes):
        reader, writer = os.pipe()
        child = _fork()
        if child == 0:
            for other in (*workers.values(), writer):
                os.close(other)
            _be_worker(plan, process, master, reader)
        os.close(reader)
        workers[child] = writer
    return workers


def interval_of(plan: Plan) -> float:
    """Return the seconds between two digests of a worker: those of the plan, or more if there are many workers, so that
    their master has time for all of them."""
    return max(plan.interval, plan.processes / MOST_DIGESTS)


class DistributedLoad:
    """The master's side of the load."""

    def __init__(self, plan: Plan, workers: dict[int, int]):
        self.shared = Shared(plan)
        self.environment = environment_of(self.shared)
        self.runner = self.environment.create_master_runner("127.0.0.1", 0)
        self.runner.register_message(DIGEST, self._hear)
        self.trouble = ""
        self.roster = Roster(interval_of(plan), plan.phase)
        self._processes = {process: index for index, process in enumerate(workers)}
        self._events: list[Event] = []
        self._stopping = False
        for index in range(plan.processes):
            self.roster.join(index, THIS_HOST, perf_counter())
        for pipe in workers.values():
            os.write(pipe, b"%d" % self.runner.server.port)
            os.close(pipe)
        gevent.spawn(self._guard)

    @property
    def began(self) -> float | None:
        return self.roster.began

    @property
    def finished(self) -> bool:
        return self.roster.finished

    def take_events(self) -> list[Event]:
        """Return what is to be known of the workers and was not returned before."""
        self._events += self.roster.look(perf_counter())
        taken, self._events = self._events, []
        return taken

    def workers(self) -> list[WorkerRecord]:
        """Return what each of the workers has done so far."""
        return self.roster.records()

    def start(self, users: int, rate: float) -> None:
        """Start the users, once all workers have reported; blocks until the users exist."""
        with gevent.Timeout(CONNECT, False):
            while self.runner.worker_count < len(self._processes):
                gevent.sleep(0.005)
        if self.runner.worker_count < len(self._processes):
            self.trouble = "the load's workers did not report to their master"
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
        self._stopping = True
        self.runner.send_message(FINISH, {"drain": drain})
        with gevent.Timeout(drain + GRACE, False):
            while not self.roster.told_everything and not self.trouble:
                gevent.sleep(0.005)
        if not self.trouble:
            self._events += self.roster.close(perf_counter())
        for process in self._processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            with suppress(ChildProcessError):
                _waitpid(process, 0)

    def last_report(self) -> Report:
        return self.report()

    def _guard(self) -> None:
        """Fail the load when a worker dies before the end, because its counts are lost with it."""
        while not self._stopping:
            gevent.sleep(0.1)
            for process in () if self._stopping else list(self._processes):
                ended, status = _waitpid(process, os.WNOHANG)
                if ended:
                    self._events += self.roster.gone(self._processes.pop(process), "it has died", perf_counter())
                    self.trouble = f"a load worker died ({os.waitstatus_to_exitcode(status)})"
                    return


def _be_worker(plan: Plan, process: int, master: int, reader: int) -> NoReturn:
    """Run a worker in the forked child, to the end of the process."""
    die_with(master)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    port = os.read(reader, 16)
    try:
        if port:
            Worker(plan, process, int(port)).run()
    except (BadPlan, OSError):
        pass  # the master has the same plan and reports the same error
    finally:
        os._exit(0)


class Worker:
    """One process's share of the users."""

    def __init__(self, plan: Plan, process: int, port: int):
        plan = replace(plan, interval=interval_of(plan))
        self.plan, self.process = plan, process
        shared = Shared(plan, process)
        environment = environment_of(shared)
        runner = environment.create_worker_runner("127.0.0.1", port)
        runner.register_message(PHASE, lambda environment, msg, **_: shared.recorder.enter(msg.data["name"]))
        runner.register_message(FINISH, self._finish)
        self.load = LocalLoad(shared, environment, runner)
        self._over = gevent.event.Event()
        self._patience = Patience(shared.sequence, perf_counter())
        environment.events.heartbeat_received.add_listener(lambda **_: self._patience.heard(perf_counter()))
        self._drain = 0.0
        self._told: tuple[float, bool] | None = None

    def _finish(self, environment: Any, msg: Any, **_: Any) -> None:
        self._drain = msg.data["drain"]
        self._over.set()

    def run(self) -> None:
        """Run until the master asks to finish; send a digest per interval, and the last one."""
        calm_collector()
        while not self._over.wait(POLL):
            self._patience.look(perf_counter())
            if self._due():
                self._tell(self.load.report(), last=False)
        self.load.stop(self._drain)
        self._tell(self.load.last_report(), last=True)
        gevent.sleep(60)  # the master kills this process once it has the last digest

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
