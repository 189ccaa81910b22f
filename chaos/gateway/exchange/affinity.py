"""The cookie that keeps a client with its endpoint (consistentHash.httpCookie with a ttl)."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from chaos.gateway.upstream.balancer import cookie_of
from chaos.mesh.decision import HashKey, Request


@dataclass(slots=True, frozen=True)
class NewCookie:
    """A cookie that this request's response sets."""

    request: Request  # with the cookie added, for consistent hashing
    line: bytes  # the response's set-cookie


def new_cookie(request: Request, key: HashKey) -> NewCookie | None:
    """Return a cookie for a client that came without one; None if it has one, or if the key is no cookie with a ttl."""
    if key.cookie is None or key.cookie_ttl is None or cookie_of(request, key.cookie) is not None:
        return None
    value = b"%016x" % random.getrandbits(64)
    headers = [*request.headers, (b"cookie", key.cookie + b"=" + value)]
    age = b"; Max-Age=%d" % key.cookie_ttl if key.cookie_ttl else b""
    path = b"; Path=" + key.cookie_path if key.cookie_path else b""
    line = b'set-cookie: %b="%b"%b%b; HttpOnly\r\n' % (key.cookie, value, age, path)
    return NewCookie(replace(request, headers=headers), line)
