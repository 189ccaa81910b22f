"""Single requests, to be looked at and to be sent again: some failures of each kind, and the slowest of each task."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from chaos import formatting as words
from chaos.journal.records import Plan
from chaos.journal.result import Result
from chaos.protocol.digest import BY_HAND, TRANSITION, UNCLEAR, Key
from chaos.protocol.exemplars import Exemplar, Kind, Shelf, Slowest
from chaos.report.data import frames

MOST_GROUPS = 20
"""Groups of a section that are shown; result.json has the others."""

MOST_ROWS = 5
"""Requests of a group that are shown."""

OPEN = 1
"""Groups of failures that no fault explains that are open when the page is."""

Command = Callable[[Exemplar], str]


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One request: when it was sent and how long it took, what the gateway did to it, the beginning of its body (empty
    where its group has it), and the command that sends it again (empty if there is none)."""

    id: str
    sent: str
    took: str
    what: str
    answer: str
    body: str
    command: str


@dataclass(frozen=True, slots=True)
class RequestGroup:
    """Requests that look alike. `body` is the one that all of them have, empty if they differ."""

    title: str
    meaning: str
    task: str
    phase: str
    note: str
    body: str
    rows: tuple[RequestRow, ...]
    open: bool = False


@dataclass(frozen=True, slots=True)
class RequestSection:
    title: str
    intro: str
    groups: tuple[RequestGroup, ...]
    left_out: int


def exemplars(result: Result) -> tuple[RequestSection, ...]:
    """Return the requests that were kept: failures that no fault explains, those that an application answered, those
    with a fault, and the slowest."""
    command = command_of(result)
    applications = {task["name"] for task in result.plan.load.get("tasks", ()) if task.get("direct")}
    failures = [each for each in result.exemplars.failures.items() if any(True for _ in each[1])]
    ending = frames.Ending.of(result)
    policed = [each for each in failures if _of_policy(each[0])]
    perhaps = [each for each in failures if each not in policed and ending.suspects(_key(each[1]))]
    failures = [each for each in failures if each not in policed and each not in perhaps]
    untagged = [each for each in failures if each[0].fault in ("", UNCLEAR)]
    own = [each for each in untagged if each[0].task not in applications]
    answered = [each for each in untagged if each[0].task in applications]
    injected = [each for each in failures if each[0].fault not in ("", UNCLEAR)]
    slowest = [each for each in result.exemplars.slowest.items() if each[1].kept]
    sections = (
        _section("Failures that no fault explains", UNEXPLAINED, _failures(own, result, command, OPEN)),
        _section("Failures of an application", ANSWERED, _failures(answered, result, command, 0 if own else OPEN)),
        _section("Failures that met a fault", INJECTED, _failures(injected, result, command)),
        _section("Failures that met a policy", POLICED, _failures(policed, result, command)),
        _section("Failures that a policy may have caused", PERHAPS, _failures(perhaps, result, command)),
        _section("The slowest", SLOWEST, [_slowest(*each, result, command) for each in sorted(slowest, key=_urgency)]),
    )
    return tuple(section for section in sections if section.groups)


UNEXPLAINED = "No fault was drawn for these: upstream answered so, or something on the way failed."
ANSWERED = (
    "No fault is tagged on these, as an application's own responses have no tag: its calls may have met one. Where the "
    "gateway recorded faults under a request's id, they stand beside it; without, nobody knows."
)
INJECTED = "A rule aborted these, or delayed them before they failed."
POLICED = "A FaultPolicy answered these, or changed or cut short their responses."
PERHAPS = (
    "They had no response, and so no tag that tells why. FaultPolicies end connections just like that: the ledgers say "
    "how many. Sent again, a request meets the same policies, and the gateway says which."
)
SLOWEST = "Of each task; those that a rule delayed stand apart from the others."


def _of_policy(kind: Kind) -> bool:
    """Return whether failures are those of a policy, which has answered them or is all that they met."""
    return bool(kind.policy) and kind.fault in ("", UNCLEAR)


def _key(shelf: Shelf) -> Key:
    return next(iter(shelf)).key


def _section(title: str, intro: str, groups: Sequence[RequestGroup]) -> RequestSection:
    return RequestSection(title, intro, tuple(groups[:MOST_GROUPS]), max(0, len(groups) - MOST_GROUPS))


def _failures(
    kinds: Iterable[tuple[Kind, Shelf]], result: Result, command: Command, opened: int = 0
) -> list[RequestGroup]:
    """Return a group for each kind of failure, the most frequent first."""
    counts: Counter[Kind] = Counter()
    for key, tally in result.digest.items():
        counts[Kind.of(key)] += tally.count
    order = sorted(kinds, key=lambda each: (-counts[each[0]], each[0]))
    return [
        _failure(kind, shelf, counts[kind], result, command, opened=place < opened)
        for place, (kind, shelf) in enumerate(order)
    ]


