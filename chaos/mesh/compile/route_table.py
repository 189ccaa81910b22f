"""The routes of one virtual host, in order, and the search for the first that takes a request.

A few routes are tested one by one. Where there are many, exact paths are looked up, and conditions on the same text
(the path, one header, one query parameter) are tested in one pass of an RE2 set; only the routes that remain are tested
one by one. So a hundred rules in front of the one that matches cost hardly more than one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from chaos.mesh.compile.match import Condition, Test, UriCondition, all_of
from chaos.mesh.compile.rule import Route
from chaos.mesh.decision import Request
from chaos.mesh.regex import full_matches, quoted

Index = Callable[[Request, bytes, bytes], Sequence[int]]  # returns the places of the routes that it finds
Left = list[tuple[Condition, ...]]  # for each route, the conditions that no index tests
_FEW = 4  # fewer tests than this cost less than one set of regexes


class RouteTable:
    """The routes of a virtual host, in the order in which they are tested."""

    def __init__(self, routes: Iterable[Route]):
        self.routes = tuple(routes)
        left = [route.match.conditions for route in self.routes]  # the functions below remove what an index tests
        self._by_path, self._path_indexes = _path_indexes(self.routes, left)
        self._by_text, self._text_indexes = _text_indexes(left)
        self._tests: tuple[tuple[Test | None, Route], ...] = tuple(
            (all_of(conditions), route) for conditions, route in zip(left, self.routes, strict=True)
        )
        self._walked = tuple(
            place for place in range(len(left)) if place not in self._by_path and place not in self._by_text
        )
        self._indexed = bool(self._by_path or self._by_text)

    def find(self, request: Request, path: bytes, query: bytes) -> Route | None:
        """Return the first route that matches, or None; `path` is normalised, `query` begins with its question mark or
        is empty."""
        if not self._indexed:
            for test, route in self._tests:
                if test is None or test(request, path, query):
                    return route
            return None
        for place in self._candidates(request, path, query):
            test, route = self._tests[place]
            if test is None or test(request, path, query):
                return route
        return None

    def _candidates(self, request: Request, path: bytes, query: bytes) -> Sequence[int]:
        """Return, in order, the places of the routes that all of their indexes find, and of the routes without an
        index."""
        by_path = [place for index in self._path_indexes for place in index(request, path, query)]
        by_text = {place for index in self._text_indexes for place in index(request, path, query)}
        if not by_path and not by_text:
            return self._walked
        found = [place for place in by_path if place in by_text or place not in self._by_text]
        found += [place for place in by_text if place not in self._by_path]
        return sorted(found + list(self._walked))


# ---------------------------------------------------------------------------------------------- made once


def _path_indexes(routes: Sequence[Route], left: Left) -> tuple[frozenset[int], list[Index]]:
    """Build the indexes of paths: a look-up for exact ones, a set of regexes for the others.

    Returns the places of the routes that they cover, and the indexes; conditions that they test are removed from
    `left`."""
    exact: dict[bytes, list[int]] = defaultdict(list)
    patterns: list[tuple[int, str]] = []
    for place, route in enumerate(routes):
        uri = route.match.uri
        if uri is None or uri.is_any_path:
            continue
        if uri.kind == "exact" and not uri.ignore_case:
            exact[uri.octets].append(place)
        else:
            patterns.append((place, _pattern(uri)))
    exact = exact if sum(map(len, exact.values())) >= _FEW else {}
    patterns = patterns if len(patterns) >= _FEW else []
    found = frozenset(place for places in exact.values() for place in places) | {place for place, _ in patterns}
    for place in found:
        left[place] = routes[place].match.others
    indexes: list[Index] = []
    if exact:
        indexes.append(lambda request, path, query: exact.get(path, ()))
    if patterns:
        indexes.append(_set_index(patterns, lambda request, path, query: [path]))
    return found, indexes


def _pattern(uri: UriCondition) -> str:
    """Return the condition as a regex for the whole path. A normalised path is ASCII, so ignoring case means the same
    to RE2 and to Envoy."""
    if uri.kind == "regex":
        return uri.text
    text = quoted(uri.text) + ("(?s:.*)" if uri.kind == "prefix" else "")
    return f"(?i:{text})" if uri.ignore_case else text


def _text_indexes(left: Left) -> tuple[frozenset[int], list[Index]]:
    """Build sets of regexes for other texts, from each route's first such condition. Returns the places that they
    cover, and the indexes."""
    by_text: dict[tuple[str, ...], list[tuple[int, Condition]]] = defaultdict(list)
    for place, conditions in enumerate(left):
        condition = next((each for each in conditions if each.regex is not None and each.field != ("uri",)), None)
        if condition is not None:
            by_text[condition.text].append((place, condition))
    many = [rows for rows in by_text.values() if len(rows) >= _FEW]
    for rows in many:
        for place, condition in rows:
            left[place] = tuple(each for each in left[place] if each is not condition)
    indexes = [_set_index([(place, each.regex or "") for place, each in rows], rows[0][1].seen) for rows in many]
    return frozenset(place for rows in many for place, _ in rows), indexes


def _set_index(patterns: list[tuple[int, str]], values: Callable[[Request, bytes, bytes], list[bytes]]) -> Index:
    places = [place for place, _ in patterns]
    matches = full_matches([pattern for _, pattern in patterns])

    def found(request: Request, path: bytes, query: bytes) -> Sequence[int]:
        hits: list[int] = []
        for value in values(request, path, query):
            hits += matches(value) or ()
        return [places[hit] for hit in hits]

    return found
