"""Pass the load's and the gateway's counts to the journal and the judge, and the findings to the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chaos.claims.effects import PhaseEffects
from chaos.claims.finding import Finding
from chaos.claims.judge.run_judge import RunJudge
from chaos.journal.records import Counters, Faulted, Findings
from chaos.protocol.counters import GatewayCounters
from chaos.protocol.digest import BY_HAND, WARM_UP, Digest, EntryRecord
from chaos.protocol.load_messages import DigestMessage, ExemplarsMessage, SampleMessage, WorkersMessage
from chaos.protocol.worker_messages import WorkerRecord
from chaos.runner.outside.follow import AccessLog
from chaos.runner.processes.admin import Admin
from chaos.runner.processes.load_messages import digest_line, exemplars_record, sample_line, workers_record
from chaos.runner.supervise.journal import JournalWriter
from chaos.runner.supervise.unexplained import Unexplained

FAULTED_EVERY = 2.0  # seconds between polls for faulted requests
LEAST_FOR_A_RATE = 0.2  # seconds; the last digest may cover so little time that its rate means nothing
BUSY = 0.95  # share of a core from which a load process is short of CPU


class Recording:
    """The state of a measurement. `judge` is replaced for each level of a search; `earlier` are those of the levels
    before, whose last responses may still come. Without `counts` the gateway counts nothing."""

    def __init__(
        self, journal: JournalWriter, judge: RunJudge, effects: Sequence[PhaseEffects] = (), *, counts: bool = True
    ):
        self.journal, self.judge, self._counts = journal, judge, counts
        self.earlier: list[RunJudge] = []
        self.counters: GatewayCounters | None = None
        self.log: AccessLog | None = None
        self.requests = 0
        self.answered = 0
        self.per_phase: dict[str, int] = {}
        self.unexplained = Unexplained(effects)
        self.rate = 0.0
        self.users = 0
        self.late = 0
        self.workers: tuple[WorkerRecord, ...] = ()
        self._errors: dict[str, int] = {}
        self._cpu: list[float] = []
        self._second = Digest()
        self._seconds = 0.0
        self._faulted = 0
        self._faulted_at = 0.0
        self._decided_by_hand = (False, False)  # at the last two readings of the counters

    # ---------------------------------------------------------------- messages of the load
    def digest(self, message: DigestMessage) -> Finding | None:
        """Count one digest. Return the finding of the safeguard that fired, or None.

        Responses without a tag, as those of an application, may have come while somebody had set the faults, if the
        gateway has decided anything so since the counters were read the time before last: the load learns of it
        later."""
        line = digest_line(message)
        if any(self._decided_by_hand):
            line = replace(line, entries=tuple(map(_untagged_by_hand, line.entries)))
        self.journal.write(line)
        digest = Digest.of(line.entries, line.pairs, line.pending, line.parts)
        counted = digest.without(WARM_UP)
        for judge in (*self.earlier, self.judge):
            judge.observe(counted, line.seconds)
        self.judge.hold(each for each in message["held"] if each[0] != WARM_UP)
        self._count(digest)
        if line.seconds > LEAST_FOR_A_RATE:
            self.rate = digest.count / line.seconds
        self.users = line.users
        self.late += line.late
        if digest.count:
            self._cpu.append(line.cpu)
        return self._in_seconds(digest, line.seconds)

    def _count(self, digest: Digest) -> None:
        self.requests += digest.count
        self.answered += digest.count - digest.errors
        self.unexplained.count(digest)
        for key, tally in digest.items():
            self.per_phase[key.phase] = self.per_phase.get(key.phase, 0) + tally.count
            if key.error:
                self._errors[key.error] = self._errors.get(key.error, 0) + tally.count

    def _in_seconds(self, digest: Digest, seconds: float) -> Finding | None:
        """Add a digest to the current second, and judge the second once it is whole. Return the finding of the
        safeguard that fired, or None."""
        self._second.merge(digest)
        self._seconds += seconds
        if self._seconds < 0.95:
            return None
        whole, self._second, self._seconds = self._second, Digest(), 0.0
        return self.judge.second(whole.without(WARM_UP), watched=whole)

    def sample(self, message: SampleMessage) -> None:
        line = sample_line(message)
        self.journal.write(line)
        self.judge.sampled(line.requests)

    def exemplars(self, message: ExemplarsMessage) -> None:
        """Write single requests to the journal."""
        record = exemplars_record(message)
        counted = tuple(each for each in record.requests if each["phase"] != WARM_UP)
        self.unexplained.keep(counted)
        self.journal.write(replace(record, requests=counted))

    def of_workers(self, message: WorkersMessage) -> None:
        """Write what the load's workers have done to the journal."""
        record = workers_record(message)
        self.workers = record.workers
        self.journal.write(record)

    @property
    def counted(self) -> int:
        """The number of requests without those of the warm-up."""
        return self.requests - self.per_phase.get(WARM_UP, 0)

    def begin_to_count(self) -> None:
        """Forget what the warm-up said of the load itself: of its CPU, and of requests that found no user."""
        self.late = 0
        self._cpu.clear()

    def _counted(self) -> GatewayCounters | None:
        """Return the gateway's counters without those of the warm-up; None if it counts nothing."""
        if not self._counts:
            return None
        if self.counters is None or WARM_UP not in self.counters["phases"]:
            return self.counters
        phases = {name: rules for name, rules in self.counters["phases"].items() if name != WARM_UP}
        return {**self.counters, "phases": phases}

    @property
    def errors(self) -> str:
        """The number of requests without a response, by kind of error: `3 refused, 1 timeout`."""
        return ", ".join(f"{count} {kind}" for kind, count in sorted(self._errors.items()))

    # ---------------------------------------------------------------- the gateway's counts
    @property
    def by_hand(self) -> tuple[str, ...]:
        """What somebody has set in the gateway, when its counters were last read."""
        return tuple(self.counters.get("by_hand", ())) if self.counters is not None else ()

    async def poll_counters(self, admin: Admin) -> None:
        """Read the gateway's counters and write them to the journal."""
        before = _by_hand_calls(self.counters)
        self.counters = await admin.counters()
        now = bool(self.by_hand) or _by_hand_calls(self.counters) != before
        self._decided_by_hand = (self._decided_by_hand[1], now)
        if self._counts:
            self.journal.write(Counters(counters=self.counters))

    def poll_log(self) -> None:
        """Read what the access log of the gateway says by now, and write it to the journal as counters."""
        if self.log is not None:
            self.log.poll(self.requests + sum(self.judge.observed.pending.values()))
            self.counters = self.log.counters()
            self.journal.write(Counters(counters=self.counters))

    async def poll_faulted(self, admin: Admin, *, now: bool = False) -> None:
        """Write the requests that were faulted since the last poll to the journal; at most every two seconds, unless
        `now`."""
        if not now and self.journal.now - self._faulted_at < FAULTED_EVERY:
            return
        self._faulted_at = self.journal.now
        batch = (await admin.faulted(self._faulted))["faulted"]
        if batch:
            self._faulted += len(batch)
            self.journal.write(Faulted(requests=tuple(batch)))
            self.judge.faulted(each for each in batch if each["phase"] != WARM_UP)

    # ---------------------------------------------------------------- findings
    def findings(self, *, starved: str, more: tuple[Finding, ...] = ()) -> list[Finding]:
        """Return the findings so far and `more`, and write them to the journal."""
        findings = [*self.judge.findings(self._counted(), starved=starved), *more]
        self.journal.write(Findings(findings=tuple(finding.to_dict() for finding in findings)))
        return findings

    def starved(self, arrival_rate: float | None) -> str:
        """Return why latencies cannot be trusted, empty if they can."""
        busy = sorted(self._cpu)
        if busy and busy[len(busy) // 2] >= BUSY:
            return "the load process used all of its core; set load.users lower or load.processes higher"
        if arrival_rate is not None and self.late > 0.01 * max(self.counted, 1):
            return f"{self.late} requests were due while no user was free; set load.users higher"
        return ""


def _by_hand_calls(counters: GatewayCounters | None) -> int:
    """Return how many requests the gateway has decided as somebody had set it."""
    rules = counters["phases"].get(BY_HAND, {}) if counters is not None else {}
    return sum(each["requests"] for each in rules.values())


def _untagged_by_hand(entry: EntryRecord) -> EntryRecord:
    return entry if entry["route"] or entry["phase"] == WARM_UP else {**entry, "phase": BY_HAND}
