"""Count what the gateway did, per phase and rule; a verdict reads these counters for what was drawn.

A fault is counted when it is drawn, whether or not the client waits for it: the counters speak about the dice.
`statuses` counts every request once, as soon as its response begins; a client that left before that is counted under
status 0. So at rest `requests` is the sum of `statuses`, and an abort that nobody received is still counted as
drawn."""

from __future__ import annotations

from collections import defaultdict
from typing import cast

from chaos.mesh.decision import Decision, Forward, Headwork, Reply, Rule
from chaos.protocol.counters import GatewayCounters, PolicyCounters, RuleCounters
from chaos.protocol.tags import encode_tag

_SUMS = (
    "requests", "forwarded", "answered", "mirrored", "upstream_requests", "upstream_failures", "delay_seconds",
    "upstream_seconds",
)  # fmt: skip
_TALLIES = (
    "faults", "destinations", "statuses", "upstream_statuses", "tries", "left", "left_to", "mirrors", "failures",
    "upstream_times",
)  # fmt: skip

REMEMBERED = 256  # heads of upstream responses, per rule and destination


class Ledger:
    """The counts of one rule in one phase, and the bytes that all its responses share."""

    __slots__ = (
        *_SUMS,
        *_TALLIES,
        "answers",
        "destination_tags",
        "key",
        "reply",
        "reply_bytes",
        "reply_date",
        "tags",
        "tagged",
    )

    def __init__(self, key: str, tags: bytes, tagged: bool):
        self.key = key
        self.requests = self.forwarded = self.answered = self.mirrored = 0
        self.upstream_requests = self.upstream_failures = 0
        self.delay_seconds = self.upstream_seconds = 0.0
        self.faults: defaultdict[str, int] = defaultdict(int)
        self.destinations: defaultdict[str, int] = defaultdict(int)
        self.upstream_times: defaultdict[str, int] = defaultdict(int)
        self.statuses: defaultdict[int, int] = defaultdict(int)
        self.upstream_statuses: defaultdict[int, int] = defaultdict(int)
        self.tries: defaultdict[int, int] = defaultdict(int)
        self.mirrors: defaultdict[str, int] = defaultdict(int)
        self.left: defaultdict[str, int] = defaultdict(int)
        self.left_to: defaultdict[str, int] = defaultdict(int)
        self.failures: defaultdict[str, int] = defaultdict(int)
        self.tags = tags
        self.tagged = tagged
        self.destination_tags: dict[str, bytes] = {}
        # What was made of an upstream response's head: status, the shared part of the client's head, body length.
        self.answers: dict[Headwork, dict[bytes, tuple[int, bytes, int]]] = {}
        # The last local reply as sent: a rule's aborts are one Reply object, and its bytes change once a second (date).
        self.reply: Reply | None = None
        self.reply_date = b""
        self.reply_bytes = b""

    def tags_to(self, destination: str) -> bytes:
        """Return the response tags of a request forwarded to this cluster, as header lines."""
        tags = self.destination_tags.get(destination)
        if tags is None:
            tags = self.tags + b"x-chaos-destination: %b\r\n" % encode_tag(destination) if self.tagged else b""
            self.destination_tags[destination] = tags
        return tags

    def remember(self, headwork: Headwork, head: bytes, made: tuple[int, bytes, int]) -> None:
        """Keep what was made of an upstream response's head, for the next response with the same head."""
        known = self.answers.setdefault(headwork, {})
        if len(known) >= REMEMBERED:
            known.clear()
        known[head] = made

    def remember_reply(self, reply: Reply, date: bytes, data: bytes) -> None:
        """Keep the bytes of a local reply for the next request that gets the same reply, while the date is the same."""
        self.reply, self.reply_date, self.reply_bytes = reply, date, data

    def count(self, decision: Decision) -> None:
        """Count a request and the faults drawn for it."""
        self.requests += 1
        action = decision.action
        if type(action) is Forward:
            self.forwarded += 1
            if action.cluster is not None:
                self.destinations[action.cluster.name] += 1
            for mirror in action.mirrors:
                self.mirrored += 1
                self.mirrors[mirror.name] += 1
        fault = decision.fault
        if fault:
            self.faults[fault] += 1
            if decision.delay:
                self.delay_seconds += decision.delay

    def count_left(self, decision: Decision) -> None:
        """Count a client that left before its response, and what had been drawn for it."""
        self.statuses[0] += 1
        self.left[decision.fault] += 1
        action = decision.action
        if type(action) is Forward and action.cluster is not None:
            self.left_to[action.cluster.name] += 1

    def as_json(self) -> RuleCounters:
        """Return the counts as the admin API gives them."""
        tallies = {name: {str(key): n for key, n in getattr(self, name).items()} for name in _TALLIES}
        return cast(RuleCounters, {name: getattr(self, name) for name in _SUMS} | tallies)


