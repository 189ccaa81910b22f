"""Replay a run: find its faulted requests, start the same services and gateway, and send exactly these requests again.

Requests through the gateway are computed from the run's seed and rules (chaos/journal/replay.py); those to an
application under test are the ones whose calls the gateway recorded (`faulted` records). In a run of several phases, a
request that was in flight while the phase changed may be counted under the neighbouring phase.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice, pairwise
from pathlib import Path

from chaos.errors import EnvironmentFailed, InvalidInput
from chaos.experiment.credentials import without_credentials
from chaos.experiment.redaction import HIDDEN, OLDER, Redaction
from chaos.journal.identity import Identities
from chaos.journal.records import DigestLine, Exemplars, Faulted, Plan, decode_lines
from chaos.journal.replay import FaultedRequest, faulted_requests, requests_in
from chaos.policies.compiled import compile_policies
from chaos.policies.read import PolicyRead
from chaos.protocol.counters import FaultedRequest as Noted
from chaos.protocol.digest import WARM_UP, Digest, Key
from chaos.protocol.exemplars import Exemplars as Kept
from chaos.protocol.load_plan import Plan as LoadPlan
from chaos.report.data.journal import journal_of
from chaos.runner.plan.engines import NO_SEED
from chaos.runner.plan.files import read_text
from chaos.runner.plan.options import RunOptions
from chaos.runner.plan.phase_rules import with_rules
from chaos.runner.plan.phases import RunPhase
from chaos.runner.plan.planner import plan_run
from chaos.runner.plan.run_plan import RunPlan
from chaos.runner.processes.load import LoadProcess
from chaos.runner.processes.load_messages import digest_line, load_plan
from chaos.runner.processes.session import Session, start
from chaos.statuses import shown

UNCOUNTED = 1000
"""Requests that a run may have sent beyond those it counted: nobody waited for their responses."""

CUT = "no response, by a policy"
"""What requests met that a policy ends: their users see no tag."""

UNFINISHED = "the load ended before all requests were sent"


@dataclass(frozen=True, slots=True)
class Choice:
    """The selection of requests: one by its id, whatever it met; or the faulted ones of one task, kind of fault (of a
    rule or a policy), policy and phase (None: of any), at most `limit`."""

    task: str | None = None
    fault: str | None = None
    phase: str | None = None
    limit: int | None = None
    id: str | None = None
    policy: str | None = None

    def takes(self, request: FaultedRequest) -> bool:
        kinds = [*request.fault.split(","), *(each.fault.kind for each in request.policies)]
        names = [request.rule.removeprefix("policy/"), *(each.name for each in request.policies)]
        return (
            self.task in (None, request.task)
            and (self.fault is None or self.fault in kinds)
            and (self.policy is None or self.policy in names)
        )


@dataclass(slots=True)
class Recorded:
    """The parts of a journal that a replay needs: the plan, requests per phase, and the recorded faulted requests."""

    plan: Plan
    counts: Counter[str] = field(default_factory=Counter)
    faulted: list[Noted] = field(default_factory=list)
    exemplars: Kept = field(default_factory=Kept)

    @classmethod
    def read(cls, run: Path) -> Recorded:
        """Read a run's journal. Raises InvalidInput if there is none, or it does not begin with a plan."""
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
                    case Exemplars() if made is not None:
                        made.exemplars.merge(record.requests)
        if made is None:
            raise InvalidInput.at(str(path), "begins without a plan")
        return made

    def met(self, phase: str) -> dict[str, list[str]]:
        """Return the faults that the gateway recorded in a phase, by request id: one for each call that met one."""
        return by_id(row for row in self.faulted if row["phase"] == phase)


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """The requests to send, by phase."""

    recorded: Recorded
    run_plan: RunPlan
    wanted: tuple[tuple[RunPhase, tuple[FaultedRequest, ...]], ...]

    @property
    def requests(self) -> list[FaultedRequest]:
        return [request for _, requests in self.wanted for request in requests]

    @property
    def cuts(self) -> bool:
        """Whether policies end some of the requests."""
        return any(_met(each) == CUT for each in self.requests)

    @property
    def uncomputed(self) -> list[str]:
        """The policies in front of the rules of which nobody knows beforehand which requests meet them."""
        compiled = compile_policies(self.run_plan.prepared.reading.policies, self.run_plan.rules)
        return [each.name for each in compiled if not each.computed and not each.upstream]

    @property
    def applications(self) -> set[str]:
        """The tasks whose requests go to an application under test, of whose calls the gateway recorded the faults."""
        return {task.name for task in self.run_plan.tasks if task.direct}


