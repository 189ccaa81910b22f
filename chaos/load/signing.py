"""Sign the messages between a load and its workers: HMAC-SHA256 under keys that both make of the token and of a number
of each that is used once. Knows no socket.

A worker greets with its own number and shows that it has the token; the load answers with a number of its own and shows
the same. Each direction has a key, and each message a counter that grows, so nothing of another run, of another worker,
of the other direction or of earlier in this one is taken. Nothing is encrypted."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence

HELLO, WELCOME, REFUSED, SIGNED = b"chaos-1 hello", b"chaos-1 welcome", b"chaos-1 token", b"chaos-1"
NONCE = 32  # bytes
_COUNTER = 8  # bytes


class Unsigned(ValueError):  # noqa: N818 - named for what it is
    """A message that must not be taken; says why in a word."""


def digest(key: bytes, *parts: bytes) -> bytes:
    """Return the HMAC of parts, each with its length before it."""
    made = hmac.new(key, digestmod="sha256")
    for part in parts:
        made.update(len(part).to_bytes(8, "big"))
        made.update(part)
    return made.digest()


class Outgoing:
    """Signs the messages of one direction."""

    __slots__ = ("_count", "_key")

    def __init__(self, key: bytes):
        self._key, self._count = key, 0

    def sign(self, body: bytes) -> list[bytes]:
        """Return the frames of the next message."""
        self._count += 1
        counter = self._count.to_bytes(_COUNTER, "big")
        return [SIGNED, counter, body, digest(self._key, counter, body)]


class Incoming:
    """Checks the messages of one direction. `last` is the counter of the last that was taken."""

    __slots__ = ("_key", "last")

    def __init__(self, key: bytes):
        self._key, self.last = key, 0

    def check(self, frames: Sequence[bytes]) -> bytes:
        """Return the body of a message. Raises Unsigned."""
        if len(frames) != 4 or frames[0] != SIGNED or len(frames[1]) != _COUNTER:
            raise Unsigned("unsigned")
        _, counter, body, signature = frames
        if not hmac.compare_digest(signature, digest(self._key, counter, body)):
            raise Unsigned("wrongly signed")
        number = int.from_bytes(counter, "big")
        if number <= self.last:
            raise Unsigned("repeated")
        self.last = number
        return body


class Pairing:
    """What a load and one worker of it have agreed upon."""

    __slots__ = ("down", "greeting", "proven", "reply", "up")

    def __init__(self, token: bytes, identity: bytes, theirs: bytes, ours: bytes):
        self.greeting, self.reply = theirs, [WELCOME, ours, digest(token, WELCOME, identity, theirs, ours)]
        self.up = digest(token, b"to the load", identity, theirs, ours)
        self.down = digest(token, b"to the worker", identity, theirs, ours)
        self.proven = False


def greeting(token: bytes, identity: bytes, nonce: bytes) -> list[bytes]:
    """Return the frames with which a worker begins."""
    return [HELLO, nonce, digest(token, HELLO, identity, nonce)]


def greeted(token: bytes, identity: bytes, frames: Sequence[bytes]) -> Pairing | None:
    """Return the load's side of a greeting; None if its token is another. Raises Unsigned for what is none."""
    if len(frames) != 3 or frames[0] != HELLO or len(frames[1]) != NONCE:
        raise Unsigned("unsigned")
    if not hmac.compare_digest(frames[2], digest(token, HELLO, identity, frames[1])):
        return None
    return Pairing(token, identity, frames[1], secrets.token_bytes(NONCE))


def welcomed(token: bytes, identity: bytes, nonce: bytes, frames: Sequence[bytes]) -> Pairing | None:
    """Return the worker's side of the load's answer to its greeting; None if its token is another. Raises Unsigned for
    what is no answer."""
    if list(frames) == [REFUSED]:
        return None
    if len(frames) != 3 or frames[0] != WELCOME or len(frames[1]) != NONCE:
        raise Unsigned("unsigned")
    pairing = Pairing(token, identity, nonce, frames[1])
    return pairing if hmac.compare_digest(frames[2], pairing.reply[2]) else None
