"""The numbers in [0, 1) that decide one request, computed from its id and the run's seed by a keyed hash.

One BLAKE2b of the id under the seed's key gives four independent 64-bit words: delay, abort, split and the first
mirror; a further mirror or kind of fault has a hash of its own. So the draws do not depend on the order of arrival, on
concurrency or on the number of workers, and the same seed and ids repeat a run exactly. Nothing is hashed for a request
whose rule draws nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from struct import Struct

from chaos.faults import FaultKind

_FOUR_WORDS: Callable[[bytes], tuple[int, int, int, int]] = Struct("<4Q").unpack
DELAY, ABORT = FaultKind.DELAY, FaultKind.ABORT  # an enum's own lookup is slow, and this is done for each request
_SCALE = 2.0**-53  # 53 of the 64 bits are used: as many as a float holds exactly


class KeyedDraws:
    """The draws of one request. The hash is computed when the first number is read."""

    __slots__ = ("_id", "_keyed", "_words")

    def __init__(self, keyed: Callable[[], blake2b], request_id: bytes):
        self._keyed = keyed
        self._id = request_id
        self._words: tuple[int, int, int, int] | None = None

    def _hash(self) -> tuple[int, int, int, int]:
        state = self._keyed()
        state.update(self._id)
        self._words = words = _FOUR_WORDS(state.digest())
        return words

    def fault(self, kind: FaultKind) -> float:
        """Return the draw for a kind of fault."""
        if kind is DELAY:
            return ((self._words or self._hash())[0] >> 11) * _SCALE
        if kind is ABORT:
            return ((self._words or self._hash())[1] >> 11) * _SCALE
        return self._apart(b"fault %b " % kind.encode())

    def apart(self, purpose: str) -> float:
        """Return the draw for a purpose of one's own."""
        return self._apart(b"for %b " % purpose.encode())

    @property
    def split(self) -> float:
        return ((self._words or self._hash())[2] >> 11) * _SCALE

    def mirror(self, index: int) -> float:
        """Return the draw for the index-th mirror of a rule, from 0."""
        if index == 0:
            return ((self._words or self._hash())[3] >> 11) * _SCALE
        return self._apart(b"mirror %d " % index)

    def _apart(self, purpose: bytes) -> float:
        """Return a draw from a hash of its own: the four words are taken, and a longer digest would change them."""
        state = self._keyed()
        state.update(purpose + self._id)
        return (_FOUR_WORDS(state.digest())[0] >> 11) * _SCALE


def keyed_draws(seed: int | str) -> Callable[[bytes], KeyedDraws]:
    """Return a function from a request id to its draws. A number and its text are the same seed."""
    key = blake2b(str(seed).encode(), digest_size=32).digest()
    keyed = blake2b(key=key, digest_size=32).copy

    def draws(request_id: bytes) -> KeyedDraws:
        return KeyedDraws(keyed, request_id)

    return draws


@dataclass(frozen=True, slots=True)
class FixedDraws:
    """Draws given by hand: for tests, and for explaining what would happen. `others` are those of further kinds of
    fault, by name."""

    delay: float = 0.0
    abort: float = 0.0
    split: float = 0.0
    mirrors: tuple[float, ...] = field(default=())
    others: Mapping[str, float] = field(default_factory=dict)

    def fault(self, kind: FaultKind) -> float:
        """Return the draw for a kind of fault, 0.0 if none is given."""
        given: float = getattr(self, kind, 0.0)
        return self.others.get(kind, given)

    def mirror(self, index: int) -> float:
        return self.mirrors[index] if index < len(self.mirrors) else 0.0

    def apart(self, purpose: str) -> float:
        return self.others.get(purpose, 0.0)