def plan_replay(run: Path, choice: Choice) -> Replay:
    """Find the requests. The experiment's files are taken from the journal, as they were at the time of the run.

    Raises InvalidInput if the run's requests cannot be computed: of a locustfile, or of a search."""
    recorded = Recorded.read(run)
    plan = recorded.plan
    if plan.engine:
        raise InvalidInput.at(str(run), f"the faults were drawn by {plan.engine}; {NO_SEED}")
    if plan.load.get("locustfile"):
        raise InvalidInput.at(str(run), "its requests came from a locustfile; only tasks can be replayed")
    options = RunOptions(overrides=overrides_of(plan.command), seed=plan.seed)
    run_plan = plan_run(plan.file, options, lambda name: _text_of(name, plan.documents))
    if run_plan.search is not None:
        raise InvalidInput.at(str(run), "a search has no phases of its own to replay; replay a run of one level")
    _check_files(plan, run_plan)
    if choice.id is not None:
        return Replay(recorded, run_plan, tuple(one_by_id(recorded, run_plan, choice.id)))
    found: list[tuple[RunPhase, tuple[FaultedRequest, ...]]] = []
    left = choice.limit
    for phase, requests in by_phase(recorded, run_plan):
        if choice.phase in (None, phase.name):
            taken = tuple(islice(filter(choice.takes, requests), left))
            left = None if left is None else left - len(taken)
            found.append((phase, taken))
    return Replay(recorded, run_plan, tuple(found))


def _text_of(name: str, documents: Mapping[str, str]) -> str:
    """Return a file's text as it was at the time of the run. If it had credentials, which no journal keeps, it is the
    file's of today. Raises InvalidInput if that is another one by now."""
    kept = documents.get(name, "").replace(f"'{OLDER}'", f"'{HIDDEN}'")
    if not kept or f"'{HIDDEN}'" not in kept:
        return kept or read_text(name)
    text = read_text(name)
    if without_credentials(text) != kept:
        message = "is not the file of the run any more, and the run's credentials were not kept; put it back to replay"
        raise InvalidInput.at(name, message)
    return text


def _check_files(plan: Plan, run_plan: RunPlan) -> None:
    """Raise InvalidInput if a file that the run sent, or took rows from, is another one by now."""
    if (rows := plan.load.get("feeder")) != run_plan.recorded_feeder:
        raise InvalidInput.at(plan.file, f"spec.load.feeder: the run took other rows: {rows}")
    before = {task["name"]: task["body"] for task in plan.load["tasks"]}
    for task in run_plan.recorded_tasks:
        if before.get(task.name, task.body) != task.body:
            raise InvalidInput.at(plan.file, f"task {task.name}: the run sent another body: {before[task.name]}")


def by_phase(recorded: Recorded, run_plan: RunPlan) -> Iterator[tuple[RunPhase, Iterable[FaultedRequest]]]:
    """Yield each phase with faults and its faulted requests, in order. Requests are numbered in the order in which they
    are sent, so each phase has a range of numbers, after those of the warm-up."""
    for index, phase, numbers in numbered(recorded, run_plan):
        if phase.faults:
            yield phase, list(faulted_among(recorded, run_plan, index, numbers))


def numbered(recorded: Recorded, run_plan: RunPlan) -> Iterator[tuple[int, RunPhase, range]]:
    """Yield each phase with its index and the numbers of its requests."""
    first = recorded.counts[WARM_UP]
    for index, phase in enumerate(run_plan.phases):
        count = recorded.counts[phase.name]
        yield index, phase, range(first, first + count)
        first += count


def faulted_among(
    recorded: Recorded, run_plan: RunPlan, index: int, numbers: Iterable[int]
) -> Iterator[FaultedRequest]:
    """Yield those of the requests with these numbers that are faulted under the rules of a phase."""
    phase, load = run_plan.phases[index], load_of(recorded, run_plan)
    rules = with_rules(run_plan.prepared, phase, run_plan.rules, ("spec", "phases", index)).rules
    read = [each for each in run_plan.prepared.reading.policies if _is_of(each, phase)]
    yield from faulted_requests(load, rules, numbers, compile_policies(read, rules))
    yield from noted(recorded, load, phase, numbers)