class Phase:
    """A stretch of a run: its name and its ledgers, one per rule key."""

    def __init__(self, name: str, tagged: bool):
        self.name = name
        self.tagged = tagged
        self._by_key: dict[str, Ledger] = {}
        self.unmatched = Ledger("", self._tags(""), tagged)
        self.policed = Ledger("", self._tags(""), tagged)  # of requests that a policy answers in place of the rules
        self._by_rule: dict[Rule | None, Ledger] = {None: self.unmatched}

    def ledger(self, rule: Rule | None) -> Ledger:
        """Return the rule's ledger; None stands for requests that no rule takes."""
        found = self._by_rule.get(rule)
        if found is None:
            assert rule is not None
            found = self._by_rule[rule] = self.ledger_of(rule.key, rule.name)
        return found

    def ledger_of(self, key: str, name: str) -> Ledger:
        """Return the ledger of a rule's key; the first call makes it."""
        found = self._by_key.get(key)
        if found is None:
            found = self._by_key[key] = Ledger(key, self._tags(name), self.tagged)
        return found

    def has(self, ledger: Ledger | None) -> bool:
        """Return whether a ledger is one of this phase's."""
        if ledger is None or ledger is self.unmatched or ledger is self.policed:
            return ledger is not None
        return self._by_key.get(ledger.key) is ledger

    def _tags(self, name: str) -> bytes:
        route = b"x-chaos-route: %b\r\n" % encode_tag(name) if name else b""
        phase = b"x-chaos-phase: %b\r\n" % encode_tag(self.name) if self.name else b""
        return route + phase if self.tagged else b""

    def forget_rules(self) -> None:
        """Forget the rule objects, which a reload replaces; rules whose key is known go on counting in the same
        ledger."""
        self._by_rule = {None: self.unmatched}
        for ledger in self._by_key.values():
            ledger.answers = {}

    def as_json(self) -> dict[str, RuleCounters]:
        """Return the counters of every rule that took a request, by key."""
        return {ledger.key: ledger.as_json() for ledger in self._by_key.values() if ledger.requests}


def merge(reports: list[GatewayCounters]) -> GatewayCounters:
    """Add up the counters of several workers. Generation and seconds are the largest of them."""
    phases: dict[str, dict[str, RuleCounters]] = {}
    for report in reports:
        for phase, ledgers in report["phases"].items():
            into = phases.setdefault(phase, {})
            for key, counts in ledgers.items():
                into[key] = _sum(into[key], counts) if key in into else counts
    return {
        "generation": max((each["generation"] for each in reports), default=0),
        "seconds": max((each["seconds"] for each in reports), default=0.0),
        "workers": sum(each["workers"] for each in reports),
        "connections": sum(each["connections"] for each in reports),
        "cpu_seconds": sum(each["cpu_seconds"] for each in reports),
        "phases": phases,
        "unmatched": sum(each["unmatched"] for each in reports),
        "by_hand": list(dict.fromkeys(text for each in reports for text in each.get("by_hand", ()))),
        "policies": _merged_policies(reports),
    }


def _merged_policies(reports: list[GatewayCounters]) -> dict[str, dict[str, PolicyCounters]]:
    merged: dict[str, dict[str, PolicyCounters]] = {}
    for report in reports:
        for phase, policies in report.get("policies", {}).items():
            into = merged.setdefault(phase, {})
            for name, counts in policies.items():
                into[name] = cast(PolicyCounters, _added(into[name], counts)) if name in into else counts
    return merged


def _sum(one: RuleCounters, other: RuleCounters) -> RuleCounters:
    left, right = cast(dict[str, object], one), cast(dict[str, object], other)
    return cast(RuleCounters, {name: _added(value, right[name]) for name, value in left.items()})


def _added(one: object, other: object) -> object:
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: one.get(key, 0) + other.get(key, 0) for key in {**one, **other}}
    return cast(float, one) + cast(float, other)
