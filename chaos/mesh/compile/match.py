"""Compile one match entry (HTTPMatchRequest) into a list of conditions, and into one function for the request path.

All conditions of an entry must hold. Selectors that need no request (port, sourceLabels, sourceNamespace, gateways) are
not here: `resolve/entries.py` leaves out an entry that fails one. Knows nothing of faults or destinations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chaos.mesh.decision import Request
from chaos.mesh.headers.names import MERGED_REQUEST, values_of
from chaos.mesh.headers.proxy import ProxyHeaders
from chaos.mesh.model.message import StringMatch
from chaos.mesh.model.virtual_service import HTTPMatchRequest
from chaos.mesh.regex import full_match

Test = Callable[[Request, bytes, bytes], bool]  # request, normalised path, `?query` or nothing
Values = Callable[[Request, bytes, bytes], list[bytes]]
TextTest = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """One condition. `field` is its path inside the entry; `seen` returns the values that it tests, for explaining."""

    field: tuple[str, ...]
    expected: str
    test: Test
    seen: Values
    cost: int = 0
    regex: str | None = None  # set if the condition holds for exactly the values that this regex matches

    @property
    def name(self) -> str:
        return ".".join(self.field)

    @property
    def text(self) -> tuple[str, ...]:
        """The text that is tested; equal for conditions on the same header in whatever case."""
        return ("headers", self.field[1].lower()) if self.field[0] == "headers" else self.field


@dataclass(frozen=True, slots=True, eq=False)
class UriCondition:
    """The condition on the path, kept apart because rewrites depend on it. `kind`: exact, prefix or regex."""

    kind: str
    text: str
    ignore_case: bool
    condition: Condition

    @property
    def octets(self) -> bytes:
        return self.text.encode()

    @property
    def is_any_path(self) -> bool:
        """Whether the condition always holds: every path that is routed begins with a slash."""
        return self.kind == "prefix" and self.text in ("", "/")


@dataclass(frozen=True, slots=True, eq=False)
class CompiledMatch:
    """A match entry; `source` is None for a rule without entries, which takes every request."""

    uri: UriCondition | None
    others: tuple[Condition, ...]
    source: HTTPMatchRequest | None

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions that have to be tested, the path first."""
        return (self.uri.condition, *self.others) if self.uri and not self.uri.is_any_path else self.others


EVERYTHING = CompiledMatch(None, (), None)


def compile_match(entry: HTTPMatchRequest, headers: ProxyHeaders) -> CompiledMatch:
    """Compile an entry; its conditions are sorted by cost."""
    conditions: list[Condition] = []

    def given(field: str, match: StringMatch | None, text: Callable[[Request], bytes]) -> None:
        if match is not None and not is_presence(match):
            conditions.append(_text_condition((field,), match, text))

    given("method", entry.method, lambda request: request.method)
    given("authority", entry.authority, lambda request: request.authority)
    given("scheme", entry.scheme, headers.scheme)
    for name, match in entry.query_params.items():
        values = _query_values(name.encode())
        conditions.append(_value_condition(("queryParams", name), match, values))
    for name, match in entry.headers.items():
        conditions.append(_header_condition(("headers", name), match, name, headers))
    for name, match in entry.without_headers.items():
        conditions.append(_without(("withoutHeaders", name), match, header_values(name, headers)))
    conditions.sort(key=lambda condition: condition.cost)
    return CompiledMatch(_uri(entry), tuple(conditions), entry)


def is_presence(match: StringMatch) -> bool:
    return match.exact is None and match.prefix is None and match.regex is None


def describe(match: StringMatch) -> str:
    """Return the condition in words, for explaining: `prefix "/api"`, or `present`."""
    for kind in ("exact", "prefix", "regex"):
        if (text := getattr(match, kind)) is not None:
            return f'{kind} "{text}"'
    return "present"


def text_test(match: StringMatch) -> TextTest:
    """Return a test of one value: case-sensitive; a regex must match the whole text."""
    if match.exact is not None:
        return match.exact.encode().__eq__
    if match.prefix is not None:
        prefix = match.prefix.encode()
        return lambda text: text.startswith(prefix)
    if match.regex is not None:
        return full_match(match.regex)
    return lambda text: True


def _cost(match: StringMatch) -> int:
    return 2 if match.regex is not None else 1


def _text_condition(field: tuple[str, ...], match: StringMatch, text: Callable[[Request], bytes]) -> Condition:
    """Return a condition on a text that is always present: method, authority, scheme."""
    test = text_test(match)

    def holds(request: Request, path: bytes, query: bytes) -> bool:
        return test(text(request))

    seen: Values = lambda request, path, query: [text(request)]  # noqa: E731 - one of several such functions
    return Condition(field, describe(match), holds, seen, _cost(match) - 1, match.regex)