def _is_of(read: PolicyRead, phase: RunPhase) -> bool:
    """Return whether a policy may be in force in a phase."""
    when = read.policy.spec.when
    return when is None or when.phase in ("", phase.name)


def load_of(recorded: Recorded, run_plan: RunPlan) -> dict[str, object]:
    """Return the recorded plan of the load with complete tasks."""
    feeder = None if run_plan.feeder is None else asdict(run_plan.feeder)
    return {**recorded.plan.load, "tasks": [asdict(task) for task in run_plan.tasks], "feeder": feeder}


def one_by_id(
    recorded: Recorded, run_plan: RunPlan, wanted: str
) -> Iterator[tuple[RunPhase, tuple[FaultedRequest, ...]]]:
    """Yield the request with this id and the phase in which it was sent, nothing if the run sent none. Its fault is the
    one that it meets under the phase's rules, empty for none."""
    kept = next((each.key.phase for each in recorded.exemplars if each.id == wanted), None)
    load, identify = load_of(recorded, run_plan), Identities(run_plan.seed)
    number = next((each for each in range(recorded.counts.total() + UNCOUNTED) if identify(each)[0] == wanted), None)
    if number is None:
        return
    places = list(numbered(recorded, run_plan))
    told = [(index, phase) for index, phase, _ in places if phase.name == kept]
    within = [(index, phase) for index, phase, numbers in places if number in numbers]
    for index, phase in (*told, *within, *((index, phase) for index, phase, _ in places[-1:]))[:1]:
        faulted = list(faulted_among(recorded, run_plan, index, (number,))) if phase.faults else []
        tasks = {**requests_in(load, (number,), direct=True), **requests_in(load, (number,), direct=False)}
        yield phase, (faulted[0] if faulted else FaultedRequest(tasks[wanted][0], wanted, "", "", number),)


def noted(
    recorded: Recorded, load: dict[str, object], phase: RunPhase, numbers: Iterable[int]
) -> Iterator[FaultedRequest]:
    """Yield requests to an application whose calls were faulted, which the gateway recorded under the user's id. The
    fault of each has every kind that any of its calls met."""
    tasks, met = requests_in(load, numbers, direct=True), recorded.met(phase.name)
    for row in recorded.faulted:
        found = tasks.pop(row["id"], None) if row["phase"] == phase.name else None
        if found is not None:
            task, number = found
            kinds = dict.fromkeys(kind for fault in met[row["id"]] for kind in fault.split(","))
            yield FaultedRequest(task, row["id"], row["rule"], ",".join(kinds), number)


def by_id(rows: Iterable[Noted]) -> dict[str, list[str]]:
    """Return the faults of these calls by request id; an application that calls again meets several under one id."""
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["id"], []).append(row["fault"])
    return found


def overrides_of(command: Sequence[str]) -> tuple[str, ...]:
    """Return the values of `--set` in the command that started the run."""
    given = [each.removeprefix("--set=") for each in command if each.startswith("--set=")]
    found = (*given, *(value for name, value in pairwise(command) if name == "--set"))
    for each in found:
        if each.endswith((f"={HIDDEN}", f"={OLDER}")):
            raise InvalidInput.at(each.partition("=")[0], "is a credential, which the run did not keep")
    return found


# ---------------------------------------------------------------------------------------------- sending


@dataclass(slots=True)
class Sent:
    """The responses, and the faults that the gateway recorded by request id, one for each call that met one (none from
    a gateway at a URL); `policies` are the names of those that each id met."""

    digest: Digest = field(default_factory=Digest)
    noted: dict[str, list[str]] = field(default_factory=dict)
    policies: dict[str, list[str]] = field(default_factory=dict)
    exemplars: Kept = field(default_factory=Kept)


def send(replay: Replay, gateway: str | None = None) -> Sent:
    """Start services and gateway as the run did (or use the gateway at a URL), send the requests, end everything.

    Raises EnvironmentFailed if a process does not start or not all requests could be sent."""
    return asyncio.run(_send(replay, gateway))


async def _send(replay: Replay, url: str | None) -> Sent:
    run_plan, sent = replay.run_plan, Sent()
    async with start(run_plan.prepared, url or run_plan.gateway_plan(), seed=run_plan.seed) as session:
        for phase, requests in replay.wanted:
            if requests:
                await _send_phase(run_plan, session, phase, requests, sent)
        if session.gateway is not None:
            faulted = (await session.gateway.admin.faulted(0)).get("faulted", [])
            sent.noted = by_id(faulted)
            for row in faulted:
                if row["rule"].startswith("policy/"):
                    sent.policies.setdefault(row["id"], []).append(row["rule"].removeprefix("policy/"))
    return sent


