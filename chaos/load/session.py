"""One load from start to end: start it, report to the supervisor every interval, obey its commands, and end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from time import perf_counter
from typing import Any, Protocol

import gevent
from gevent.event import Event

from chaos.load.lines import Lines, SupervisorGone, commands
from chaos.load.process import collect_young
from chaos.load.report import Report
from chaos.protocol.digest import MOST_NAMES, OTHERS, Digest
from chaos.protocol.load_messages import DigestMessage, Done, ExemplarsMessage, Level, LoadMessage, WorkersMessage
from chaos.protocol.load_plan import Plan
from chaos.protocol.worker_messages import WorkerRecord

POLL = 0.01  # seconds between checks whether the load is over
DRAIN = 1.0  # seconds that requests in flight get when the load ends


class Load(Protocol):
    """Users somewhere: in this process, or in several."""

    @property
    def began(self) -> float | None: ...
    @property
    def finished(self) -> bool: ...
    @property
    def trouble(self) -> str: ...
    def start(self, users: int, rate: float) -> None: ...
    def enter(self, phase: str) -> None: ...
    def report(self) -> Report: ...
    def take_events(self) -> list[tuple[Level, str]]: ...
    def workers(self) -> list[WorkerRecord]: ...
    def stop(self, drain: float) -> None: ...
    def last_report(self) -> Report: ...


class Session:
    """Owns the clock of a load. `reason` is why it ends, empty before; `show` takes what the supervisor tells of the
    run (chaos/protocol/live_state.py); `left` is set when nothing more will be told."""

    def __init__(self, plan: Plan, load: Load, out: Lines):
        self.plan, self.load, self.out = plan, load, out
        self.reason = ""
        self.drain = DRAIN
        self.show: Callable[[dict[str, Any]], None] = lambda state: None
        self.left = Event()
        self._over = Event()
        self._started = False
        self._told_until = self._ticked = 0.0
        self._requests = 0
        self._errors: Counter[str] = Counter()
        self._late = 0
        self._abandoned = 0
        self._others = False

    def end(self, reason: str, drain: float = DRAIN) -> None:
        """Ask the load to end; the first reason given counts."""
        if not self.reason:
            self.reason, self.drain = reason, drain
            self._over.set()

    def end_now(self, reason: str) -> None:
        """Ask the load to end, and its process with it: nobody will tell the rest."""
        self.end(reason, 0.0)
        self.left.set()

    def started(self) -> None:
        """Report that somebody has started the users of a load that waits for that; its stages begin now."""
        if self.plan.waits and not self._started:
            self._started = True
            gevent.spawn(self._run_stages)
            self._tell_supervisor({"type": "started"})

    def tell_event(self, level: Level, text: str) -> None:
        """Report an event for the journal. Ends the load when nobody listens."""
        self._tell_supervisor({"type": "event", "level": level, "text": text})

    def _tell_supervisor(self, message: LoadMessage) -> None:
        try:
            self.out.write(message)
        except SupervisorGone:
            self.end_now("stdin")

    def _tell_of_others(self, digest: Digest) -> None:
        """Report once that there are too many names to keep apart."""
        if not self._others and any(key.task == OTHERS for key in digest.tallies):
            self._others = True
            text = f"more than {MOST_NAMES} different names of requests: the rest are counted together as {OTHERS}"
            self.tell_event("warning", f"{text}; give requests that differ by an id one name= in the locustfile")

    def run(self) -> str:
        """Run until the load is over and return the reason. Raises SupervisorGone."""
        gevent.spawn(self._start)
        gevent.spawn(self._obey)
        gevent.spawn(self._watch)
        while not self._over.wait(self._until_next_tick()):
            if self._due():
                self._tell(self.load.report())
        self.load.stop(self.drain)
        self._tell(self.load.last_report())
        self._tell_of_workers(self.load.workers())
        done = Done(
            type="done",
            reason=self.reason,
            requests=self._requests,
            errors=dict(self._errors),
            seconds=round(self._ticked, 3),
            late=self._late,
            abandoned=self._abandoned,
        )
        self.out.write(done)
        return self.reason

    def _tell_of_workers(self, workers: list[WorkerRecord]) -> None:
        if workers:
            self.out.write(WorkersMessage(type="workers", workers=workers))

    def _start(self) -> None:
        """Start the users, unless somebody else will in the web UI."""
        if self.plan.waits:
            return
        if not self.plan.stages:
            self.load.start(self.plan.users, self.plan.spawn_rate)
        self._run_stages()

    def _run_stages(self) -> None:
        """Start the users of one stage after the other; the last ones stay."""
        before = self.plan.warmup
        for seconds, users, rate in self.plan.stages or ():
            gevent.spawn(self.load.start, users, rate)
            if self._over.wait(before + seconds):
                return
            before = 0.0

    def _until_next_tick(self) -> float:
        interval, began = self.plan.interval, self.load.began
        if began is None:
            return min(interval, 0.05)
        age = perf_counter() - began
        return interval - age % interval

    def _due(self) -> bool:
        """Return whether most of an interval has passed since the last digest."""
        began = self.load.began
        return began is not None and perf_counter() - began - self._ticked > self.plan.interval / 2

    def _watch(self) -> None:
        """End the load when it has done its requests or its time, or cannot go on."""
        while not self._over.wait(POLL):
            if self.load.trouble:
                self.tell_event("error", self.load.trouble)
                self.end("failed", 0.0)
            elif self.load.finished:
                self.end("requests")
            elif self._lasted():
                self.end("duration")

    def _lasted(self) -> bool:
        duration, began = self.plan.duration, self.load.began
        return duration is not None and began is not None and perf_counter() - began >= duration

    def _obey(self) -> None:
        for command in commands():
            try:
                self._do(command)
            except (KeyError, TypeError, ValueError) as error:
                self.tell_event("warning", f"the load does not understand a command: {command!r} ({error!r})")
        self.end_now("stdin")

    def _do(self, command: dict[str, Any]) -> None:
        match command["command"]:
            case "stop":
                self.end("stop", float(command.get("drain", DRAIN)))
            case "users":
                count, rate = int(command["count"]), float(command.get("rate", self.plan.spawn_rate))
                gevent.spawn(self.load.start, max(count, 1), rate)
            case "phase":
                self.load.enter(str(command["name"]))
            case "live":
                self.show(command["state"])
            case "leave":
                self.left.set()
            case other:
                raise ValueError(other)

    def _tell(self, report: Report) -> None:
        """Write one digest line (and one of samples) for the requests that were sent since those of the last."""
        began = self.load.began
        if began is None:
            return
        events = self.load.take_events()
        for level, text in events:
            self.tell_event(level, text)
        if events:
            self._tell_of_workers(self.load.workers())
        age = self._ticked = perf_counter() - began
        until = age if report.told_until is None else min(max(report.told_until - began, self._told_until), age)
        digest = report.digest
        errors = errors_of(digest)
        self._requests += digest.count
        self._errors.update(errors)
        self._late += report.late
        self._abandoned += report.abandoned
        self._tell_of_others(digest)
        entries = []
        for entry in digest.each_entry():
            entries.append(entry)
            gevent.sleep(0)  # encoding takes a while; users read their responses in between
        second, self._told_until = self._told_until, until
        message = DigestMessage(
            type="digest",
            second=round(second, 3),
            seconds=round(until - second, 3),
            lag=round(age - until, 3),
            users=report.users,
            cpu=report.cpu,
            entries=entries,
            pairs=digest.pair_entries(),
            parts=digest.parts.record(),
            pending=digest.pending_entries(),
            errors=errors,
            late=report.late,
            held=[[*place, count] for place, count in sorted(report.held.items()) if count],
        )
        self.out.write(message)
        if report.samples:
            at = round(second, 3)
            self.out.write({"type": "sample", "second": at, "share": report.share, "requests": report.samples})
        if report.exemplars:
            self.out.write(ExemplarsMessage(type="exemplars", requests=report.exemplars))
        collect_young()


def errors_of(digest: Digest) -> dict[str, int]:
    """Return the number of requests without a response, by kind of error."""
    found: Counter[str] = Counter()
    for key, tally in digest.items():
        if key.error:
            found[key.error] += tally.count
    return dict(found)
