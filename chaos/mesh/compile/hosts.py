"""From the Host of a request to its virtual host: exact names before wildcards, longer wildcards before shorter, `*`
last.

Compared without regard to case and port. Once a host is chosen there is no way back to a wildcard (Envoy
RouteMatcher)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class HostTable(Generic[T]):
    """What each domain leads to; of equal domains the first counts."""

    def __init__(self, domains: Iterable[tuple[str, T]]):
        self._exact: dict[bytes, T] = {}
        self._any: T | None = None
        suffixes: dict[bytes, T] = {}
        for domain, found in domains:
            name = domain.lower().encode()
            if name == b"*":
                self._any = found if self._any is None else self._any
            elif name.startswith(b"*"):
                suffixes.setdefault(name[1:], found)
            else:
                self._exact.setdefault(name, found)
        self._suffixes = tuple(sorted(suffixes.items(), key=lambda item: -len(item[0])))

    def find(self, authority: bytes) -> T | None:
        """For Host as received; the usual one, in lower case and without a port, is found at once."""
        found = self._exact.get(authority)
        return found if found is not None else self._find(without_port(authority).lower())

    def _find(self, name: bytes) -> T | None:
        found = self._exact.get(name)
        if found is not None:
            return found
        for suffix, found in self._suffixes:
            if name.endswith(suffix) and len(name) > len(suffix):
                return found
        return self._any


def without_port(authority: bytes) -> bytes:
    """`web:80` -> `web`, `[::1]:80` -> `[::1]`; all that follows the last colon, number or not (getPortStart)."""
    host, colon, port = authority.rpartition(b":")
    return host if colon and b"]" not in port else authority
