"""A load in this process: Locust's LocalRunner, or a worker's part of a distributed one; and its counts."""

from __future__ import annotations

from collections.abc import Callable

import gevent
from locust.env import Environment
from locust.runners import Runner

from chaos.load.lean import lean_user
from chaos.load.process import CpuShare
from chaos.load.report import Report
from chaos.load.roster import Event
from chaos.load.shared import Shared
from chaos.load.wanted_share import WantedShare
from chaos.protocol.digest import Digest
from chaos.protocol.load_messages import Level
from chaos.protocol.load_plan import Plan
from chaos.protocol.worker_messages import WorkerRecord

Say = Callable[[Level, str], None]
"""Tells the run what happens: level and text."""


class NotAll(Exception):  # noqa: N818 - named for what happened
    """Not all load workers have joined in time; says how many have, and from where."""


def environment_of(shared: Shared) -> Environment:
    """Return Locust's environment with the users of the plan.

    Raises BadPlan, or OSError for a name that cannot be resolved."""
    plan = shared.plan
    if plan.locustfile:
        from chaos.load.locustfile import environment_of_file

        return environment_of_file(plan.locustfile, shared)
    if plan.client == "locust":
        from chaos.load.fast import fast_user

        environment = Environment(user_classes=[fast_user(shared)])  # tells of its HTTP requests itself
    else:
        environment = Environment(user_classes=[lean_user(shared)])
    if plan.ui:
        shared.fire = environment.events.request.fire
    return environment


class LocalLoad:
    """Users in this process."""

    def __init__(self, shared: Shared, environment: Environment, runner: Runner):
        self.shared, self.environment, self.runner = shared, environment, runner
        self._cpu = CpuShare()
        calls = any(task.call is not None for task in shared.plan.tasks)
        self._wanted = WantedShare() if calls else None
        self._abandoned = 0
        gevent.spawn(shared.deadlines.run)

    @classmethod
    def of(cls, plan: Plan) -> LocalLoad:
        shared = Shared(plan)
        environment = environment_of(shared)
        return cls(shared, environment, environment.create_local_runner())

    @property
    def began(self) -> float | None:
        return self.shared.began

    @property
    def finished(self) -> bool:
        return self.shared.finished

    @property
    def trouble(self) -> str:
        """Why the load cannot go on; always empty here."""
        return ""

    def take_events(self) -> list[Event]:
        """Return what is to be known of other processes; there are none here."""
        return []

    def workers(self) -> list[WorkerRecord]:
        return []

    def gather(self, say: Say, over: Callable[[], bool]) -> None:
        """Wait for the workers; there are none."""

    def start(self, users: int, rate: float) -> None:
        """Start the users, or Locust's load shape if the locustfile has one."""
        self._share()
        if self.environment.shape_class is None:
            self.runner.start(users, rate)
        else:
            self.runner.start_shape()

    def enter(self, phase: str) -> None:
        self.shared.recorder.enter(phase)

    def report(self) -> Report:
        """Return what can be reported since the last report."""
        return self._report(self.shared.digest())

    def _report(self, digest: Digest) -> Report:
        recorder = self.shared.recorder
        share = recorder.share
        late, recorder.late = recorder.late, 0
        abandoned = self.shared.pending.abandoned - self._abandoned
        self._abandoned += abandoned
        users, cpu, held = self.runner.user_count, self._share(), self.shared.pending.held()
        return Report(
            digest=digest,
            users=users,
            cpu=cpu,
            late=late,
            samples=recorder.take_samples(),
            exemplars=recorder.exemplars.take(),
            share=share,
            abandoned=abandoned,
            held=held,
            told_until=self.shared.told_until,
        )

    def _share(self) -> float:
        used = self._cpu()
        return used if self._wanted is None else max(used, self._wanted())

    def stop(self, drain: float) -> None:
        """End all users; those that wait for a response get `drain` seconds."""
        self.environment.stop_timeout = drain
        self.runner.stop()
        if self.shared.tracer is not None:
            self.shared.tracer.close()

    def last_report(self) -> Report:
        """Return everything that has not been reported."""
        return self._report(self.shared.last_digest())