def _header_condition(field: tuple[str, ...], match: StringMatch, name: str, headers: ProxyHeaders) -> Condition:
    """Return a condition on a header. One that the proxy neither joins, computes nor changes is read from the request
    as received, which is faster."""
    values = header_values(name, headers)
    key = name.lower().encode()
    if not is_plain(key, headers):
        return _value_condition(field, match, values)
    test = text_test(match)

    def holds(request: Request, path: bytes, query: bytes) -> bool:
        if key not in (request.fields or request.index()):
            return False
        for name, value in request.headers:  # noqa: SIM110 - a generator would double the cost
            if name == key and test(value):
                return True
        return False

    return Condition(field, describe(match), holds, values, _cost(match), match.regex)


def is_plain(name: bytes, headers: ProxyHeaders) -> bool:
    """Return whether rules see the lines received under this name as they are, each on its own."""
    special = name.startswith((b":", b"@")) or name == b"host"
    return not (special or name in MERGED_REQUEST or headers.changes(name))


def _value_condition(field: tuple[str, ...], match: StringMatch, values: Values) -> Condition:
    """Return a condition on values that may be absent: any of them may match; absent never matches."""
    cost = _cost(match)
    if is_presence(match):
        return Condition(field, "present", lambda *seen: bool(values(*seen)), values, cost)
    test = text_test(match)

    def holds(request: Request, path: bytes, query: bytes) -> bool:
        return any(map(test, values(request, path, query)))

    return Condition(field, describe(match), holds, values, cost, match.regex)


def _without(field: tuple[str, ...], match: StringMatch, values: Values) -> Condition:
    """Return the condition that no value matches, where an absent header is tested as the empty text. `{}` and regex
    `*` require that the header is absent."""
    if is_presence(match) or match.regex == "*":
        return Condition(field, "absent", lambda *seen: not values(*seen), values, 1)
    test = text_test(match)

    def holds(request: Request, path: bytes, query: bytes) -> bool:
        return not any(map(test, values(request, path, query) or [b""]))

    return Condition(field, f"not {describe(match)}", holds, values, _cost(match))


def header_values(name: str, headers: ProxyHeaders) -> Values:
    """Return a function to the values of a header as rules see them, pseudo-headers and those that the proxy changes
    included."""
    if name.startswith("@request.auth.claims"):
        return lambda request, path, query: []  # no JWT is ever verified here, so no request has a claim
    octets = name.lower().encode()
    special: dict[bytes, Values] = {
        b":method": lambda request, path, query: [request.method],
        b":authority": lambda request, path, query: [request.authority],
        b"host": lambda request, path, query: [request.authority],
        b":path": lambda request, path, query: [path + query],
        b":scheme": lambda request, path, query: [headers.scheme(request)],
    }
    if octets in special:
        return special[octets]
    if headers.changes(octets):
        return lambda request, path, query: values_of(headers.incoming(request), octets)
    return lambda request, path, query: values_of(request.headers, octets)


def _query_values(key: bytes) -> Values:
    """Return a function to the parameter's first value: neither key nor value is decoded, and `k` is the same as
    `k=`."""

    def values(request: Request, path: bytes, query: bytes) -> list[bytes]:
        for pair in query[1:].split(b"&"):
            name, _, value = pair.partition(b"=")
            if name == key:
                return [value] if query else []
        return []

    return values


def _uri(entry: HTTPMatchRequest) -> UriCondition | None:
    match = entry.uri
    if match is None or is_presence(match):
        return None
    kind = "exact" if match.exact is not None else "prefix" if match.prefix is not None else "regex"
    text: str = getattr(match, kind)
    ignore_case = entry.ignore_uri_case and kind != "regex"  # Envoy ignores case_sensitive for safe_regex
    test = path_test(match, ignore_case)
    shown = describe(match) + (", ignoring case" if ignore_case else "")
    condition = Condition(("uri",), shown, lambda request, path, query: test(path), lambda request, path, query: [path])
    return UriCondition(kind, text, ignore_case, condition)


def path_test(match: StringMatch, ignore_case: bool) -> TextTest:
    """Return a test of the path; with `ignore_case` for exact and prefix only."""
    if not ignore_case:
        return text_test(match)
    if match.exact is not None:
        exact = match.exact.encode().lower()
        return lambda path: path.lower() == exact
    prefix = (match.prefix or "").encode().lower()
    return lambda path: path.lower().startswith(prefix)


def all_of(conditions: tuple[Condition, ...]) -> Test | None:
    """Return one function that tests all conditions, cheapest first; None when there are none."""
    tests: tuple[Any, ...] = tuple(condition.test for condition in conditions)
    if not tests:
        return None
    if len(tests) == 1:
        only: Test = tests[0]
        return only

    def holds(request: Request, path: bytes, query: bytes) -> bool:
        return all(test(request, path, query) for test in tests)

    return holds
