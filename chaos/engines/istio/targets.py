"""Which routes of a mesh's proxies the faults of a file belong to: by virtual host and name, as istiod calls them.

istiod calls a virtual host `host:port`, and a route by the name of its rule, with that of its match entry behind a dot
(istio translateRoute, route.go). Nothing else selects one route of several, so a rule without a name cannot have a
fault of its own in an overlay.

A wildcard's rules are found under the wildcard in gateways, and in sidecars if it is a service or no service is under
it; else, or beside that, in the virtual hosts of each service under it (istio separateVSHostsAndServices). Which of
these there are depends on the services of the mesh, so all of them are targets: what is not there is not patched."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from chaos.errors import Location, Problem
from chaos.mesh.compile.rules import Rules
from chaos.mesh.names import covers, is_wildcard
from chaos.mesh.resolve.entries import Entry
from chaos.mesh.resolve.virtual_hosts import VirtualHost

Served = Mapping[str, Collection[tuple[str, int]]]
"""The services of the mesh that take the rules of a wildcard: by the wildcard their hosts and ports."""

NO_NAME = "route-without-a-name"
ONE_NAME = "routes-with-one-name"


@dataclass(frozen=True, slots=True)
class Target:
    """One route. `key` and `rule` are the key and the name of the rule that it stands for."""

    virtual_host: str
    route: str
    key: str
    rule: str


def targets(rules: Rules, faulted: Iterable[str], served: Served | None = None) -> tuple[list[Target], list[Problem]]:
    """Return the routes of all rules, and a problem for each rule that cannot be selected although its key is among
    those that are `faulted`."""
    wanted, found = frozenset(faulted), list[Target]()
    problems: dict[str, Problem] = {}
    for virtual_host, entries in virtual_hosts(rules, served).items():
        names = [_name(entry) for entry in entries]
        for entry, name in zip(entries, names, strict=True):
            rule = entry.rule.rule
            trouble = _trouble(entry, name, entries, names)
            if trouble is None:
                found.append(Target(virtual_host, name, rule.key, rule.name))
            elif rule.key in wanted:
                problems.setdefault(rule.key, trouble)
    return found, list(problems.values())


def virtual_hosts(rules: Rules, served: Served | None = None) -> dict[str, list[Entry]]:
    """Return what VirtualServices have in each virtual host, which is named as istiod does."""
    found: dict[str, list[Entry]] = {}
    for listener in rules.mesh.listeners:
        for host in listener.virtual_hosts:
            if host.entries:
                found[f"{host.host}:{listener.port}"] = list(host.entries)
    for listener in rules.mesh.listeners:
        for host in listener.virtual_hosts:
            for name in _elsewhere(host, listener.port, served or {}) if host.entries else ():
                found.setdefault(name, list(host.entries))
    return found


def asked(virtual_hosts: Iterable[str]) -> list[str]:
    """Return of which virtual hosts to ask whether a generation is in force: with a name in place of a wildcard, unless
    one of the others stands for it."""
    names = list(dict.fromkeys(virtual_hosts))
    single = [name for name in names if not is_wildcard(name)]
    wild = [name for name in names if is_wildcard(name) and not any(covers(name, other) for other in single)]
    return [*single, *(f"chaos-probe{name[1:]}" for name in wild)]


def _elsewhere(host: VirtualHost, port: int, served: Served) -> Iterator[str]:
    """Yield the other virtual hosts in which the rules of a host may be: those of its wildcard."""
    written = {name.lower() for owner in host.owners for name in owner.spec.hosts}
    for name in sorted(written) if host.host not in written or is_wildcard(host.host) else ():
        if is_wildcard(name) and covers(name, host.host):
            yield f"{name}:{port}"
            yield from (f"{service}:{number}" for service, number in sorted(served.get(name, ())) if number == port)


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
