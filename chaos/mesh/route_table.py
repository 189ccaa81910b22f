"""The routes of one virtual host, in order, and the first of them that takes a request.

Exact paths are looked up, and all regexes of the host (on the path, or on one header) are tried in one pass of an RE2
set; only entries that these leave open are walked. So a hundred rules in front of the one that matches cost hardly
more than one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from chaos.mesh.decision import Request
from chaos.mesh.match import CompiledMatch, Condition, Test, all_of
from chaos.mesh.regex import full_matches
from chaos.mesh.routes import Route

Index = Callable[[Request, bytes, bytes], Sequence[int]]  # the places of the routes that this index finds
_WORTHWHILE = 3  # header regexes on one header from which an index pays


class RouteTable:
    """`routes` in the order in which they are tried."""

    def __init__(self, routes: Iterable[Route]):
        self.routes = tuple(routes)
        self._indexes: list[Index] = []
        indexed: dict[int, tuple[Condition, ...]] = {}  # place -> the conditions its index does not answer
        self._index_paths(indexed)
        self._index_headers(indexed)
        self._tests: tuple[tuple[Test | None, Route], ...] = tuple(
            (all_of(indexed.get(place, route.match.conditions)), route) for place, route in enumerate(self.routes)
        )
        self._walked = tuple(place for place in range(len(self.routes)) if place not in indexed)
        # For the usual host without any index: no places, just the tests.
        self._plain = self._tests if not self._indexes else None

    def find(self, request: Request, path: bytes, query: bytes) -> Route | None:
        """The first route that matches; path normalised, `query` with its question mark or empty."""
        if self._plain is not None:
            for test, route in self._plain:
                if test is None or test(request, path, query):
                    return route
            return None
        for place in self._candidates(request, path, query):
            test, route = self._tests[place]
            if test is None or test(request, path, query):
                return route
        return None

    def _candidates(self, request: Request, path: bytes, query: bytes) -> Sequence[int]:
        found: list[int] = []
        for index in self._indexes:
            found += index(request, path, query)
        if not found:
            return self._walked
        found += self._walked
        found.sort()
        return found

    # ------------------------------------------------------------------ made once

    def _index_paths(self, indexed: dict[int, tuple[Condition, ...]]) -> None:
        exact: dict[bytes, list[int]] = defaultdict(list)
        regexes: list[tuple[int, str]] = []
        for place, route in enumerate(self.routes):
            uri = route.match.uri
            if uri is None or uri.ignore_case or uri.kind == "prefix":
                continue
            if uri.kind == "exact":
                exact[uri.octets].append(place)
            else:
                regexes.append((place, uri.text))
            indexed[place] = route.match.others
        if exact:
            self._indexes.append(lambda request, path, query: exact.get(path, ()))
        if regexes:
            self._indexes.append(_path_regexes(regexes))

    def _index_headers(self, indexed: dict[int, tuple[Condition, ...]]) -> None:
        by_header: dict[tuple[str, ...], list[tuple[int, Condition, str]]] = defaultdict(list)
        for place, route in enumerate(self.routes):
            if place not in indexed and (first := _header_regex(route.match)) is not None:
                condition, regex = first
                field = (condition.field[0], condition.field[1].lower())
                by_header[field].append((place, condition, regex))
        for rows in by_header.values():
            if len(rows) < _WORTHWHILE:
                continue
            for place, condition, _ in rows:
                rest = tuple(other for other in self.routes[place].match.conditions if other is not condition)
                indexed[place] = rest
            self._indexes.append(_header_regexes(rows))


def _path_regexes(rows: list[tuple[int, str]]) -> Index:
    places = [place for place, _ in rows]
    matches = full_matches([regex for _, regex in rows])

    def found(request: Request, path: bytes, query: bytes) -> Sequence[int]:
        hits = matches(path)
        return [places[hit] for hit in hits] if hits else ()

    return found


def _header_regex(match: CompiledMatch) -> tuple[Condition, str] | None:
    """A condition `headers.<name>.regex` of the entry, with its regex."""
    if match.source is None:
        return None
    for condition in match.others:
        if condition.field[0] == "headers":
            regex = match.source.headers[condition.field[1]].regex
            if regex is not None:
                return condition, regex
    return None


def _header_regexes(rows: list[tuple[int, Condition, str]]) -> Index:
    places = [place for place, _, _ in rows]
    values = rows[0][1].seen  # the same header for all
    matches = full_matches([regex for _, _, regex in rows])

    def found(request: Request, path: bytes, query: bytes) -> Sequence[int]:
        hits: set[int] = set()
        for value in values(request, path, query):
            hits.update(matches(value) or ())
        return [places[hit] for hit in hits]

    return found
