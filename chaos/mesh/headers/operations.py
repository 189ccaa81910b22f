"""Header operations of rules and destinations: remove, then set, then add; compiled into levels.

Envoy evaluates a level as a whole: removals first, then every value is computed, then all sets, then all adds
(source/common/router/header_parser.cc). With one destination Istio appends the destination's operations to the route's,
which makes one level; with several it leaves them on the weighted cluster, which Envoy evaluates before the route's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from chaos.mesh.decision import Headers
from chaos.mesh.headers.command_operators import Exchange, Part, UnsupportedCommand, compile_format
from chaos.mesh.headers.names import joined
from chaos.mesh.model.virtual_service import HeaderOperations

Value = bytes | Part
# Framing follows from the body; a rule that changed it would only break messages.
FRAMING = frozenset((b"content-length", b"transfer-encoding"))
# A request with any other method and no body gets `content-length: 0`, as from Envoy's HTTP/1 codec.
WITHOUT_BODY = frozenset((b"GET", b"HEAD", b"DELETE", b"TRACE", b"CONNECT"))
CONNECTION = frozenset((b"connection", b"proxy-connection", b"upgrade"))  # Envoy's codec drops them from responses
HOST_NAMES = frozenset(("host", ":authority"))  # a rewrite of Host, not an operation


@dataclass(frozen=True, slots=True)
class Level:
    """Operations that are evaluated together. A value that is the same for all requests is bytes, another a
    function."""

    remove: frozenset[bytes]
    set: tuple[tuple[bytes, Value], ...]
    add: tuple[tuple[bytes, Value], ...]
    merged: frozenset[bytes]  # names whose lines are joined
    authority: bytes | None = None  # Host as operators see it here, if an earlier level has set it

    def __bool__(self) -> bool:
        return bool(self.remove or self.set or self.add)

    def touches(self, name: bytes) -> bool:
        """Return whether it removes, sets or adds this header."""
        return name in self.remove or any(name == changed for changed, _ in (*self.set, *self.add))

    def writes(self, names: frozenset[bytes]) -> bool:
        """Return whether it sets or adds one of these headers."""
        return any(name in names for name, _ in (*self.set, *self.add))

    @property
    def is_static(self) -> bool:
        """Whether no value has to be computed."""
        return all(isinstance(value, bytes) for _, value in (*self.set, *self.add))

    def apply(self, headers: Headers, exchange: Callable[[Headers], Exchange]) -> Headers:
        """Return the new headers; `exchange` is called only when a value has to be computed, with the headers after
        removal."""
        remove = self.remove
        kept = [pair for pair in headers if pair[0] not in remove] if remove else list(headers)
        seen = None if self.is_static else exchange(kept)
        if seen is not None and self.authority is not None:
            seen.authority = self.authority
        overwrites = _values(self.set, seen)
        additions = _values(self.add, seen)
        for name, value in overwrites:
            _overwrite(kept, name, value)
        for name, value in additions:
            _append(kept, name, value, self.merged)
        return kept


def _values(pairs: tuple[tuple[bytes, Value], ...], exchange: Exchange | None) -> list[tuple[bytes, bytes]]:
    """Compute the values. Empty ones are dropped: setting or adding an empty value does nothing."""
    computed = [
        (name, value if isinstance(value, bytes) else value(exchange) if exchange else b"") for name, value in pairs
    ]
    return [(name, value) for name, value in computed if value]


def _overwrite(headers: Headers, name: bytes, value: bytes) -> None:
    places = [at for at, pair in enumerate(headers) if pair[0] == name]
    if not places:
        headers.append((name, value))
        return
    headers[places[0]] = (name, value)
    for at in reversed(places[1:]):
        del headers[at]


def _append(headers: Headers, name: bytes, value: bytes, merged: frozenset[bytes]) -> None:
    if name in merged:
        for at, pair in enumerate(headers):
            if pair[0] == name:
                headers[at] = (name, joined((pair[1], value)))
                return
    headers.append((name, value))


def compile_levels(
    route: HeaderOperations | None,
    destination: HeaderOperations | None,
    *,
    several: bool,
    merged: frozenset[bytes],
    constants: dict[str, bytes],
    unsupported: Callable[[str], None],
    untouched: frozenset[bytes] = FRAMING,
) -> tuple[Level, ...]:
    """Return the levels in the order of evaluation, without empty ones.

    Lines of `merged` headers are joined, `untouched` ones left alone; `unsupported` is called with a message for each
    operator without a value."""

    def level(*operations: HeaderOperations | None) -> Level:
        return _level([o for o in operations if o], merged, untouched, constants, unsupported)

    if not several:
        levels = [level(route, destination)]
    else:
        host = host_of(destination)
        # One of several destinations sets Host before the rule's own operations are evaluated.
        levels = [level(destination), replace(level(route), authority=host.encode() if host else None)]
    return tuple(level for level in levels if level)


def _level(
    operations: Iterable[HeaderOperations],
    merged: frozenset[bytes],
    untouched: frozenset[bytes],
    constants: dict[str, bytes],
    unsupported: Callable[[str], None],
) -> Level:
    def octets(name: str) -> bytes:
        return name.lower().encode()

    def pairs(written: dict[str, str]) -> list[tuple[bytes, Value]]:
        return [
            (octets(name), _value(written[name], constants, unsupported))
            for name in sorted(written)
            if name.lower() not in HOST_NAMES and octets(name) not in untouched
        ]

    operations = tuple(operations)
    return Level(
        frozenset(octets(name) for o in operations for name in o.remove) - untouched,
        tuple(pair for o in operations for pair in pairs(o.set)),
        tuple(pair for o in operations for pair in pairs(o.add)),
        merged,
    )


def _value(text: str, constants: dict[str, bytes], unsupported: Callable[[str], None]) -> Value:
    try:
        return compile_format(text, constants)
    except UnsupportedCommand as error:
        unsupported(str(error))
        return b""


def host_of(operations: HeaderOperations | None) -> str | None:
    """Return the Host that request operations set (`host` or `:authority`, set before add); None when they do not."""
    if operations is None:
        return None
    for written in (operations.set, operations.add):
        for name in sorted(written):
            if name.lower() in HOST_NAMES:
                return written[name]
    return None
