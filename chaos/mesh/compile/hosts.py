"""From the Host of a request to its virtual host: first the listener, then exact names before wildcards, longer
wildcards before shorter, `*` last.

A proxy's listener is the port that Host names, 80 when it names none, unless it has only one. Names are compared
without regard to case and port. Once a host is chosen there is no way back to a wildcard (Envoy RouteMatcher)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

DEFAULT_PORT = 80


class HostTable(Generic[T]):
    """What each domain of each listener leads to; of equal domains the first counts. `only`: this listener takes
    whatever port Host names."""

    def __init__(self, domains: Iterable[tuple[str, int, T]], *, only: int | None = None):
        self._only = only
        self._listeners: dict[int, _Listener[T]] = {}
        for domain, port, found in domains:
            self._listeners.setdefault(port, _Listener()).add(domain.lower().encode(), found)
        for listener in self._listeners.values():
            listener.sort()
        self._usual = dict(self._spelled_as_usual())

    def _spelled_as_usual(self) -> Iterable[tuple[bytes, T]]:
        """Names in lower case as clients write them, so that nearly every request is one look-up away."""
        for port, listener in self._listeners.items():
            for name, found in listener.exact.items():
                yield name + b":%d" % port, found
                if port == self._only or (self._only is None and port == DEFAULT_PORT):
                    yield name, found

    def find(self, authority: bytes) -> T | None:
        """What a Host as received leads to; None for an unknown host or a port without a listener."""
        found = self._usual.get(authority)
        return found if found is not None else self._find(authority)

    def _find(self, authority: bytes) -> T | None:
        listener = self._listeners.get(self.listener_of(authority))
        return listener.find(without_port(authority).lower()) if listener is not None else None

    def listener_of(self, authority: bytes) -> int:
        """The listener that a request with this Host arrives at; 0 where its port is no number."""
        return port_of(authority) if self._only is None else self._only


class _Listener(Generic[T]):
    """The domains of one port."""

    def __init__(self) -> None:
        self.exact: dict[bytes, T] = {}
        self._suffixes: dict[bytes, T] = {}
        self._any: T | None = None

    def add(self, name: bytes, found: T) -> None:
        if name == b"*":
            self._any = found if self._any is None else self._any
        elif name.startswith(b"*"):
            self._suffixes.setdefault(name[1:], found)
        else:
            self.exact.setdefault(name, found)

    def sort(self) -> None:
        self._suffixes = dict(sorted(self._suffixes.items(), key=lambda item: -len(item[0])))

    def find(self, name: bytes) -> T | None:
        found = self.exact.get(name)
        if found is not None:
            return found
        for suffix, found in self._suffixes.items():
            if name.endswith(suffix) and len(name) > len(suffix):
                return found
        return self._any


def without_port(authority: bytes) -> bytes:
    """`web:80` -> `web`, `[::1]:80` -> `[::1]`; all that follows the last colon, number or not (getPortStart)."""
    host, colon, port = authority.rpartition(b":")
    return host if colon and b"]" not in port else authority


def port_of(authority: bytes) -> int:
    """The port that a Host names, 80 when it names none, 0 for one that is no port."""
    _, colon, port = authority.rpartition(b":")
    if not colon or b"]" in port:
        return DEFAULT_PORT
    if not port.isdigit() or len(port) > 5:
        return 0
    number = int(port)
    return number if number <= 65535 else 0