def _failure(kind: Kind, shelf: Shelf, count: int, result: Result, command: Command, *, opened: bool) -> RequestGroup:
    requests = sorted(shelf, key=lambda each: each.second)[:MOST_ROWS]
    label = frames.status_label(requests[0].key)
    failed_check = f"not the {kind.check} that its task expects" if kind.check and kind.status else ""
    suspects = [] if kind.policy else frames.Ending.of(result).suspects(requests[0].key)
    met = (_met(kind.fault), _policy(kind.policy), f"perhaps {_policy(','.join(suspects))}" if suspects else "")
    notes = (words.plural(count, "request") if count else "", *met, failed_check)
    return RequestGroup(
        title=label,
        meaning=frames.status_text(label),
        task=kind.task,
        phase=kind.phase,
        note=_joined(notes),
        body=_common(requests),
        rows=tuple(_rows(requests, result, command)),
        open=opened,
    )


def _urgency(slowest: tuple[tuple[str, str, bool], Slowest]) -> tuple[bool, int]:
    """Return a sort key: the slowest first, those that no rule delayed before the others."""
    (_, _, delayed), found = slowest
    return delayed, -found.kept[0].micros


def _slowest(place: tuple[str, str, bool], slowest: Slowest, result: Result, command: Command) -> RequestGroup:
    phase, task, delayed = place
    return RequestGroup(
        title=words.seconds(slowest.kept[0].micros / 1e6),
        meaning="",
        task=task,
        phase=phase,
        note="delayed by a rule" if delayed else "",
        body=_common(slowest.kept),
        rows=tuple(_rows(slowest.kept, result, command)),
    )


def _common(requests: Sequence[Exemplar]) -> str:
    """Return the body that all have, empty if there are several."""
    return requests[0].body if len({each.body for each in requests}) == 1 else ""


def _rows(requests: Sequence[Exemplar], result: Result, command: Command) -> Iterator[RequestRow]:
    common = _common(requests)
    for each in requests:
        yield RequestRow(
            id=each.id,
            sent=words.seconds(each.second),
            took=words.seconds(each.micros / 1e6),
            what=_done_to(each) or _calls(result.met.get((each.key.phase, each.id), ())),
            answer=_answer(each),
            body="" if common else each.body,
            command=command(each),
        )


def _answer(one: Exemplar) -> str:
    """Return the status, or why there is none."""
    label = frames.status_label(one.key)
    if not one.key.status:
        return one.reason or frames.status_text(label)
    return _joined((f"{label} {frames.status_text(label)}".strip(), one.reason))


def _done_to(one: Exemplar) -> str:
    """Return what the gateway did to a request, from its tags: rule, fault, destination, attempts."""
    key = one.key
    way = f"{key.route} \u2192 {key.destination}" if key.route and key.destination else key.route or key.destination
    attempts = f"{key.attempts} attempts" if key.attempts > 1 else ""
    return _joined((way, _met(key.fault), _policy(key.policy), attempts))


def _calls(faults: Sequence[str]) -> str:
    """Return what an application's calls met under its request's id, empty if nothing was recorded."""
    counts = Counter(faults)
    met = (_met(fault) + (f" \u00d7 {count}" if count > 1 else "") for fault, count in sorted(counts.items()))
    return f"its calls: {', '.join(met)}" if counts else ""


def _met(fault: str) -> str:
    return "a fault or not, nobody knows" if fault == UNCLEAR else frames.FAULTED.get(fault, fault)


def _policy(tag: str) -> str:
    """Return the policies that a tag names, for people."""
    names = tag.split(",") if tag else []
    return f"{'policy' if len(names) == 1 else 'policies'} {words.listed(names)}" if names else ""


def _joined(parts: Iterable[str]) -> str:
    return " \u00b7 ".join(part for part in parts if part)


# ---------------------------------------------------------------------------------------------- sending it again


def command_of(result: Result) -> Command:
    """Return what gives the command that sends a request again; an empty text where there is none: of a search, whose
    rules were another level's, of an engine with dice of its own, and while rules or faults changed."""
    plan = result.plan
    searched = any(finding.kind == "search" for finding in result.findings)
    folder = folder_of(plan)

    def command(one: Exemplar) -> str:
        if not one.id or searched or plan.engine or one.key.phase in (TRANSITION, BY_HAND):
            return ""
        if plan.load.get("locustfile"):
            return _curl(one, str(plan.load.get("gateway") or ""))
        gateway = ["--gateway", str(plan.load["gateway"])] if plan.load.get("gateway") else []
        return shlex.join(["chaos", "replay", folder, "--id", one.id, *gateway])

    return command


def _curl(one: Exemplar, gateway: str) -> str:
    method, _, url = one.request.partition(" ")
    if not url:
        return ""
    through = ["--proxy", gateway or "http://127.0.0.1:8080"]
    return shlex.join(["curl", "-i", "-X", method, *through, "-H", f"x-request-id: {one.id}", url])


def gateway_command(plan: Plan) -> str:
    """Return the command of a gateway in which the same ids meet the same faults."""
    return shlex.join(["chaos", "gateway", plan.file, "--seed", str(plan.seed)])


def folder_of(plan: Plan) -> str:
    """Return the run's folder as the command that started it would write it."""
    given = [each.removeprefix("--out=") for each in plan.command if each.startswith("--out=")]
    out = [*given, *(value for name, value in pairwise(plan.command) if name == "--out"), "reports"][0]
    return f"{out.rstrip('/')}/{plan.name}/{plan.run}"
