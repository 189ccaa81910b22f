"""How often the guards of a share suspect right gateways, and how soon they find wrong ones, by simulation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from math import inf, log
from typing import Any

import numpy as np

from benchmarks.row import Row
from chaos.claims.evidence import GUARD
from chaos.load.recent import Recent
from chaos.load.recorder import Outcome
from chaos.protocol.digest import Key
from chaos.protocol.parts import BLOCK, RECENT, Axis, Parts, Turn
from chaos.verify.homogeneity import (
    Range,
    coupled,
    each_own,
    evened,
    log_mean,
    odd_one_out,
    regular,
    successive,
    unequal,
)

Hits = np.ndarray[Any, Any]
ALPHA = 0.01
OWN = 0.008 * GUARD
"""The alpha of a guard of a share in a run with one rule, at 99 %."""
USERS, TASKS, LONGEST, LOOK = 20, 3, 30_000, 500
HALF = Range(0.48, 0.52)
HIT, MISS = Outcome(Key("", "", "", "", 503, "abort")), Outcome(Key("", "", "", "web", 200))


def users(hits: Hits) -> float:
    """The evidence of `unlike_users`, requests taking turns on the users."""
    parts = [(int(hits[i::USERS].sum()), hits[i::USERS].size) for i in range(USERS)]
    return log_mean([unequal(Counter(parts), HALF), odd_one_out(parts, HALF)[0]])


def tasks(hits: Hits) -> float:
    """The evidence of `odd_task`."""
    parts = [(int(hits[i::TASKS].sum()), hits[i::TASKS].size) for i in range(TASKS)]
    return log_mean([odd_one_out(parts, HALF)[0], each_own(parts, HALF)])


class Followed:
    """What follows few hits and many, as the load counts it, requests taking turns on the streams; a longer look at the
    same requests goes on from the last."""

    def __init__(self, axis: Axis, streams: int):
        self._axis, self._streams = axis, streams
        self._of: Hits | None = None

    def __call__(self, hits: Hits) -> dict[int, list[int]]:
        if hits.base is not self._of:
            self._of, self._parts, self._recent, self._done = hits.base, Parts(), Recent(self._axis), 0
        told = hits[self._done :]
        for stream in range(self._streams):
            mine = told[(stream - self._done) % self._streams :: self._streams]
            self._recent.add(self._parts, [HIT if hit else MISS for hit in mine], stream)
        self._done = hits.size
        return self._parts.levels.get(Turn(self._axis, "", "", "abort"), {})


in_all, on_each = Followed("sent", 1), Followed("connection", USERS)


def order(hits: Hits) -> float:
    """The evidence of `in_order`."""
    whole = hits[: hits.size // BLOCK * BLOCK]
    if not whole.size:
        return 0.0
    blocks = Counter((int(k), BLOCK) for k in whole.reshape(-1, BLOCK).sum(axis=1))
    before, after = whole[:-1], whole[1:]
    cells = [int(((before == a) & (after == b)).sum()) for a in (0, 1) for b in (0, 1)]
    counted = [unequal(blocks, HALF), regular(blocks, HALF), successive(cells, HALF)]
    return log_mean([*counted, *(evened(each(whole), RECENT, HALF) for each in (in_all, on_each))])


def both(hits: Hits) -> float:
    """The evidence of `coupling`, with a row for each of the two faults."""
    first, second = hits
    cells = [int(((first == a) & (second == b)).sum()) for a in (0, 1) for b in (0, 1)]
    return coupled(cells, HALF, HALF)


def on_right_gateways(runs: int = 1000) -> Iterator[Row]:
    """The guards of homogeneity, on gateways that are right, looked at twenty times each. Wrong is a suspicion."""
    random = np.random.default_rng(17)
    guards: dict[str, Callable[[Hits], float]] = {"users": users, "tasks": tasks, "order": order, "coupled": both}
    for name, evidence in guards.items():
        for share in (0.5, 0.52):
            wrong = 0
            for _ in range(runs):
                hits = random.random((2, 10_000) if evidence is both else 10_000) < share
                wrong += any(evidence(hits[..., :n]) >= -log(ALPHA) for n in range(500, 10_001, 500))
            edge = "on the edge of the tolerance" if share > 0.5 else ""
            yield Row(f"{name}, {share * 100:g} % aborted", runs, wrong, ALPHA, edge)


def dealt(random: np.random.Generator, hits: int, size: int) -> Hits:
    return np.concatenate([random.permutation(size) < hits for _ in range(LONGEST // size + 1)])[:LONGEST]


def dealt_each(random: np.random.Generator, hits: int, size: int) -> Hits:
    return np.stack([dealt(random, hits, size)[: LONGEST // USERS] for _ in range(USERS)], axis=1).reshape(-1)


def bursts(random: np.random.Generator, mean: float) -> Hits:
    return np.cumsum(random.random(LONGEST) < 1 / mean) % 2 == 1


def by_user(random: np.random.Generator, shares: Hits) -> Hits:
    return np.asarray(random.random(LONGEST) < np.resize(shares, LONGEST))


Wrong = Callable[[np.random.Generator], Hits]
WRONG: list[tuple[str, Callable[[Hits], float], Wrong]] = [
    ("40 and 60 % by connection", users, lambda r: by_user(r, np.array([0.4, 0.6]))),
    ("50 ± 10 % by connection", users, lambda r: by_user(r, r.uniform(0.4, 0.6, USERS))),
    ("one connection of 20 always", users, lambda r: by_user(r, np.array([1.0] + [0.475] * 19))),
    ("44 % on one task, 53 % on two", tasks, lambda r: by_user(r, np.array([0.44, 0.53, 0.53]))),
    ("one task of three only", tasks, lambda r: by_user(r, np.array([1.0, 0.25, 0.25]))),
    ("by turns", order, lambda r: np.resize([True, False], LONGEST)),
    ("50 of each 100, shuffled", order, lambda r: dealt(r, 50, 100)),
    ("100 of each 200, shuffled", order, lambda r: dealt(r, 100, 200)),
    ("5 of each 10, shuffled by connection", order, lambda r: dealt_each(r, 5, 10)),
    ("50 of each 100, shuffled by connection", order, lambda r: dealt_each(r, 50, 100)),
    ("40 by turns", order, lambda r: np.resize(np.repeat([True, False], 40), LONGEST)),
    ("bursts of 200", order, lambda r: bursts(r, 200)),
    ("bursts of 5", order, lambda r: bursts(r, 5)),
    ("both or neither", both, lambda r: np.resize(r.random(LONGEST) < 0.5, (2, LONGEST))),
    ("6 of 10 aborts delayed, 4 of 10 others", both, lambda r: _leaning(r)),
]


def _leaning(random: np.random.Generator) -> Hits:
    first = random.random(LONGEST) < 0.5
    return np.array([first, random.random(LONGEST) < np.where(first, 0.6, 0.4)])


def on_wrong_gateways(runs: int = 200) -> Iterator[Row]:
    """The guards, each with its part of alpha, on gateways that are right on average. Wrong: unsuspected in 30 000."""
    random = np.random.default_rng(18)
    for name, evidence, gateway in WRONG:
        found = sorted(_first(evidence, gateway(random)) for _ in range(runs))
        missed = sum(each == inf for each in found)
        half, most = found[runs // 2], found[runs * 9 // 10]
        yield Row(name, runs, missed, None, f"half by {half:,.0f} requests, nine in ten by {most:,.0f}")


def _first(evidence: Callable[[Hits], float], hits: Hits) -> float:
    """Return the number of requests at which a guard suspects; inf if it never does."""
    limit = -log(OWN)
    return next((n for n in range(LOOK, LONGEST + 1, LOOK) if evidence(hits[..., :n]) >= limit), inf)
