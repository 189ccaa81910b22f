"""The workers of a load as their master knows them: what they told, who has fallen silent, and what is unknown then.

Knows no socket and no clock: every moment is an argument, in seconds of the master's own clock. So it is the same for
worker processes of this machine and for those of other hosts, and a thousand of them can be simulated.

A worker tells once an interval. Of one that does not, nobody knows what became of the requests that it has sent since,
whether it has died, is cut off, or is only slow: they are pending, as those in flight are, and a claim then has to hold
whether all or none of them satisfy it. Their number is what the worker had told last of requests that it could not
tell more of, and what it can have sent since: its greatest pace so far, and half as much again, for the time that it
sends without hearing its master (HOLDS_OUT). Once it is heard again, all of that is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil

from chaos.formatting import plural
from chaos.journal.merge import Merger
from chaos.load.report import Report
from chaos.protocol.digest import ANY_TASK, Digest
from chaos.protocol.exemplars import ExemplarRecord
from chaos.protocol.load_messages import Level
from chaos.protocol.worker_messages import State, Told, WorkerRecord

SILENT = 3.0
"""Seconds, or so many intervals if they are longer, without a word after which a worker is silent."""

LOST = 10.0
"""Seconds without a word after which a load that has nothing else to do ends without a worker."""

HOLDS_OUT = 3.0
"""Seconds, or so many intervals if they are longer, for which a worker goes on sending without a word from its master;
then it pauses. What nobody supervises must not go on, and nobody could tell how much of it there was."""

FASTER = 1.5
"""How much faster than ever before a silent worker may have been."""

Place = tuple[str, str]
Event = tuple[Level, str]


def holds_out(interval: float) -> float:
    """Return for how many seconds a worker that tells once an interval goes on without a word from its master."""
    return max(HOLDS_OUT, HOLDS_OUT * interval)


@dataclass(slots=True)
class Worker:
    """One worker. `heard_at` is when it was last heard of, `offset` how far its load's clock is from the master's: the
    least that was seen, because a message that waits makes it look greater."""

    number: int
    host: str
    heard_at: float
    state: State = "there"
    told: Told | None = None
    offset: float | None = None
    requests: int = 0
    late: int = 0
    behind: float = 0.0
    cpu: float = 0.0
    pace: float = 0.0
    silent: float = 0.0
    ended_at: float | None = None
    unknown: Counter[Place] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        return f"load worker {self.number} ({self.host})"

    @property
    def last(self) -> bool:
        """Whether it has told everything."""
        return self.told is not None and self.told["last"]

    @property
    def finished(self) -> bool:
        return self.told is not None and self.told["finished"]

    def record(self) -> WorkerRecord:
        """Return the journal's form."""
        return WorkerRecord(
            worker=self.number,
            host=self.host,
            state=self.state,
            requests=self.requests,
            unknown=self.unknown.total(),
            late=self.late,
            behind=round(self.behind, 3),
            paused=round(self.told["paused"], 3) if self.told is not None else 0.0,
            silent=round(self.silent, 3),
            cpu=self.cpu,
        )


