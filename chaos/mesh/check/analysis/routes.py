"""Find rules of one VirtualService that no request reaches, as Istio does: IST0130 and IST0131.

An entry that is repeated is an info, as in Istio's analyzer; a prefix behind a shorter one is one there, too, but the
webhook warns of it, and kubectl prints that.

Match entries are compared as written, without their names. Prefixes that begin with an earlier one are found in Istio's
way, including its oddity that an absent method counts as GET. Source: istio pkg/config/validation/validation.go,
analyzeUnreachableHTTPRules and coveredValidation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chaos.mesh.check.cursor import At
from chaos.mesh.model.message import Message, StringMatch
from chaos.mesh.model.virtual_service import HTTPMatchRequest, HTTPRoute, TCPRoute, TLSRoute, VirtualService

UNREACHABLE, INEFFECTIVE = "IST0130", "IST0131"

_Route = HTTPRoute | TLSRoute | TCPRoute


def analyze_routes(at: At, service: VirtualService) -> None:
    """Report on one VirtualService; `at` points at its spec."""
    prefixes: list[_Prefix] = []
    _unreachable(at.into("http"), service.http, prefixes)
    _covered(prefixes)
    _unreachable(at.into("tls"), service.tls, prefixes)
    _unreachable(at.into("tcp"), service.tcp, prefixes)


def _unreachable(at: At, routes: tuple[_Route, ...], prefixes: list[_Prefix]) -> None:
    seen: dict[str, int] = {}
    open_route: int | None = None
    for number, route in enumerate(routes):
        here = at.into(number)
        if open_route is not None:
            here.warn(
                f"no request reaches this rule: rule {_name(routes, open_route)} before it takes all", UNREACHABLE
            )
        if here.into("match").unread:
            continue
        if not route.match:
            open_route = number
        elif open_route is None:
            _matches(here, routes, number, seen, prefixes)


def _matches(at: At, routes: tuple[_Route, ...], number: int, seen: dict[str, int], prefixes: list[_Prefix]) -> None:
    matches = routes[number].match
    repeated = 0
    for index, match in enumerate(matches):
        here = at.into("match", index)
        key = _key(match)
        if key in seen:
            repeated += 1
            where = "above in this rule" if seen[key] == number else f"in rule {_name(routes, seen[key])}"
            here.info(f"repeats an entry {where}, which takes its requests", INEFFECTIVE)
            continue
        seen[key] = number
        if isinstance(match, HTTPMatchRequest) and match.uri is not None and match.uri.prefix:
            prefixes.append(_Prefix.of(here, _name(routes, number), match, match.uri.prefix))
    if repeated == len(matches):
        at.warn("no request reaches this rule: rules before it have all of its matches", UNREACHABLE)


def _key(match: Message) -> str:
    without = {"name"} if isinstance(match, HTTPMatchRequest) else set()
    return repr(_canonical(match.model_dump(exclude_defaults=True, exclude=without)))


def _canonical(value: Any) -> Any:
    """Return a value in which mappings are sorted by key: their order in the file means nothing."""
    if isinstance(value, dict):
        return sorted((key, _canonical(item)) for key, item in value.items())
    return [_canonical(item) for item in value] if isinstance(value, list | tuple) else value


def _name(routes: tuple[_Route, ...], number: int) -> str:
    name = getattr(routes[number], "name", "")
    return f'"{name}"' if name else f"#{number}"


@dataclass(frozen=True, slots=True)
class _Prefix:
    """A match on a uri prefix and the other conditions that Istio compares, each as `exact:text`, `prefix:text` or
    empty."""

    at: At
    rule: str
    prefix: str
    port: int
    method: str
    authority: str
    headers: dict[str, str]
    query_params: dict[str, str]
    without_headers: dict[str, str]

    @classmethod
    def of(cls, at: At, rule: str, match: HTTPMatchRequest, prefix: str) -> _Prefix:
        return cls(
            at,
            rule,
            prefix,
            match.port,
            _condition(match.method) or "exact:GET",
            _condition(match.authority),
            _conditions(match.headers),
            _conditions(match.query_params),
            _conditions(match.without_headers),
        )

    def covers(self, later: _Prefix) -> bool:
        """Return whether the other conditions let this entry take the later one's requests, if the prefix does."""
        return (
            later.port == self.port
            and self.method.startswith(later.method)
            and self.authority.startswith(later.authority)
            and _all_cover(self.headers, later.headers)
            and _all_cover(self.query_params, later.query_params)
            and _all_cover(self.without_headers, later.without_headers)
        )


def _condition(match: StringMatch | None) -> str:
    if match is None:
        return ""
    return f"exact:{match.exact}" if match.exact else f"prefix:{match.prefix}" if match.prefix else ""


def _conditions(matches: Mapping[str, StringMatch]) -> dict[str, str]:
    return {name: _condition(match) for name, match in matches.items()}


def _all_cover(mine: dict[str, str], later: dict[str, str]) -> bool:
    return mine.keys() == later.keys() and all(mine[name].startswith(later[name]) for name in mine)


def _covered(prefixes: list[_Prefix]) -> None:
    earlier: dict[str, list[_Prefix]] = {}
    for later in prefixes:
        shorter = (earlier.get(later.prefix[:length], ()) for length in range(1, len(later.prefix)))
        cover = next((item for items in shorter for item in items if item.covers(later)), None)
        if cover is not None:
            message = f"the prefix {later.prefix} begins with {cover.prefix} of rule {cover.rule}, which comes first"
            later.at.into("uri", "prefix").warn(f"{message} and takes its requests", INEFFECTIVE)
        earlier.setdefault(later.prefix, []).append(later)
