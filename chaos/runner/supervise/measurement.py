"""What the load and the gateway say goes to the journal and to the bench: counts, samples, counters, findings."""

from __future__ import annotations

from typing import Any

from chaos.claims.finding import Finding
from chaos.claims.judge.run_judge import RunJudge
from chaos.journal.records import Counters, Faulted, Findings
from chaos.protocol.counters import GatewayCounters
from chaos.protocol.digest import Digest
from chaos.runner.processes.admin import Admin
from chaos.runner.processes.load_messages import digest_line, sample_line
from chaos.runner.supervise.journal import JournalWriter

FAULTED_EVERY = 2.0  # seconds between looks at which requests were faulted
LEAST_FOR_A_RATE = 0.2  # seconds; the last digest's stretch may be so short that its rate says nothing
BUSY = 0.95  # share of a core from which a load process is short of CPU


class Recording:
    """The state of a measurement. `bench` may be replaced, by that of a search's next level."""

    def __init__(self, journal: JournalWriter, bench: RunJudge):
        self.journal, self.bench = journal, bench
        self.counters: GatewayCounters | None = None
        self.requests = 0
        self.answered = 0
        self.per_phase: dict[str, int] = {}
        self.rate = 0.0
        self.users = 0
        self.late = 0
        self._errors: dict[str, int] = {}
        self._cpu: list[float] = []
        self._second = Digest()
        self._seconds = 0.0
        self._faulted = 0
        self._faulted_at = 0.0

    # ---------------------------------------------------------------- the load's words
    def digest(self, message: dict[str, Any]) -> Finding | None:
        """Count one digest; a safeguard's finding when one fires."""
        line = digest_line(message)
        self.journal.write(line)
        digest = Digest.of(line.entries, line.pairs)
        self.bench.observe(digest, line.seconds)
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
        for key, tally in digest.items():
            self.per_phase[key.phase] = self.per_phase.get(key.phase, 0) + tally.count
            if key.error:
                self._errors[key.error] = self._errors.get(key.error, 0) + tally.count

    def _in_seconds(self, digest: Digest, seconds: float) -> Finding | None:
        """Digests come more often than once a second; what counts in seconds gets whole ones."""
        self._second.merge(digest)
        self._seconds += seconds
        if self._seconds < 0.95:
            return None
        whole, self._second, self._seconds = self._second, Digest(), 0.0
        return self.bench.second(whole)

    def sample(self, message: dict[str, Any]) -> None:
        line = sample_line(message)
        self.journal.write(line)
        self.bench.sampled(line.requests)

    @property
    def errors(self) -> str:
        """Requests without an answer, by kind, in words."""
        return ", ".join(f"{count} {kind}" for kind, count in sorted(self._errors.items()))

    # ---------------------------------------------------------------- the gateway's
    async def ask(self, admin: Admin) -> None:
        """Write down what the gateway has counted."""
        self.counters = await admin.counters()
        self.journal.write(Counters(counters=self.counters))

    async def ask_faulted(self, admin: Admin, *, now: bool = False) -> None:
        """Write down which requests were faulted since the last time; every two seconds, unless it is asked for."""
        if not now and self.journal.now - self._faulted_at < FAULTED_EVERY:
            return
        self._faulted_at = self.journal.now
        batch = (await admin.faulted(self._faulted))["faulted"]
        if batch:
            self._faulted += len(batch)
            self.journal.write(Faulted(requests=tuple(batch)))
            self.bench.faulted(batch)

    # ---------------------------------------------------------------- where things stand
    def judge(self, *, starved: str, more: tuple[Finding, ...] = ()) -> list[Finding]:
        """Write down where the verdicts stand."""
        findings = [*self.bench.findings(self.counters, starved=starved), *more]
        self.journal.write(Findings(findings=tuple(finding.to_dict() for finding in findings)))
        return findings

    def starved(self, arrival_rate: float | None) -> str:
        """Why latencies cannot be trusted, if so."""
        busy = sorted(self._cpu)
        if busy and busy[len(busy) // 2] >= BUSY:
            return "the load process used all of its core; set load.users lower or load.processes higher"
        if arrival_rate is not None and self.late > 0.01 * max(self.requests, 1):
            return f"{self.late} requests fell due while no user was free; set load.users higher"
        return ""
