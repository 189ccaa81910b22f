"""Which id a request carries, which task it performs, and whether it is sampled: functions of the seed and its number.

The gateway's draws are keyed by x-request-id, so the n-th request of a run meets the same fate whenever the run is
repeated, however many users, processes or connections carry it. An id is written as a UUID (version 4, as Envoy makes
them).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from hashlib import blake2b
from itertools import accumulate

_VARIANT = "89ab"  # RFC 9562: the two bits that say how a UUID is laid out


class Identities:
    """The requests of one run. One hash gives a request's id and, from other bits of it, the draw for its task."""

    __slots__ = ("_start",)

    def __init__(self, seed: int):
        self._start = blake2b(b"chaos request %d " % seed, digest_size=24)

    def __call__(self, number: int) -> tuple[str, float]:
        """The id of a request and a draw in [0, 1) for its task."""
        state = self._start.copy()
        state.update(b"%d" % number)
        text = state.hexdigest()
        variant = _VARIANT[int(text[16], 16) & 3]
        request = f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"
        return request, int(text[32:45], 16) * 2.0**-52


def shares_of(weights: Iterable[float]) -> tuple[float, ...]:
    """Running sums of the tasks' weights, the last one 1.0."""
    running = list(accumulate(weights))
    return tuple(each / running[-1] for each in running)


def task_of(shares: tuple[float, ...], draw: float) -> int:
    """The index of the task that a draw falls on."""
    return bisect_right(shares, draw)


def request_id(seed: int, number: int) -> str:
    """The id of one request of a run."""
    return Identities(seed)(number)[0]


def first_ids(seed: int, count: int) -> list[str]:
    """The ids of the first `count` requests of a run."""
    identify = Identities(seed)
    return [identify(number)[0] for number in range(count)]


def sampled(request: str, share: float) -> bool:
    """Whether a request is among the `share` (0..1) that is looked at one by one; larger shares contain the smaller."""
    return request[:8] < sample_bound(share)


def sample_bound(share: float) -> str:
    """Ids whose first eight digits sort below this are sampled."""
    return f"{int(share * 2**32):08x}" if share < 1 else "g"