class Roster:
    """All workers of one load, by their index. `interval` is the time between two messages of a worker in seconds,
    `phase` the one in which the load begins."""

    def __init__(self, interval: float = 1.0, phase: str = ""):
        self.began: float | None = None
        self.workers: dict[int, Worker] = {}
        self._interval = interval
        self._silent = max(SILENT, SILENT * interval)
        self._phases = [(float("-inf"), phase)]
        self._assumed: Counter[Place] = Counter()
        self._told_until: float | None = None
        self._clear()

    def _clear(self) -> None:
        self._sum = Merger()
        self._late = self._abandoned = 0
        self._samples: list[list[object]] = []
        self._exemplars: list[ExemplarRecord] = []

    def join(self, index: int, host: str, now: float) -> None:
        """Add a worker, of which nothing has been heard but that it is there."""
        self.workers[index] = Worker(index + 1, host, now)

    def enter(self, phase: str, now: float) -> None:
        """Note the phase in which requests are sent from now on."""
        self._phases.append((now, phase))

    def hear(self, told: Told, now: float) -> Iterator[Event]:
        """Add what a worker told. Yields what is to be known of it."""
        worker = self.workers[told["process"]]
        yield from self._back(worker, now)
        self._pace(worker, told, now)
        worker.told, worker.heard_at = told, now
        if told["age"] is not None:
            offset = now - told["age"]
            worker.offset = offset if worker.offset is None else min(worker.offset, offset)
            self.began = worker.offset if self.began is None else self.began
        counts = self._sum.push(told["entries"], told["pairs"], pending=told["pending"], parts=told["parts"])
        worker.requests += sum(counts.values())
        worker.late += told["late"]
        worker.behind = max(worker.behind, told["behind"])
        worker.cpu = max(worker.cpu, told["cpu"])
        self._late += told["late"]
        self._abandoned += told["abandoned"]
        self._samples += told["samples"]
        self._exemplars += told["exemplars"]

    def _back(self, worker: Worker, now: float) -> Iterator[Event]:
        """Forget that a worker was silent. What waited for it on the way is heard first, and then what it tells now."""
        if worker.state == "there":
            return
        away = now - worker.heard_at
        worker.silent += max(0.0, away - self._interval)
        worker.state, worker.ended_at = "there", None
        worker.unknown.clear()
        yield "info", f"{worker.name} is heard again after {away:.1f} s"

    def _pace(self, worker: Worker, told: Told, now: float) -> None:
        """Note how many requests a second the worker can send."""
        before, age = worker.told, told["age"]
        if age is None:
            return
        since = before["age"] if before is not None and before["age"] is not None else 0.0
        sent = told["sent"] - (before["sent"] if before is not None else 0)
        worker.pace = max(worker.pace, sent / max(age - since, self._interval / 2))

    def gone(self, index: int, how: str, now: float) -> Iterator[Event]:
        """Note that a worker has ended without telling everything; `how` says how it is known. Yields the event."""
        worker = self.workers[index]
        if worker.last or worker.state == "lost":
            return
        worker.state, worker.ended_at = "lost", now
        self._assume(worker, now)
        yield "warning", self._missing(worker, how)

    def left(self, index: int, now: float) -> Iterator[Event]:
        """Note that a worker was ended where it runs, before the load. Yields the event."""
        worker = self.workers[index]
        if worker.state != "lost":
            worker.state, worker.ended_at = "lost", now
            self._assume(worker, now)
            yield "warning", f"{worker.name} was ended there: its part of the requests is not sent by the others"

    def look(self, now: float) -> Iterator[Event]:
        """Find who has fallen silent. Yields an event for each change."""
        for worker in self.workers.values():
            away = now - self._since(worker, now)
            if worker.last:
                continue
            if worker.state == "there" and away > self._silent:
                worker.state = "silent"
                self._assume(worker, now)
                yield "warning", self._missing(worker, f"nothing has been heard of it for {away:.0f} s")
            elif worker.state == "silent" and away > max(LOST, self._silent):
                worker.state = "lost"
                yield "warning", f"{worker.name} is lost: its part of the requests is not sent by the others"

    def _missing(self, worker: Worker, why: str) -> str:
        unknown = worker.unknown.total()
        return f"{worker.name}: {why}; what became of up to {plural(unknown, 'request')} is unknown"

    def _assume(self, worker: Worker, now: float) -> None:
        """Set what is unknown of a worker that is not there."""
        told = worker.told
        untold = told["untold"] if told is not None else ()
        worker.unknown = Counter({(phase, task): count for phase, task, count in untold})
        if told is not None and (told["finished"] or told["last"]):
            return
        since = self._since(worker, now)
        until = min(
            now if worker.ended_at is None else worker.ended_at, since + holds_out(self._interval) + self._interval
        )
        pace = worker.pace or max((each.pace for each in self.workers.values()), default=0.0)
        more = ceil(FASTER * pace * max(until - since, 0.0))
        for phase in self._phases_between(since, until) if more else ():
            worker.unknown[phase, ANY_TASK] += more

    def _since(self, worker: Worker, now: float) -> float:
        """Return since when what a worker sends is not known. Before the load has begun it sends nothing."""
        return now if self.began is None else max(worker.heard_at, self.began)

    def _phases_between(self, since: float, until: float) -> set[str]:
        before = [phase for at, phase in self._phases if at <= since]
        return {before[-1], *(phase for at, phase in self._phases if since < at <= until)}

    # ---------------------------------------------------------------- all of them
    @property
    def silent(self) -> list[Worker]:
        """Those of whom something is unknown."""
        return [worker for worker in self.workers.values() if worker.state != "there"]

    @property
    def there(self) -> list[Worker]:
        return [worker for worker in self.workers.values() if worker.state == "there"]

    @property
    def finished(self) -> bool:
        """Whether every worker has sent all its requests, but for those that are lost."""
        waited_for = [worker for worker in self.workers.values() if worker.state != "lost"]
        return bool(waited_for) and all(worker.finished for worker in waited_for)

    @property
    def told_everything(self) -> bool:
        """Whether nothing more is to be heard from those that are not lost."""
        return all(worker.last or worker.state == "lost" for worker in self.workers.values())

    @property
    def all_lost(self) -> bool:
        return bool(self.workers) and all(worker.state == "lost" for worker in self.workers.values())

    def close(self, now: float) -> Iterator[Event]:
        """Give up those who have not told everything. Yields an event for each of whom that was not said before."""
        for worker in self.workers.values():
            if worker.state == "there" and not worker.last:
                worker.state, worker.ended_at = "lost", now
                self._assume(worker, now)
                yield "warning", self._missing(worker, "it did not tell its last counts")

    def report(self, now: float) -> Report:
        """Return what the workers have told since the last report, added up, with what is unknown of those who are
        silent."""
        for worker in self.silent:
            self._assume(worker, now)
        there = [worker.told for worker in self.there if worker.told is not None]
        made = Report(
            digest=self._with_unknown(self._sum.digest()),
            users=sum(told["users"] for told in there),
            cpu=max((told["cpu"] for told in there), default=0.0),
            late=self._late,
            samples=self._samples,
            exemplars=self._exemplars,
            share=min((told["share"] for told in there), default=0.0),
            abandoned=self._abandoned,
            held=sum((Counter({(phase, task): n for phase, task, n in told["held"]}) for told in there), Counter()),
            told_until=self._until(),
        )
        self._clear()
        return made

    def _with_unknown(self, made: Digest) -> Digest:
        """Add by how much the number of unknown requests has grown since the last report."""
        current = sum((worker.unknown for worker in self.workers.values()), Counter())
        for place in current.keys() | self._assumed.keys():
            more = current[place] - self._assumed[place]
            if more:
                made.pending[place] = made.pending.get(place, 0) + more
        self._assumed = current
        return made

    def _until(self) -> float | None:
        """Return until when every worker that is there has told of its requests, by the master's clock."""
        found = [
            worker.offset + worker.told["told_until"]
            for worker in self.there
            if worker.told is not None and worker.offset is not None
        ]
        self._told_until = min(found, default=self._told_until)
        return self._told_until

    def records(self) -> list[WorkerRecord]:
        """Return the journal's form of all workers, in the order of their numbers."""
        return [self.workers[index].record() for index in sorted(self.workers)]
