"""What a running gateway does: its rules with their fault levels and counts, as text, as JSON and as lines of
progress."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from chaos.errors import EnvironmentFailed
from chaos.faults import FaultKind, count_of
from chaos.formatting import plain, plain_count, plain_share, plural
from chaos.protocol.counters import FaultsInForce, GatewayCounters, PolicyCounters, RuleCounters, RuleFaults
from chaos.protocol.fault_levels import FIXED_DELAY, PERCENTAGE, read_levels, show_level
from chaos.runner.processes.admin import Admin
from chaos.statuses import shown

POLICY = "policy"
MOST_HOSTS = 4  # that a line names


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """One rule, or one policy, whose requests have no statuses here. `met` counts the requests by the kind of fault
    that they met, those of a policy as `policy`; `statuses` by what clients got."""

    faults: RuleFaults
    requests: int
    met: dict[str, int]
    statuses: dict[str, int]
    policy: bool = False

    @property
    def name(self) -> str:
        return self.faults["name"]

    def to_dict(self) -> dict[str, Any]:
        return {**self.faults, "requests": self.requests, "met": self.met, "statuses": self.statuses}

    def levels(self) -> list[str]:
        """Return each fault as it is now: `abort 10 % (the rules say 50 %)`."""
        now, own = read_levels(self.faults["levels"]), read_levels(self.faults["configured"])
        kinds = [kind for kind in (*(each.value for each in FaultKind), PERCENTAGE) if kind in now]
        whose = "policy says" if self.policy else "rules say"
        delay = f" of {show_level(FIXED_DELAY, now[FIXED_DELAY])}" if FIXED_DELAY in now else ""
        texts = {kind: f"{kind} {show_level(kind, now[kind])}{delay if kind == 'delay' else ''}" for kind in kinds}
        for name in (name for name in now if now[name] != own[name]):
            kind = FaultKind.DELAY.value if name == FIXED_DELAY else name
            texts[kind] += f" (the {whose} {show_level(name, own[name])})"
        return list(texts.values())

    @property
    def asked(self) -> str:
        """Its number of requests: `1 234 requests`."""
        return plain(plural(self.requests, "request"))

    def counts(self) -> list[str]:
        """Return what its requests met: `617 aborted (50.1 %)`."""
        if self.policy:
            return [f"{plain_count(self.met[POLICY])} met its fault ({plain_share(self.share(POLICY))})"]
        return [
            f"{plain_count(self.met[kind])} {kind.happened} ({plain_share(self.share(kind))})"
            for kind in FaultKind
            if kind in self.faults["configured"] or self.met[kind]
        ]

    def share(self, kind: str) -> float | None:
        """Return the fraction of its requests that met a kind of fault, None without requests."""
        return self.met.get(kind, 0) / self.requests if self.requests else None


@dataclass(frozen=True, slots=True)
class Status:
    """A gateway at one moment. Counts are added up over all phases."""

    admin: str
    faults: FaultsInForce
    counters: GatewayCounters
    rules: tuple[RuleStatus, ...]

    def to_dict(self) -> dict[str, Any]:
        counters = self.counters
        return {
            "admin": self.admin,
            "enabled": self.faults["enabled"],
            "by_hand": self.faults["by_hand"],
            **{name: counters[name] for name in ("generation", "workers", "connections", "seconds", "unmatched")},
            "rules": [rule.to_dict() for rule in self.rules],
        }

    def lines(self) -> list[str]:
        """Return the status as text."""
        counters = self.counters
        sizes = f"{plural(counters['workers'], 'worker')}, {plural(counters['connections'], 'connection')}"
        faults = "on" if self.faults["enabled"] else "off"
        lines = [f"gateway with its admin API on {self.admin}: {plain(sizes)}, faults {faults}"]
        if self.faults["by_hand"]:
            lines.append(f"by hand: {', '.join(self.faults['by_hand'])} (undone by `chaos ctl reset`)")
        for rule in self.rules:
            lines += ["", f"{rule.name}   {_hosts(rule.faults['hosts'])}"]
            lines += [f"  {text}" for text in rule.levels()]
            lines.append(f"  {', '.join([rule.asked, *rule.counts()])}")
            if rule.statuses:
                lines.append(
                    "  " + ", ".join(f"{shown(int(status))}: {plain_count(n)}" for status, n in rule.statuses.items())
                )
        if counters["unmatched"]:
            lines += ["", f"{plain(plural(counters['unmatched'], 'request'))} that no rule takes"]
        return lines


def _hosts(hosts: list[str]) -> str:
    more = f" and {len(hosts) - MOST_HOSTS} more" if len(hosts) > MOST_HOSTS else ""
    return ", ".join(hosts[:MOST_HOSTS]) + more


def read_faults(admin: Admin) -> FaultsInForce:
    """Return the faults in force. Raises EnvironmentFailed if what answers is no gateway, or one of another version."""
    found = admin.call("GET", "/faults")
    if not {"enabled", "by_hand", "rules"} <= set(found):
        raise EnvironmentFailed(f"what answers at {admin.url} is not the admin API of this version of `chaos gateway`")
    return cast(FaultsInForce, found)


def read_status(admin: Admin) -> Status:
    """Return the gateway's status. Raises EnvironmentFailed."""
    faults, counters = read_faults(admin), admin.read_counters()
    totals: dict[str, list[RuleCounters]] = {}
    for rules in counters["phases"].values():
        for key, counts in rules.items():
            totals.setdefault(key, []).append(counts)
    met: dict[str, list[PolicyCounters]] = {}
    for policies in counters.get("policies", {}).values():
        for name, counted in policies.items():
            met.setdefault(f"{POLICY}/{name}", []).append(counted)
    rules_now = tuple(
        _policy(rule, met.get(rule["key"], []))
        if PERCENTAGE in rule["configured"]
        else _rule(rule, totals.get(rule["key"], []))
        for rule in faults["rules"]
    )
    return Status(admin.url, faults, counters, rules_now)


def _rule(faults: RuleFaults, counts: list[RuleCounters]) -> RuleStatus:
    met = {kind.value: sum(count_of(kind, each["faults"]) for each in counts) for kind in FaultKind}
    return RuleStatus(
        faults, sum(each["requests"] for each in counts), met, _added(each["statuses"] for each in counts)
    )


def _policy(faults: RuleFaults, counts: list[PolicyCounters]) -> RuleStatus:
    met = {POLICY: sum(each["met"] for each in counts)}
    return RuleStatus(faults, sum(each["targeted"] for each in counts), met, {}, policy=True)


def _added(tallies: Iterable[dict[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for tally in tallies:
        for name, count in tally.items():
            found[name] = found.get(name, 0) + count
    return dict(sorted(found.items()))
