"""Which routes of a mesh's proxies the faults of a file belong to: by virtual host and name, as istiod calls them.

istiod calls a virtual host `host:port`, and a route by the name of its rule, with that of its match entry behind a dot
(istio translateRoute, route.go). Nothing else selects one route of several, so a rule without a name cannot have a
fault of its own in an overlay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chaos.errors import Location, Problem
from chaos.mesh.compile.rules import Rules
from chaos.mesh.resolve.entries import Entry

NO_NAME = "route-without-a-name"
ONE_NAME = "routes-with-one-name"


@dataclass(frozen=True, slots=True)
class Target:
    """One route. `key` and `rule` are the key and the name of the rule that it stands for."""

    virtual_host: str
    route: str
    key: str
    rule: str


def targets(rules: Rules, faulted: Iterable[str]) -> tuple[list[Target], list[Problem]]:
    """Return the routes of all rules, and a problem for each rule that cannot be selected although its key is among
    those that are `faulted`."""
    wanted, found = frozenset(faulted), list[Target]()
    problems: dict[str, Problem] = {}
    for virtual_host, entries in _virtual_hosts(rules):
        names = [_name(entry) for entry in entries]
        for entry, name in zip(entries, names, strict=True):
            rule = entry.rule.rule
            trouble = _trouble(entry, name, entries, names)
            if trouble is None:
                found.append(Target(virtual_host, name, rule.key, rule.name))
            elif rule.key in wanted:
                problems.setdefault(rule.key, trouble)
    return found, list(problems.values())


def _virtual_hosts(rules: Rules) -> Iterator[tuple[str, list[Entry]]]:
    for listener in rules.mesh.listeners:
        for host in listener.virtual_hosts:
            yield f"{host.host}:{listener.port}", list(host.entries)


def _name(entry: Entry) -> str:
    name = entry.rule.route.name
    return f"{name}.{entry.match.name}" if name and entry.match is not None and entry.match.name else name


def _trouble(entry: Entry, name: str, entries: list[Entry], names: list[str]) -> Problem | None:
    """Return why a route cannot be selected alone, or None."""
    own = entry.rule.rule
    where = own.location or Location("rules")
    if not name:
        text = "an Istio overlay selects routes by name, and this one has none; give it a name"
        return Problem(where, "name", text, code=NO_NAME)
    if any(other == name and each.rule.rule is not own for each, other in zip(entries, names, strict=True)):
        text = f"another rule of this host is called {name!r}, too, and would meet the same faults"
        return Problem(where, "name", f"{text}; give each its own name", code=ONE_NAME)
    return None
