"""A load in several processes of this machine: Locust's MasterRunner here, a WorkerRunner in each forked child.

Every worker counts for itself and sends one digest per interval over Locust's own channel; the master adds them up. So
the master's work depends on the number of workers and of kinds of outcome, never on the number of requests."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import suppress
from time import perf_counter
from typing import Any, NoReturn

import gevent
from gevent import monkey

from chaos.journal.merge import Merger
from chaos.load.local import LocalLoad, Report, environment_of
from chaos.load.process import calm_collector, collect_young
from chaos.load.shared import Shared
from chaos.parent_death import die_with
from chaos.protocol.exemplars import ExemplarRecord
from chaos.protocol.load_plan import BadPlan, Plan

DIGEST, PHASE, FINISH = "chaos_digest", "chaos_phase", "chaos_finish"
CONNECT = 10.0  # seconds for all workers to report
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


class DistributedLoad:
    """The master's side of the load."""

    def __init__(self, plan: Plan, workers: dict[int, int]):
        self.shared = Shared(plan)
        self.environment = environment_of(self.shared)
        self.runner = self.environment.create_master_runner("127.0.0.1", 0)
        self.runner.register_message(DIGEST, self._hear)
        self.began: float | None = None
        self.trouble = ""
        self._processes = list(workers)
        self._told: dict[int, dict[str, Any]] = {}
        self._stopping = False
        self._clear()
        for pipe in workers.values():
            os.write(pipe, b"%d" % self.runner.server.port)
            os.close(pipe)
        gevent.spawn(self._guard)

    def _clear(self) -> None:
        self._sum = Merger()
        self._late = self._abandoned = 0
        self._samples: list[list[object]] = []
        self._exemplars: list[ExemplarRecord] = []

    @property
    def finished(self) -> bool:
        return self._all("finished")

    def _all(self, what: str) -> bool:
        return len(self._told) == len(self._processes) and all(told[what] for told in self._told.values())

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
        self.runner.send_message(PHASE, {"name": phase})

    def _hear(self, environment: Any, msg: Any, **_: Any) -> None:
        told = msg.data
        self._told[told["process"]] = told
        if told["began"] is not None:
            self.began = told["began"] if self.began is None else min(self.began, told["began"])
        self._sum.push(told["entries"], told["pairs"], pending=told["pending"], parts=told["parts"])
        self._late += told["late"]
        self._abandoned += told["abandoned"]
        self._samples += told["samples"]
        self._exemplars += told["exemplars"]

    def _told_until(self) -> float | None:
        """Return until when every worker has told of its requests."""
        return min((told["told_until"] for told in self._told.values()), default=None)

    def report(self) -> Report:
        """Return what the workers have sent since the last report, added up."""
        told = self._told.values()
        share = min((each["share"] for each in told), default=0.0)
        made = Report(
            digest=self._sum.digest(),
            users=sum(each["users"] for each in told),
            cpu=max((each["cpu"] for each in told), default=0.0),
            late=self._late,
            samples=self._samples,
            exemplars=self._exemplars,
            share=share,
            abandoned=self._abandoned,
            held=sum((Counter({(phase, task): n for phase, task, n in each["held"]}) for each in told), Counter()),
            told_until=self._told_until(),
        )
        self._clear()
        return made

    def stop(self, drain: float) -> None:
        """Ask the workers to end their users and to send their last digests; then end the workers."""
        self._stopping = True
        self.runner.send_message(FINISH, {"drain": drain})
        with gevent.Timeout(drain + GRACE, False):
            while not self._all("last") and not self.trouble:
                gevent.sleep(0.005)
        if not self._all("last"):
            self.trouble = self.trouble or "a load worker did not send its last digest"
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
            for process in () if self._stopping else self._processes:
                ended, status = _waitpid(process, os.WNOHANG)
                if ended:
                    self._processes.remove(process)
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
        self.plan, self.process = plan, process
        shared = Shared(plan, process)
        environment = environment_of(shared)
        runner = environment.create_worker_runner("127.0.0.1", port)
        runner.register_message(PHASE, lambda environment, msg, **_: shared.recorder.enter(msg.data["name"]))
        runner.register_message(FINISH, self._finish)
        self.load = LocalLoad(shared, environment, runner)
        self._over = gevent.event.Event()
        self._drain = 0.0
        self._told: tuple[float, bool] | None = None

    def _finish(self, environment: Any, msg: Any, **_: Any) -> None:
        self._drain = msg.data["drain"]
        self._over.set()

    def run(self) -> None:
        """Run until the master asks to finish; send a digest per interval, and the last one."""
        calm_collector()
        while not self._over.wait(POLL):
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
        digest = report.digest
        self.load.runner.send_message(
            DIGEST,
            {
                "process": self.process,
                "last": last,
                "began": self.load.began,
                "finished": self.load.finished,
                "entries": digest.entries(),
                "pairs": digest.pair_entries(),
                "pending": digest.pending_entries(),
                "parts": digest.parts.record(),
                "users": report.users,
                "cpu": report.cpu,
                "late": report.late,
                "samples": report.samples,
                "exemplars": report.exemplars,
                "share": report.share,
                "abandoned": report.abandoned,
                "told_until": report.told_until,
                "held": [[*place, count] for place, count in report.held.items()],
            },
        )
        collect_young()
