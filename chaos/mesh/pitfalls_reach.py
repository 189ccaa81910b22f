"""Rules and match entries that no request reaches although Istio's analyzer does not see it: infos.

An entry covers a later one when it asks nothing but a path, and every path of the later one belongs to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chaos.mesh.findings import At
from chaos.mesh.model_virtual_service import HTTPMatchRequest, HTTPRoute, VirtualService


@dataclass(frozen=True, slots=True)
class _Wide:
    """A match entry that asks nothing but a path. `prefix` is empty for a catch-all."""

    rule: str
    prefix: str | None
    exact: str | None

    def covers(self, match: HTTPMatchRequest) -> bool:
        uri = match.uri
        if self.prefix == "":
            return True
        if uri is None or match.ignore_uri_case or uri.regex is not None:
            return False
        if self.exact is not None:
            return uri.exact == self.exact
        path = uri.exact if uri.exact is not None else uri.prefix
        return self.prefix is not None and path is not None and path.startswith(self.prefix)


def reach_pitfalls(at: At, service: VirtualService) -> None:
    """`at` stands at the VirtualService's spec."""
    wide: list[_Wide] = []
    for number, route in enumerate(service.http):
        here = at.into("http", number)
        covered = [_first(wide, match) for match in route.match]
        if covered and all(covered) and not _same_as_istio(service.http[:number]):
            here.info(f"no request reaches this rule: rule {covered[0]} before it takes them all", "unreachable")
        else:
            for index, rule in enumerate(covered):
                if rule:
                    here.into("match", index).info(f"rule {rule} before it takes these requests", "unreachable")
        wide += _wide(route, number)


def _first(wide: list[_Wide], match: HTTPMatchRequest) -> str:
    return next((entry.rule for entry in wide if entry.covers(match)), "")


def _same_as_istio(earlier: tuple[HTTPRoute, ...]) -> bool:
    """After a rule without matches Istio's own warning (IST0130) says it."""
    return any(not route.match for route in earlier)


def _wide(route: HTTPRoute, number: int) -> Iterator[_Wide]:
    name = f'"{route.name}"' if route.name else f"#{number}"
    for match in route.match:
        if match.has(
            "headers", "without_headers", "method", "authority", "scheme", "query_params", "port", "gateways",
            "source_labels", "source_namespace", "ignore_uri_case",
        ):  # fmt: skip
            continue
        uri = match.uri
        if uri is None or uri.prefix in ("", "/") or uri.regex == ".*":
            yield _Wide(name, "", None)
        elif uri.regex is None:
            yield _Wide(name, uri.prefix, uri.exact)
