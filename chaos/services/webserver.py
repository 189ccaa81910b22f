"""The built-in `webserver`: answers with its name; `/failssometimes` answers 500 for a quarter of the requests.

Which requests fail is a keyed function of seed, x-request-id and attempt (x-envoy-attempt-count), so that attempts of
one request fail independently and a repeated run fails at the same places. Without an id it is pure chance."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable

from chaos.services.http import Request, Response

FAILURE_SHARE = 0.25
_FAILURE_BELOW = int(FAILURE_SHARE * 2**64)


def fails(key: bytes, request_id: bytes, attempt: bytes) -> bool:
    """Return whether this attempt of this request is one of the quarter that fails; `key` has 1 to 64 bytes."""
    digest = hashlib.blake2b(request_id + b"\0" + attempt, digest_size=8, key=key, person=b"failssometimes").digest()
    return int.from_bytes(digest, "big") < _FAILURE_BELOW


def webserver(name: str, version: str, seed: int, *, chance: random.Random) -> Callable[[Request], Response]:
    """Return the handler of one instance: `WebServer V1 from <name>`."""
    key = seed.to_bytes(8, "big")
    headers = ((b"content-type", b"text/plain; charset=utf-8"), (b"x-served-by", name.encode()))
    welcome = Response(200, f"WebServer {version.upper()} from {name}\n".encode(), headers)
    failure = Response(500, f"WebServer {version.upper()} from {name} failed, as it sometimes does\n".encode(), headers)

    def answer(request: Request) -> Response:
        if request.path != b"/failssometimes":
            return welcome
        request_id = request.headers.get(b"x-request-id") or chance.randbytes(16)
        attempt = request.headers.get(b"x-envoy-attempt-count", b"1")
        return failure if fails(key, request_id, attempt) else welcome

    return answer
