"""A gateway on paper: what clients and counters would report, second by second, for dice of any kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chaos.protocol.digest import Digest, Key

Array = np.ndarray[Any, Any]


@dataclass
class SimulatedGateway:
    """One rule, one task, `connections` users in a closed model. Every argument may be wrong on purpose.

    `abort` and `delay` give the share at a second; `hide` is the share of aborts that never reach a client as such.
    Clients leave after `patience` seconds; `losing` is the share of responses that the gateway loses without a word,
    `broken` the share of what it forwards that ends with 503 and Envoy's response flag `flag`. `coupled`: what is
    aborted is delayed, and nothing else is. `short`: so many of the delays are half as long. `upstream` gives the
    latencies of n requests that nothing delays; without one they are around `slowness`."""

    abort: Callable[[int], float] = lambda second: 0.0
    delay: Callable[[int], float] = lambda second: 0.0
    status: int = 400
    added: float = 5.0
    jitter: float = 0.0
    short: float = 0.0
    destinations: dict[str, float] = field(default_factory=lambda: {"web:80": 1.0})
    hide: float = 0.0
    losing: float = 0.0
    broken: float = 0.0
    flag: str = "UF"
    coupled: bool = False
    per_connection: bool = False
    twice: bool = False
    failing: float = 0.0
    attempts: int = 0
    rule: str = "virtualservice/default/web/0"
    name: str = "web[0]"
    task: str = "GET /"
    phase: str = ""
    seed: int = 1
    connections: int = 20
    slowness: float = 0.002
    upstream: Callable[[np.random.Generator, int], Array] | None = None
    tagged: bool = True
    patience: float | None = None

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.counts: dict[str, Any] = {
            "requests": 0, "faults": {}, "forwarded": 0, "mirrored": 0, "destinations": {},
            "statuses": {}, "upstream_requests": 0, "upstream_failures": 0, "upstream_statuses": {}, "tries": {},
            "left": {}, "left_to": {}, "mirrors": {}, "failures": {}, "answered": 0, "delay_seconds": 0.0,
        }  # fmt: skip
        self.constant = self.random.random(self.connections)

    @property
    def counters(self) -> dict[str, Any]:
        return {"phases": {self.phase: {self.rule: self.counts}}, "unmatched": 0}

    def seconds(self, count: int, rate: int) -> Iterator[Digest]:
        """`count` digests of about `rate` requests each."""
        for second in range(count):
            yield self.second(second, rate)

    def second(self, second: int, rate: int) -> Digest:
        digest = Digest()
        each = max(1, rate // self.connections)
        for connection in range(self.connections):
            self._connection(digest, second, connection, each)
        return digest

    def _connection(self, digest: Digest, second: int, connection: int, n: int) -> None:
        aborted = self._draw(self.abort(second), connection, n)
        delayed = aborted if self.coupled else self._draw(self.delay(second), connection, n)
        labels = list(self.destinations)
        chosen = self.random.choice(len(labels), n, p=list(self.destinations.values()))
        tries = self._tries(n)
        hidden = self.random.random(n) < self.hide
        broken = self.random.random(n) < self.broken if self.broken else np.zeros(n, bool)
        latency = self._upstream(n) + delayed * self._added(n)
        before: Key | None = None
        pairs = Counter[tuple[Key, Key]]()
        for i in range(n):
            left = self.patience is not None and latency[i] > self.patience
            self._count(bool(aborted[i]), bool(delayed[i]), labels[chosen[i]], int(tries[i]), left, bool(broken[i]))
            if left or (self.losing and self.random.random() < self.losing):
                digest.add(Key(self.phase, self.task, "", "", 0, error="timeout" if left else "reset"), 1)
                before = None
                continue
            key = self._key(bool(aborted[i]), bool(delayed[i]), labels[chosen[i]], int(tries[i]), bool(hidden[i]))
            if broken[i] and not aborted[i]:
                key = key._replace(status=503)
            digest.add(key, int(latency[i] * 1e6))
            if before is not None:
                pairs[before, key] += 1
            before = key
        for (earlier, later), count in pairs.items():
            digest.add_pairs(earlier, later, count)

    def _upstream(self, n: int) -> Array:
        if self.upstream is not None:
            return self.upstream(self.random, n)
        return self.random.lognormal(0, 0.5, n) * self.slowness

    def _added(self, n: int) -> Array:
        added = self.added + self.jitter * (2 * self.random.random(n) - 1)
        return np.where(self.random.random(n) < self.short, added / 2, added) if self.short else added

    def _draw(self, share: float, connection: int, n: int) -> Array:
        if self.per_connection:
            return np.full(n, self.constant[connection] < share)
        drawn = self.random.random(n) < share
        return drawn | (self.random.random(n) < share) if self.twice else drawn

    def _tries(self, n: int) -> Array:
        """How many tries each request takes: positive when it succeeds at last, negative when it does not."""
        tries = np.ones(n, int)
        failed = self.random.random(n) < self.failing
        for _ in range(self.attempts):
            tries[failed] += 1
            failed = failed & (self.random.random(n) < self.failing)
        return np.where(failed, -tries, tries)

    def _key(self, aborted: bool, delayed: bool, label: str, tries: int, hidden: bool) -> Key:
        shown = aborted and not hidden
        fault = _fault(aborted, delayed)
        status = self.status if shown else 500 if tries < 0 and not aborted else 200
        if not self.tagged:
            return Key(self.phase, self.task, "", "", status, "abort" if shown else "", 1)
        return Key(self.phase, self.task, self.name, "" if aborted else label, status, fault, abs(tries))

    def _count(self, aborted: bool, delayed: bool, label: str, tries: int, left: bool, broken: bool) -> None:
        counts = self.counts
        counts["requests"] += 1
        fault = _fault(aborted, delayed)
        if fault:
            counts["faults"][fault] = counts["faults"].get(fault, 0) + 1
        status = str(self.status if aborted else 503 if broken else 500 if tries < 0 else 200)
        if left:
            status = "0"
            counts["left"][fault] = counts["left"].get(fault, 0) + 1
            if not aborted:
                counts["left_to"][label] = counts["left_to"].get(label, 0) + 1
        counts["statuses"][status] = counts["statuses"].get(status, 0) + 1
        if not aborted:
            counts["forwarded"] += 1
            counts["destinations"][label] = counts["destinations"].get(label, 0) + 1
            counts["tries"][str(abs(tries))] = counts["tries"].get(str(abs(tries)), 0) + 1
            counts["upstream_requests"] += abs(tries)
            counts["upstream_failures"] += abs(tries) - (tries > 0)
            if broken and not left:
                counts["failures"][self.flag] = counts["failures"].get(self.flag, 0) + 1
            counts["answered"] += not (broken or left)


def _fault(aborted: bool, delayed: bool) -> str:
    return ",".join(word for word, on in (("delay", delayed), ("abort", aborted)) if on)
