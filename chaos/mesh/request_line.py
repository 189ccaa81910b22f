"""A request written by hand, `GET http://webserver/x?y=1`, in the octets that rules look at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from chaos.errors import InvalidInput
from chaos.mesh.names import HTTP_PORT

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SOURCE = "REQUEST"  # what problems call the place, as the usage of `chaos explain` does


class RequestLine(NamedTuple):
    """The parts of it, as a client would send them."""

    method: bytes
    target: bytes
    authority: bytes
    headers: list[tuple[bytes, bytes]]
    scheme: bytes


def parse_request_line(text: str, headers: Iterable[str] | Mapping[str, str] = ()) -> RequestLine:
    """From `[METHOD] http://host[:port]/path?query` (or `host/path`), GET by default, and header lines `name: value`,
    or headers by name.

    A `Host` header replaces the URL's host, as it does with curl. Raises InvalidInput with what would be right."""
    try:
        return _parsed(text, headers)
    except UnicodeEncodeError:  # half of a surrogate pair, as in a name of a file that is not UTF-8
        raise InvalidInput.at(_SOURCE, f"{text!r} cannot be sent: it is no text") from None


def _parsed(text: str, headers: Iterable[str] | Mapping[str, str]) -> RequestLine:
    words = text.split()
    if not 1 <= len(words) <= 2:
        raise InvalidInput.at(_SOURCE, f"{text!r} is not a request; write it like 'GET http://webserver/path'")
    method, url = words if len(words) == 2 else ("GET", words[0])
    if not _TOKEN.fullmatch(method):
        raise InvalidInput.at(
            _SOURCE, f"{method!r} is not a method; write the request like 'GET http://webserver/path'"
        )
    scheme, authority, target = _parts(url)
    given = [f"{name}: {value}" for name, value in headers.items()] if isinstance(headers, Mapping) else headers
    lines = [_header(line) for line in given]
    host = next((value for name, value in lines if name == b"host"), authority)
    others = [pair for pair in lines if pair[0] != b"host"]
    return RequestLine(method.encode(), target, host, [(b"host", host), *others], scheme.encode())


def _parts(url: str) -> tuple[str, bytes, bytes]:
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "http", url
    if scheme not in ("http", "https"):
        raise InvalidInput.at(_SOURCE, f"{scheme}:// is not served; write the URL like http://webserver/path")
    at = min((place for mark in "/?" if (place := rest.find(mark)) >= 0), default=len(rest))
    authority, target = rest[:at], rest[at:]
    if not authority:
        raise InvalidInput.at(_SOURCE, f"{url!r} has no host; write the URL like http://webserver/path")
    if wrong := wrong_port(authority):
        raise InvalidInput.at(_SOURCE, f"{url!r}: {wrong}")
    if not target.startswith("/"):
        target = "/" + target
    return scheme, authority.encode(), target.encode()


def wrong_port(authority: str) -> str:
    """Return what is wrong with the port that an authority names; empty if it names a right one, or none."""
    host, colon, port = authority.rpartition("@")[2].rpartition(":")
    if not colon or "]" in port:
        return ""
    if not port:
        return f"the port is missing; write {host} or {host}:{HTTP_PORT}"
    if not port.isascii() or not port.isdigit() or not 1 <= int(port[:9]) <= 65535:
        return f"{port} is not a port; ports are 1 to 65535"
    return ""


def _header(line: str) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(":")
    if not colon or not _TOKEN.fullmatch(name.strip()):
        raise InvalidInput.at(_SOURCE, f"{line!r} is not a header; write it like 'end-user: jason'")
    return name.strip().lower().encode(), value.strip().encode()
