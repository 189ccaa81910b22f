"""The observed ledger: what the load saw, as counts and latencies by outcome.

Digests are described by protocols, wherever they come from, and added up as they arrive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from chaos.claims.finding import Tally
from chaos.protocol.digest import PENDING, Key
from chaos.protocol.parts import Parts
from chaos.verify.mixture import Delayed
from chaos.verify.quantile import Sample


class Outcome(Protocol):
    """One kind of response, the key of a digest's entry (docs/protocol.md). `status` is 0 without a response."""

    @property
    def phase(self) -> str: ...
    @property
    def task(self) -> str: ...
    @property
    def route(self) -> str: ...
    @property
    def destination(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def fault(self) -> str: ...
    @property
    def attempts(self) -> int: ...
    @property
    def error(self) -> str: ...
    @property
    def check(self) -> str: ...
    @property
    def policy(self) -> str: ...


class Latencies(Protocol):
    """A histogram. `buckets` yields ascending (from, to, count), in seconds."""

    def buckets(self) -> Iterable[tuple[float, float, int]]: ...


class Measured(Protocol):
    @property
    def count(self) -> int: ...
    @property
    def latency(self) -> Latencies: ...


class PairKey(Protocol):
    """The key of pairs of consecutive requests on a connection; `kind` is delay or abort."""

    @property
    def phase(self) -> str: ...
    @property
    def task(self) -> str: ...
    @property
    def route(self) -> str: ...
    @property
    def kind(self) -> str: ...


class Observations(Protocol):
    """A digest: outcomes, pairs as [clean-clean, clean-faulted, faulted-clean, faulted-faulted], counts by part, and by
    how much the number of requests in flight has grown, per phase and task."""

    def items(self) -> Iterable[tuple[Outcome, Measured]]: ...
    @property
    def pairs(self) -> Mapping[Any, Sequence[int]]: ...
    @property
    def parts(self) -> Parts: ...
    @property
    def pending(self) -> Mapping[tuple[str, str], int]: ...


EARLY = "early"
"""What is added to the fault of responses that are tagged as delayed and came before their delay can have been over."""

Bucket = tuple[float, float, int]
Earliest = Callable[[Outcome], float]
"""Returns how many seconds a response of an outcome takes at least if its tags are true, 0.0 where nothing is known."""

Classify = Callable[[Outcome], bool | None]
"""Returns whether an outcome satisfies the claim; None if the claim does not apply to it."""


@dataclass(slots=True)
class Seen:
    """One outcome's count and latency buckets so far."""

    count: int = 0
    buckets: dict[tuple[float, float], int] = field(default_factory=dict)


class Observed:
    """The sum of all digests so far, and the number of requests per outcome in each stretch of time. Requests that are
    in flight have an outcome in the stretches alone, with the error PENDING, and a negative number when they have
    ended; `pending` are those that still are, by phase and task. `held` responses have come as well, and are in no
    digest yet. `medians` are the latencies of the responses of each stretch.

    Responses that came before `earliest` have an outcome of their own, with EARLY in its fault."""

    def __init__(self, earliest: Earliest = lambda _: 0.0) -> None:
        self._earliest = earliest
        self._limits: dict[Outcome, float] = {}
        self.held: Mapping[tuple[str, str], int] = {}
        self.outcomes: dict[Outcome, Seen] = {}
        self.pending: Counter[tuple[str, str]] = Counter()
        self.pairs: dict[PairKey, list[int]] = {}
        self.parts = Parts()
        self.stretches: list[list[tuple[Outcome, int]]] = []
        self.medians: list[dict[Outcome, float]] = []
        self.ends: list[float] = []

    def add(self, digest: Observations, seconds: float = 1.0) -> None:
        """Add the digest of one more stretch of the run, so many seconds long."""
        stretch: list[tuple[Outcome, int]] = []
        medians: dict[Outcome, float] = {}
        for told, measured in digest.items():
            for outcome, more, buckets in self._by_time(told, measured):
                seen = self.outcomes.setdefault(outcome, Seen())
                seen.count += more
                for low, high, count in buckets:
                    seen.buckets[low, high] = seen.buckets.get((low, high), 0) + count
                stretch.append((outcome, more))
                if outcome.status:
                    medians[outcome] = _median(buckets, more)
        for pair, cells in digest.pairs.items():
            mine = self.pairs.setdefault(pair, [0, 0, 0, 0])
            mine[:] = [a + b for a, b in zip(mine, cells, strict=True)]
        self.parts.merge(digest.parts)
        self.pending.update(digest.pending)
        stretch += [
            (Key(phase, task, "", "", 0, error=PENDING), more) for (phase, task), more in digest.pending.items()
        ]
        self.stretches.append(stretch)
        self.medians.append(medians)
        self.ends.append(self.ends[-1] + seconds if self.ends else seconds)

    def _by_time(self, outcome: Outcome, measured: Measured) -> Iterator[tuple[Outcome, int, Iterable[Bucket]]]:
        """Yield an outcome's responses with their number and latencies, the early ones by themselves."""
        limit = self._limits.get(outcome)
        if limit is None:
            limit = self._limits[outcome] = self._earliest(outcome)
        buckets = list(measured.latency.buckets())
        early = [bucket for bucket in buckets if bucket[1] <= limit]
        before = sum(count for _, _, count in early)
        if before:
            yield _early(outcome), before, early
        if before < measured.count:
            yield outcome, measured.count - before, buckets[len(early) :]

    def __iter__(self) -> Iterator[tuple[Outcome, int]]:
        return ((outcome, seen.count) for outcome, seen in self.outcomes.items())

    @property
    def count(self) -> int:
        return sum(seen.count for seen in self.outcomes.values())

    def tally(self, classify: Classify) -> Tally:
        """Count the outcomes that satisfy the claim (k) among those it applies to (n)."""
        return tally_of(self, classify)

    def moment(self, stretches: int) -> float:
        """Return the end of the first so many stretches, in seconds since the beginning."""
        return self.ends[stretches - 1] if stretches else 0.0

    def sample(self, chosen: Callable[[Outcome], bool]) -> Sample:
        """Return the latencies of the chosen outcomes together."""
        merged: dict[tuple[float, float], int] = {}
        for outcome, seen in self.outcomes.items():
            if chosen(outcome):
                for edges, count in seen.buckets.items():
                    merged[edges] = merged.get(edges, 0) + count
        return Sample((low, high, count) for (low, high), count in sorted(merged.items()))

    def neighbours(self, chosen: Callable[[PairKey], bool]) -> list[int]:
        """Return the four counts of the chosen pairs, added up."""
        cells = [0, 0, 0, 0]
        for pair, counts in self.pairs.items():
            if chosen(pair):
                cells = [a + b for a, b in zip(cells, counts, strict=True)]
        return cells


@dataclass(frozen=True, slots=True)
class Pace:
    """How quick everything was in one stretch of a run, by when its requests were sent: the `end` in seconds, how many
    requests were delayed, and how long the median undelayed one took, None if there were too few."""

    end: float
    late: int
    typical: float | None


class Running:
    """One claim's counts, stretch by stretch. Each outcome is classified once and each stretch counted once, so that
    judging often costs little, late in a long run as well.

    `series` has (k, n) of each stretch, `lost` the number of its requests that had no response and so no class; one
    that comes late takes its number back in the stretch in which it came.
    `lost_tasks` has their numbers by task; of some it is unknown (`ANY_TASK`). The first `looked` stretches are known
    to hold no drift. `delayed` is how many latencies were looked at last, and which shares of delayed ones they
    allow. `paces` are the stretches by how quick everything was, of the group of outcomes named first."""

    __slots__ = ("_classify", "_known", "_loses", "delayed", "looked", "lost", "lost_tasks", "paces", "series")

    def __init__(self, classify: Classify, loses: Callable[[Outcome], bool]):
        self.series: list[tuple[int, int]] = []
        self.lost: list[int] = []
        self.lost_tasks: Counter[str] = Counter()
        self.delayed: tuple[int, Delayed] | None = None
        self.looked = 0
        self.paces: tuple[object, list[Pace]] = None, []
        self._classify = classify
        self._loses = loses
        self._known: dict[Outcome, tuple[bool | None, bool]] = {}

    def follow(self, observed: Observed) -> Tally:
        """Count the new stretches, and return k of n of all."""
        for stretch in observed.stretches[len(self.series) :]:
            k = n = lost = 0
            for outcome, count in stretch:
                has, is_lost = self._look_at(outcome)
                if is_lost:
                    lost += count
                    self.lost_tasks[outcome.task] += count
                n += count if has is not None else 0
                k += count if has else 0
            self.series.append((k, n))
            self.lost.append(lost)
        return Tally(sum(k for k, _ in self.series), sum(n for _, n in self.series))

    def _look_at(self, outcome: Outcome) -> tuple[bool | None, bool]:
        found = self._known.get(outcome)
        if found is None:
            found = self._known[outcome] = self._classify(outcome), self._loses(outcome)
        return found


def _median(buckets: Iterable[Bucket], count: int) -> float:
    """Return the middle of the bucket with the median of `count` latencies."""
    left = count / 2
    for low, high, number in buckets:
        left -= number
        if left <= 0:
            return (low + high) / 2
    return 0.0


def _early(outcome: Outcome) -> Key:
    """Return an outcome of early responses."""
    return Key(
        outcome.phase,
        outcome.task,
        outcome.route,
        outcome.destination,
        outcome.status,
        f"{outcome.fault},{EARLY}",
        outcome.attempts,
        check=outcome.check,
        policy=outcome.policy,
    )


def tally_of(outcomes: Iterable[tuple[Outcome, int]], classify: Classify) -> Tally:
    """Return how many of the outcomes' requests satisfy a claim, of those that it applies to."""
    k = n = 0
    for outcome, count in outcomes:
        verdict = classify(outcome)
        if verdict is not None:
            n += count
            k += count if verdict else 0
    return Tally(k, n)
