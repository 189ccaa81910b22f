"""Parse a request written by hand, `GET http://webserver/x?y=1`, into the Request that rules decide."""

from __future__ import annotations

import re
from collections.abc import Iterable

from chaos.mesh.decision import Headers, Request

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ID = b"00000000-0000-4000-8000-000000000000"


def parse_request(text: str, headers: Iterable[str] = ()) -> Request:
    """Parse `[METHOD] http://host[:port]/path?query` (or `host/path`), GET by default, and header lines `name: value`.

    A `Host` header replaces the URL's host, as with curl. Raises ValueError with a message that shows what would be
    right."""
    words = text.split()
    if not 1 <= len(words) <= 2:
        raise ValueError(f"{text!r} is not a request; write it like 'GET http://webserver/path'")
    method, url = words if len(words) == 2 else ("GET", words[0])
    if not _TOKEN.fullmatch(method):
        raise ValueError(f"{method!r} is not a method; write the request like 'GET http://webserver/path'")
    scheme, authority, target = _parts(url)
    lines = [_header(line) for line in headers]
    host = next((value for name, value in lines if name == b"host"), authority)
    others: Headers = [pair for pair in lines if pair[0] != b"host"]
    return Request(method.encode(), target, host, [(b"host", host), *others], scheme.encode(), id=_ID)


def _parts(url: str) -> tuple[str, bytes, bytes]:
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "http", url
    if scheme not in ("http", "https"):
        raise ValueError(f"{scheme}:// is not served; write the URL like http://webserver/path")
    at = min((place for mark in "/?" if (place := rest.find(mark)) >= 0), default=len(rest))
    authority, target = rest[:at], rest[at:]
    if not authority:
        raise ValueError(f"{url!r} has no host; write the URL like http://webserver/path")
    if not target.startswith("/"):
        target = "/" + target
    return scheme, authority.encode(), target.encode()


def _header(line: str) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(":")
    if not colon or not _TOKEN.fullmatch(name.strip()):
        raise ValueError(f"{line!r} is not a header; write it like 'end-user: jason'")
    return name.strip().lower().encode(), value.strip().encode()
