"""Which id a request carries, and which requests are sampled: functions of the seed and the request's number in the
run.

The gateway's draws are keyed by x-request-id, so the n-th request of a run meets the same fate whenever the run is
repeated, however many users, processes or connections carry it. An id is written as a UUID (version 4, as Envoy makes
them).
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice


def request_ids(seed: int, first: int = 0, step: int = 1) -> Iterator[str]:
    """The ids of the requests `first`, `first + step`, ...: one process of `step` takes every step-th."""
    for number in _numbers(first, step):
        yield request_id(seed, number)


def request_id(seed: int, number: int) -> str:
    """The id of one request."""
    text = blake2b(b"%d" % number, key=_key(seed), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:]}"


def task_draw(seed: int, number: int) -> float:
    """In [0, 1): which task a request performs, independent of its id's draws at the gateway."""
    return int.from_bytes(blake2b(b"task %d" % number, key=_key(seed), digest_size=7).digest(), "big") / 2**56


def sampled(request: str, share: float) -> bool:
    """Whether a request is among the `share` (0..1) that is looked at one by one; larger shares contain the smaller
    ones."""
    try:
        return int(request[:8], 16) < share * 2**32
    except ValueError:  # not one of our ids
        return False


def first_ids(seed: int, count: int) -> list[str]:
    """The ids of the first `count` requests of a run."""
    return list(islice(request_ids(seed), count))


def _key(seed: int) -> bytes:
    return b"chaos request %d" % seed


def _numbers(first: int, step: int) -> Iterator[int]:
    while True:
        yield first
        first += step
