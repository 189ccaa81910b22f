"""Functions of the seed and a request's number: its id, its task, its row of a feeder, and whether it is sampled.

The gateway's draws are keyed by x-request-id, so the n-th request of a run gets the same faults whenever the run is
repeated, however many users, processes or connections carry it. An id is written as a UUID (version 4, as Envoy makes
them)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from hashlib import blake2b
from itertools import accumulate

_VARIANT = "89ab"  # RFC 9562: the digits whose first two bits are a UUID's variant


class Identities:
    """The requests of one run. One hash gives a request's id and, from other bits, the draw for its task."""

    __slots__ = ("_start",)

    def __init__(self, seed: int):
        self._start = blake2b(b"chaos request %d " % seed, digest_size=24)

    def __call__(self, number: int) -> tuple[str, float]:
        """Return the id of a request and a draw in [0, 1) for its task."""
        state = self._start.copy()
        state.update(b"%d" % number)
        text = state.hexdigest()
        variant = _VARIANT[int(text[16], 16) & 3]
        request = f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"
        return request, int(text[32:45], 16) * 2.0**-52


def shares_of(weights: Iterable[float]) -> tuple[float, ...]:
    """Return the running sums of the tasks' weights, scaled so that the last is 1.0."""
    running = list(accumulate(weights))
    return tuple(each / running[-1] for each in running)


def task_of(shares: tuple[float, ...], draw: float) -> int:
    """Return the index of the task that a draw falls on."""
    return bisect_right(shares, draw)


def row_of(order: str, rows: int, number: int, request: str) -> int:
    """Return the index of the row that a request takes: `sequential` by its number, else by digits of its id that
    decide nothing else here."""
    return number % rows if order == "sequential" else int(request[-12:], 16) % rows


def request_id(seed: int, number: int) -> str:
    """Return the id of one request of a run."""
    return Identities(seed)(number)[0]


def sampled(request: str, share: float) -> bool:
    """Return whether a request is among the `share` (0..1) that is sampled; larger shares contain the smaller."""
    return request[:8] < sample_bound(share)


def sample_bound(share: float) -> str:
    """Return a bound: ids whose first eight digits sort below it are sampled."""
    return f"{int(share * 2**32):08x}" if share < 1 else "g"
