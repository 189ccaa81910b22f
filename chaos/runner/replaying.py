"""Send the requests of a run again that were faulted: find them, start what the run had started, send exactly these.

Requests through the gateway are worked out from the run's seed and rules (chaos/journal/replay.py); those of an
application under test are the ones whose calls the gateway noted down (`faulted` records). In a run of several phases,
a request that was in flight while the phase changed may be taken for one of its neighbour.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path

from chaos.errors import EnvironmentFailed, InvalidInput
from chaos.journal.records import DigestLine, Faulted, Plan, decode_lines
from chaos.journal.replay import FaultedRequest, faulted_requests, requests_in
from chaos.protocol.counters import FaultedRequest as Noted
from chaos.protocol.digest import Digest, Key
from chaos.report.data.journal import journal_of
from chaos.runner.plan.files import read_text
from chaos.runner.plan.options import RunOptions
from chaos.runner.plan.phase_rules import with_rules
from chaos.runner.plan.phases import RunPhase
from chaos.runner.plan.planner import plan_run
from chaos.runner.plan.run_plan import Outset
from chaos.runner.processes.load import LoadProcess
from chaos.runner.processes.load_messages import digest_line, load_plan
from chaos.runner.processes.session import Session, start

UNFINISHED = "the load ended before all requests were sent"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the faulted requests: of a task, with a kind of fault, of a phase, at most so many."""

    task: str | None = None
    fault: str | None = None
    phase: str | None = None
    limit: int | None = None

    def takes(self, request: FaultedRequest) -> bool:
        return self.task in (None, request.task) and (self.fault is None or self.fault in request.fault.split(","))


@dataclass(slots=True)
class Recorded:
    """What a journal says of the requests that were sent."""

    plan: Plan
    counts: Counter[str] = field(default_factory=Counter)
    faulted: list[Noted] = field(default_factory=list)

    @classmethod
    def read(cls, run: Path) -> Recorded:
        """Raises InvalidInput when there is no journal, or it has no plan."""
        path = journal_of(run)
        made: Recorded | None = None
        with path.open(encoding="utf-8", errors="replace") as lines:
            for record in decode_lines(lines, file=str(path)):
                match record:
                    case Plan():
                        made = cls(record)
                    case DigestLine() if made is not None:
                        for entry in record.entries:
                            made.counts[entry["phase"]] += entry["count"]
                    case Faulted() if made is not None:
                        made.faulted += record.requests
        if made is None:
            raise InvalidInput.at(str(path), "begins without a plan")
        return made


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """What is to be sent, by phase."""

    recorded: Recorded
    outset: Outset
    wanted: tuple[tuple[RunPhase, tuple[FaultedRequest, ...]], ...]

    @property
    def requests(self) -> list[FaultedRequest]:
        return [request for _, requests in self.wanted for request in requests]


def plan_replay(run: Path, choice: Choice) -> Replay:
    """Find the requests, by the files as they were then: the journal has their text.

    Raises InvalidInput when the run's own requests cannot be told."""
    recorded = Recorded.read(run)
    plan = recorded.plan
    if plan.load.get("locustfile"):
        raise InvalidInput.at(str(run), "its requests came from a locustfile; only tasks can be replayed")
    options = RunOptions(overrides=overrides_of(plan.command), seed=plan.seed)
    outset = plan_run(plan.file, options, lambda name: plan.documents.get(name) or read_text(name))
    if outset.search is not None:
        raise InvalidInput.at(str(run), "a search has no phases of its own to replay; replay a run of one level")
    found: list[tuple[RunPhase, tuple[FaultedRequest, ...]]] = []
    left = choice.limit
    for phase, requests in by_phase(recorded, outset):
        if choice.phase in (None, phase.name):
            taken = tuple(islice(filter(choice.takes, requests), left))
            left = None if left is None else left - len(taken)
            found.append((phase, taken))
    return Replay(recorded, outset, tuple(found))


def by_phase(recorded: Recorded, outset: Outset) -> Iterator[tuple[RunPhase, Iterable[FaultedRequest]]]:
    """The faulted requests of each phase, in order. Numbers are handed out in order, so a phase has a range of them."""
    load = dict(recorded.plan.load)
    first = 0
    for index, phase in enumerate(outset.phases):
        count = recorded.counts[phase.name]
        numbers = range(first, first + count)
        first += count
        if phase.faults:
            rules = with_rules(outset.prepared, phase, outset.rules, ("spec", "phases", index)).rules
            yield phase, [*faulted_requests(load, rules, numbers), *noted(recorded, load, phase, numbers)]


