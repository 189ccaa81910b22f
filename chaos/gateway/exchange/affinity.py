"""The cookies that keep a client with its endpoint (consistentHash.httpCookie with a ttl)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from chaos.gateway.upstream.balancer import cookie_of
from chaos.mesh.decision import HashKey, Request


@dataclass(slots=True, frozen=True)
class NewCookies:
    """Cookies that this request's response sets."""

    request: Request  # with the cookies added, for consistent hashing
    lines: bytes  # the response's set-cookie


def new_cookies(request: Request, keys: Iterable[HashKey], connection: asyncio.BaseTransport) -> NewCookies | None:
    """Return cookies for a client that came without them; None if it has all, or if no key is a cookie with a ttl.

    Their value follows from the client's connection, so that its further requests are given the same."""
    lines, headers = b"", request.headers
    for key in keys:
        if key.cookie is not None and key.cookie_ttl is not None and not cookie_of(headers, key.cookie):
            value = _value_for(connection)
            headers = [*headers, (b"cookie", key.cookie + b"=" + value)]
            lines += _line(key.cookie, value, key)
    return NewCookies(replace(request, headers=headers), lines) if lines else None


def _value_for(connection: asyncio.BaseTransport) -> bytes:
    ends = (connection.get_extra_info("peername"), connection.get_extra_info("sockname"))
    return hashlib.blake2b(repr(ends).encode(), digest_size=8).hexdigest().encode()


def _line(name: bytes, value: bytes, key: HashKey) -> bytes:
    """Return the header line (Envoy's makeSetCookieValue)."""
    parts = [b'%b="%b"' % (name, value)]
    if key.cookie_ttl:
        parts.append(b"Max-Age=%d" % key.cookie_ttl)
    if key.cookie_path:
        parts.append(b"Path=" + key.cookie_path)
    parts += [b"%b=%b" % each if each[1] else each[0] for each in key.cookie_attributes]
    return b"set-cookie: %b; HttpOnly\r\n" % b"; ".join(parts)
