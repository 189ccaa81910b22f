"""Which match entries of a VirtualService count for one proxy on one listener: in order, up to the first that takes
every request.

Source: istio BuildHTTPRoutesForVirtualService, sourceMatchHTTP, IsCatchAllRoute (route.go)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chaos.errors import Location
from chaos.mesh.model.resources import Resource
from chaos.mesh.model.virtual_service import HTTPMatchRequest, VirtualService
from chaos.mesh.names import Proxy, qualified
from chaos.mesh.resolve.delegate import EffectiveRule


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One match entry of a rule that counts. `match` is None for a rule without entries, which takes everything."""

    rule: EffectiveRule
    place: int
    match: HTTPMatchRequest | None

    @property
    def location(self) -> Location | None:
        """Where the entry is; the rule's location when it has no entries."""
        return self.rule.entries[self.place] if self.rule.entries else self.rule.rule.location

    @property
    def is_catch_all(self) -> bool:
        """Whether it takes every request. An empty method, scheme, authority or prefix still counts as a condition."""
        match = self.match
        if match is None:
            return True
        uri = match.uri
        said = uri is not None and (uri.exact, uri.prefix, uri.regex) != (None, None, None)
        anything = not said or (uri is not None and (uri.prefix == "/" or uri.regex == ".*"))
        conditions = (match.headers, match.without_headers, match.query_params)
        return anything and not any(conditions) and match.method is match.scheme is match.authority is None


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """A match entry that takes no request of this proxy on this listener, and the reason; for explaining."""

    owner: Resource[VirtualService]  # the VirtualService whose hosts it would serve
    entry: Entry
    listener: int
    reason: str

    @property
    def rule(self) -> EffectiveRule:
        return self.entry.rule

    @property
    def location(self) -> Location | None:
        return self.entry.location


def entries_of(rule: EffectiveRule) -> tuple[Entry, ...]:
    """Return all match entries of a rule; for a rule without any, one that takes everything."""
    matches = rule.route.match or (None,)
    return tuple(Entry(rule, place, match) for place, match in enumerate(matches))


def counted(
    owner: Resource[VirtualService], rules: Sequence[EffectiveRule], proxy: Proxy, listener: int
) -> tuple[tuple[Entry, ...], list[LeftOut]]:
    """Return the entries that count, in order, and those that do not."""
    found: list[Entry] = []
    left_out: list[LeftOut] = []
    closed: Entry | None = None
    for rule in rules:
        for entry in entries_of(rule):
            if closed is not None and closed.rule is not rule:
                reason = f"comes after {closed.rule.rule.name}, which takes every request"
                left_out.append(LeftOut(owner, entry, listener, reason))
                break  # one line is enough for the whole rule
            if closed is not None:
                left_out.append(LeftOut(owner, entry, listener, "comes after an entry that takes every request"))
            elif failed := failed_selector(entry.match, proxy, listener, rule.namespace):
                left_out.append(LeftOut(owner, entry, listener, failed))
            else:
                found.append(entry)
                closed = entry if entry.is_catch_all else None
    return tuple(found), left_out


def failed_selector(match: HTTPMatchRequest | None, proxy: Proxy, listener: int, namespace: str) -> str | None:
    """Return in words which static selector excludes this entry for this proxy; None when none does.

    With `gateways` only membership counts: sourceLabels and sourceNamespace are ignored (istio sourceMatchHTTP)."""
    if match is None:
        return None
    if match.port and match.port != listener:
        return f"port {match.port} is not the listener's port {listener}"
    if match.gateways:
        bound = {qualified(gateway, namespace) for gateway in match.gateways}
        if bound & set(proxy.gateway_names):
            return None
        return f"gateways do not include {proxy.gateway_name}"
    for key, value in match.source_labels.items():
        if proxy.labels.get(key) != value:
            return f"sourceLabels: the client has {key}={proxy.labels.get(key, '(no such label)')}, not {value}"
    if match.source_namespace and match.source_namespace != proxy.namespace:
        return f"sourceNamespace {match.source_namespace} is not the client's namespace {proxy.namespace}"
    return None
