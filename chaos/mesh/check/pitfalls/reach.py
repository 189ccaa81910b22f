"""Find rules and match entries that no request reaches although Istio's analyzer does not report them: infos.

An entry covers a later one when its only condition is on the path and includes every path of the later one."""

from __future__ import annotations

from dataclasses import dataclass, field

from chaos.mesh.check.cursor import At
from chaos.mesh.model.virtual_service import HTTPMatchRequest, VirtualService


@dataclass(slots=True)
class _Wide:
    """The match entries so far whose only condition is on the path, with the rule each belongs to."""

    everything: str = ""
    prefixes: dict[str, str] = field(default_factory=dict)
    exacts: dict[str, str] = field(default_factory=dict)

    def rule(self, match: HTTPMatchRequest) -> str:
        """Return the rule that takes all requests of this entry; empty when there is none."""
        uri = match.uri
        if self.everything or uri is None or match.ignore_uri_case or uri.regex is not None:
            return self.everything
        path = uri.exact if uri.exact is not None else uri.prefix or ""
        if uri.exact in self.exacts:
            return self.exacts[path]
        begin = (path[:length] for length in range(1, len(path) + 1))
        return next((self.prefixes[each] for each in begin if each in self.prefixes), "")

    def add(self, match: HTTPMatchRequest, rule: str) -> None:
        uri = match.uri
        if match.has(*_CONDITIONS):
            return
        if uri is None or uri.prefix in ("", "/") or uri.regex == ".*":
            self.everything = self.everything or rule
        elif uri.prefix is not None:
            self.prefixes.setdefault(uri.prefix, rule)
        elif uri.exact is not None:
            self.exacts.setdefault(uri.exact, rule)


_CONDITIONS = (
    "headers", "without_headers", "method", "authority", "scheme", "query_params", "port", "gateways", "source_labels",
    "source_namespace", "ignore_uri_case",
)  # fmt: skip


def reach_pitfalls(at: At, service: VirtualService) -> None:
    """Report on one VirtualService; `at` points at its spec."""
    wide = _Wide()
    open_before = False  # after a rule without matches, Istio's own warning (IST0130) is enough
    for number, route in enumerate(service.http):
        here = at.into("http", number)
        if here.into("match").unread:
            continue
        covered = [wide.rule(match) for match in route.match]
        if covered and all(covered):
            if not open_before:
                here.info(f"no request reaches this rule: rule {covered[0]} before it takes them all", "unreachable")
        else:
            for index, rule in enumerate(covered):
                if rule:
                    here.into("match", index).info(f"rule {rule} before it takes these requests", "unreachable")
        open_before = open_before or not route.match
        for match in route.match:
            wide.add(match, f'"{route.name}"' if route.name else f"#{number}")