def noted(recorded: Recorded, load: dict[str, object], phase: RunPhase, numbers: range) -> Iterator[FaultedRequest]:
    """Requests to an application whose calls were faulted, as the gateway wrote them down under the user's id."""
    tasks = requests_in(load, numbers, direct=True)
    for row in recorded.faulted:
        task = tasks.pop(row["id"], None) if row["phase"] == phase.name else None
        if task is not None:
            yield FaultedRequest(task, row["id"], row["rule"], row["fault"])


def overrides_of(command: Sequence[str]) -> tuple[str, ...]:
    """What `--set` said when the run was started."""
    given = [each.removeprefix("--set=") for each in command if each.startswith("--set=")]
    return (*given, *(value for name, value in pairwise(command) if name == "--set"))


# ---------------------------------------------------------------------------------------------- sending


@dataclass(slots=True)
class Sent:
    """What came back, and which faults the gateway noted by request id (nothing of one that is not ours)."""

    digest: Digest = field(default_factory=Digest)
    noted: dict[str, str] = field(default_factory=dict)


def send(replay: Replay, gateway: str | None = None) -> Sent:
    """Start services and gateway as the run did (or use the gateway at a URL), send the requests, end everything.

    Raises EnvironmentFailed when something does not start or not all could be sent."""
    return asyncio.run(_send(replay, gateway))


async def _send(replay: Replay, url: str | None) -> Sent:
    outset, sent = replay.outset, Sent()
    async with start(outset.prepared, url or outset.gateway_plan(), seed=outset.seed) as session:
        for phase, requests in replay.wanted:
            if requests:
                sent.digest.merge(await _send_phase(outset, session, phase, requests))
        if session.gateway is not None:
            rows = (await session.gateway.admin.faulted(0)).get("faulted", [])
            sent.noted = {row["id"]: row["fault"] for row in rows}
    return sent


async def _send_phase(outset: Outset, session: Session, phase: RunPhase, requests: Sequence[FaultedRequest]) -> Digest:
    """What came back, under the phase's own rules."""
    if session.gateway is not None:
        await session.gateway.admin.put_rules(phase.text or outset.own_text())
    tasks = outset.placed_tasks(session.services.addresses)
    plan = load_plan(outset.load, tasks, gateway=session.url, seed=outset.seed, phase=phase.name, interval=0.5)
    plan |= {
        "replay": [[request.task, request.id] for request in requests],
        "arrival_rate": None,
        "processes": 1,
        "tags": session.gateway is not None,
    }
    return await _load(plan, len(requests))


async def _load(plan: dict[str, object], count: int) -> Digest:
    load, total = await LoadProcess.start(), Digest()
    try:
        await load.begin(plan)
        async for message in load.messages():
            if message["type"] == "digest":
                line = digest_line(message)
                total.merge(Digest.of(line.entries, line.pairs))
            elif message["type"] == "done":
                break
    finally:
        await load.child.stop(0.3)
    if total.count < count:
        raise EnvironmentFailed(f"{UNFINISHED}: {total.count} of {count}{load.child.last_words()}")
    return total


# ---------------------------------------------------------------------------------------------- comparing


def differences(replay: Replay, sent: Sent) -> list[str]:
    """In what way the requests met other faults than before: by the tags of their answers, or, for requests to an
    application, by what the gateway noted of its calls."""
    direct = {task.name for task in replay.outset.tasks if task.direct}
    before = Counter((each.task, each.fault) for each in replay.requests)
    now = Counter((each.task, sent.noted.get(each.id, "")) for each in replay.requests if each.task in direct)
    for key, tally in sent.digest.items():
        if key.task not in direct:
            now[key.task, key.fault] += tally.count
    return [
        f"{task}: {fault or 'no fault'}: {before[task, fault]} then, {now[task, fault]} now"
        for task, fault in sorted(before | now)
        if before[task, fault] != now[task, fault]
    ]


def outcome_lines(digest: Digest) -> Iterator[str]:
    """A line for each kind of answer."""
    rows = [(key, tally.count, tally.latency.quantile(0.5)) for key, tally in sorted(digest.items())]
    names = [key.task for key, _, _ in rows]
    width = max(map(len, names), default=0)
    for key, count, median in rows:
        yield f"{key.task:{width}}   {status_of(key):>9}   {key.fault or '-':11}   {count:6}   {median * 1000:9.1f} ms"


def status_of(key: Key) -> str:
    return str(key.status) if key.status else key.error
