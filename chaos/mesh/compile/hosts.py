"""Find the virtual host of a request's Host: first the listener, then exact names before wildcards, longer wildcards
before shorter ones, `*` last.

A proxy's listener is the port that Host names, 80 when it names none, unless the proxy has only one listener. Names are
compared without regard to case and port. Once a host is chosen, no wildcard is tried after it (Envoy RouteMatcher)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from chaos.mesh.names import HTTP_PORT

T = TypeVar("T")


class HostTable(Generic[T]):
    """A map from the domains of each listener to values; of equal domains the first counts. `only`: this listener takes
    every request, whatever port its Host names."""

    def __init__(self, domains: Iterable[tuple[str, int, T]], *, only: int | None = None):
        self._only = only
        self._listeners: dict[int, _Listener[T]] = {}
        for domain, port, found in domains:
            self._listeners.setdefault(port, _Listener()).add(domain.lower().encode(), found)
        for listener in self._listeners.values():
            listener.sort()
        self._usual = dict(self._spelled_as_usual())

    def _spelled_as_usual(self) -> Iterable[tuple[bytes, T]]:
        """Yield names in lower case as clients write them, so that nearly every request needs one look-up."""
        for port, listener in self._listeners.items():
            for name, found in listener.exact.items():
                yield name + b":%d" % port, found
                if port == self._only or (self._only is None and port == HTTP_PORT):
                    yield name, found

    def find(self, authority: bytes) -> T | None:
        """Return the value for a Host as received; None for an unknown host or a port without a listener."""
        found = self._usual.get(authority)
        return found if found is not None else self._find(authority)

    def _find(self, authority: bytes) -> T | None:
        listener = self._listeners.get(self.listener_of(authority))
        return listener.find(without_port(authority).lower()) if listener is not None else None

    def listener_of(self, authority: bytes) -> int:
        """Return the listener that a request with this Host arrives at; 0 if its port is not a number."""
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
    """Cut the port: `web:80` -> `web`, `[::1]:80` -> `[::1]`. Whatever follows the last colon counts as one (Envoy
    getPortStart)."""
    host, colon, port = authority.rpartition(b":")
    return host if colon and b"]" not in port else authority


def port_of(authority: bytes) -> int:
    """Return the port that a Host names, 80 when it names none, 0 for text that is not a port."""
    _, colon, port = authority.rpartition(b":")
    if not colon or b"]" in port:
        return HTTP_PORT
    if not port.isdigit() or len(port) > 5:
        return 0
    number = int(port)
    return number if number <= 65535 else 0
