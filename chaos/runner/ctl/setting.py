"""Set fault levels of a running gateway, `webserver.abort=10`, and undo that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from chaos.claims.hypotheses.tokens import unknown
from chaos.errors import InvalidInput, Location, Problem
from chaos.formatting import listed
from chaos.protocol.counters import FaultsInForce, RuleFaults
from chaos.protocol.fault_levels import FIXED_DELAY, NAMES, read_level, write_levels
from chaos.runner.processes.admin import Admin

CLUSTER = ".svc.cluster.local"


@dataclass(frozen=True, slots=True)
class Setting:
    """One level of one rule, in percent or seconds."""

    rule: RuleFaults
    name: str
    level: float


def settings(texts: Iterable[str], faults: FaultsInForce) -> list[Setting]:
    """Return what texts like `webserver.abort=10` say of the rules. Raises InvalidInput with every problem."""
    found: list[Setting] = []
    problems: list[Problem] = []
    for text in texts:
        try:
            found += _settings(text, faults)
        except ValueError as error:
            problems.append(Problem(Location(text, 0), "", str(error)))
    if problems:
        raise InvalidInput(problems)
    return found


def _settings(text: str, faults: FaultsInForce) -> list[Setting]:
    """Return the settings of one text, one for each rule of the host. Raises ValueError."""
    target, equals, value = text.partition("=")
    host, dot, name = target.rpartition(".")
    if not equals or not dot or not host:
        raise ValueError(
            "write it like webserver.abort=10 (percent), webserver.fixedDelay=250ms or policy/NAME.percentage=10"
        )
    if name not in NAMES:
        raise ValueError(unknown("fault", name, NAMES))
    level = read_level(name, value if name == FIXED_DELAY else _number(value))
    rules = rules_of(host, faults)
    having = [rule for rule in rules if name in rule["configured"]]
    if not having:
        there = listed([each for each in NAMES if any(each in rule["configured"] for rule in rules)]) or "none"
        raise ValueError(f"no rule of {host} has a fault with {name}; to set there is {there}")
    return [Setting(rule, name, level) for rule in having]


def _number(value: str) -> object:
    try:
        return float(value.strip().removesuffix("%").strip())
    except ValueError:
        return value


def rules_of(name: str, faults: FaultsInForce) -> list[RuleFaults]:
    """Return the rules that a host, a rule's name or a rule's key means. Raises ValueError if it means none."""
    found = [rule for rule in faults["rules"] if name in _names(rule)]
    if not found:
        raise ValueError(unknown("host or rule", name, dict.fromkeys(_shown(faults))))
    return found


def _names(rule: RuleFaults) -> Iterator[str]:
    """Yield everything that a rule may be called by."""
    yield from (rule["name"], rule["key"])
    for host in rule["hosts"]:
        yield host
        if host.endswith(CLUSTER):
            short = host.removesuffix(CLUSTER)
            yield from (f"{short}.svc", short, short.partition(".")[0])


def _shown(faults: FaultsInForce) -> Iterator[str]:
    """Yield what a message names: short hosts, then rules."""
    for rule in faults["rules"]:
        yield from (host.partition(".")[0] if host.endswith(CLUSTER) else host for host in rule["hosts"])
    yield from (rule["name"] for rule in faults["rules"])


def apply(admin: Admin, wanted: Iterable[Setting]) -> None:
    """Set the levels. Raises EnvironmentFailed."""
    for each in wanted:
        admin.call("PUT", _path(each.rule), write_levels({each.name: each.level}))


def reset(admin: Admin, names: Iterable[str], faults: FaultsInForce) -> None:
    """Give the rules of these hosts their own levels back; without names undo whatever was set by hand. Raises
    InvalidInput for a name that means no rule."""
    problems: list[Problem] = []
    wanted: list[RuleFaults] = []
    for name in names:
        try:
            wanted += rules_of(name, faults)
        except ValueError as error:
            problems.append(Problem(Location(name, 0), "", str(error)))
    if problems:
        raise InvalidInput(problems)
    for rule in wanted:
        admin.call("DELETE", _path(rule))
    if not wanted:
        admin.call("DELETE", "/faults")


def _path(rule: RuleFaults) -> str:
    return f"/faults/{quote(rule['key'], safe='/@')}"