async def _send_phase(
    plan: RunPlan, session: Session, phase: RunPhase, requests: Sequence[FaultedRequest], sent: Sent
) -> None:
    """Send the requests under the phase's own rules, and add their responses to `sent`."""
    if session.gateway is not None:
        await session.gateway.admin.put_rules(phase.text or plan.own_text())
        await session.gateway.admin.set_phase({"name": phase.name, "faults": phase.faults})
    tasks = plan.placed_tasks(session.services.addresses)
    wanted = replace(
        load_plan(plan.load, tasks, gateway=session.url, seed=plan.seed, feeder=plan.feeder),
        phase=phase.name,
        interval=0.5,
        replay=tuple((request.task, request.id, request.number) for request in requests),
        arrival_rate=None,
        stages=None,
        processes=1,
        tags=session.gateway is not None,
    )
    await _load(wanted, len(requests), sent)


async def _load(plan: LoadPlan, count: int, sent: Sent) -> None:
    load, total = await LoadProcess.start(), Digest()
    try:
        await load.begin(plan)
        async for message in load.messages():
            if message["type"] == "digest":
                line = digest_line(message)
                total.merge(Digest.of(line.entries, line.pairs))
            elif message["type"] == "exemplars":
                sent.exemplars.merge(message["requests"])
            elif message["type"] == "done":
                break
    finally:
        await load.child.stop(0.3)
    if total.count < count:
        raise EnvironmentFailed(f"{UNFINISHED}: {total.count} of {count}{load.child.last_words()}")
    sent.digest.merge(total)


# ---------------------------------------------------------------------------------------------- comparing


def differences(replay: Replay, sent: Sent) -> list[str]:
    """Return a line per task and fault whose count differs from the run's. Faults are taken from the responses' tags,
    or for requests to an application from what the gateway recorded of its calls, then and now: every fault that was
    met under a request's id, in whichever order."""
    direct = replay.applications
    before = Counter((each.task, _met(each)) for each in replay.requests if each.task not in direct)
    now: Counter[tuple[str, str]] = Counter()
    for phase, requests in replay.wanted:
        met = replay.recorded.met(phase.name)
        for each in requests:
            if each.task in direct:
                before.update((each.task, fault) for fault in met.get(each.id) or [""])
                now.update((each.task, fault) for fault in sent.noted.get(each.id) or [""])
    for key, tally in sent.digest.items():
        if key.task not in direct:
            now[key.task, CUT if replay.cuts and not key.status else _tagged(key)] += tally.count
    return [
        f"{task}: {fault or 'no fault'}: {before[task, fault]} then, {now[task, fault]} now"
        for task, fault in sorted(before | now)
        if before[task, fault] != now[task, fault]
    ]


def _met(request: FaultedRequest) -> str:
    """Return what a request met, as the tags of its response tell it."""
    if any(each.fault.errors for each in request.policies):
        return CUT
    return _named(request.fault, [each.name for each in request.policies])


def _tagged(key: Key) -> str:
    return _named(key.fault, key.policy.split(",") if key.policy else [])


def _named(fault: str, policies: Sequence[str]) -> str:
    return ", ".join([*([fault] if fault else []), *(f"policy {name}" for name in policies)])


def outcome_lines(digest: Digest) -> Iterator[str]:
    """Yield a line for each kind of response: task, status, fault, count and median latency."""
    rows = [(key, tally.count, tally.latency.quantile(0.5)) for key, tally in sorted(digest.items())]
    names = [key.task for key, _, _ in rows]
    width = max(map(len, names), default=0)
    for key, count, median in rows:
        met = _tagged(key) or "-"
        yield f"{key.task:{width}}   {status_of(key):>9}   {met:11}   {count:6}   {median * 1000:9.1f} ms"


def exemplar_lines(exemplars: Kept, redact: Redaction) -> Iterator[str]:
    """Yield what came back for a single request: why there is no response, or the beginning of the body."""
    for each in {each.id: each for each in exemplars}.values():
        yield from filter(None, (each.reason, *redact.excerpt(each.body).splitlines()))


def status_of(key: Key) -> str:
    return shown(key.status) if key.status else key.error
