"""What the load saw, as counts and latencies by outcome: the observed ledger.

The shape of a digest without knowing where it comes from; digests of a second are added up as they arrive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from chaos.claims.finding import Tally
from chaos.verify.quantile import Sample


class Outcome(Protocol):
    """One kind of answer: docs/protocol.md, a digest's entry. `status` is 0 without a response."""

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


class Latencies(Protocol):
    """`buckets` are ascending (from, to, count), in seconds."""

    def buckets(self) -> Iterable[tuple[float, float, int]]: ...


class Measured(Protocol):
    @property
    def count(self) -> int: ...
    @property
    def latency(self) -> Latencies: ...


class PairKey(Protocol):
    """Neighbours on a connection; `kind` is delay or abort."""

    @property
    def phase(self) -> str: ...
    @property
    def task(self) -> str: ...
    @property
    def route(self) -> str: ...
    @property
    def kind(self) -> str: ...


class Observations(Protocol):
    """A digest: outcomes, and neighbours as [clean-clean, clean-faulted, faulted-clean, faulted-faulted]."""

    def items(self) -> Iterable[tuple[Outcome, Measured]]: ...
    @property
    def pairs(self) -> Mapping[Any, Sequence[int]]: ...


Classify = Callable[[Outcome], bool | None]
"""Whether an outcome has what is claimed; None when the claim is not about it."""


@dataclass(slots=True)
class Seen:
    """One outcome's count and latency buckets so far."""

    count: int = 0
    buckets: dict[tuple[float, float], int] = field(default_factory=dict)


class Observed:
    """All digests so far as one, and how many requests each stretch of time had per outcome."""

    def __init__(self) -> None:
        self.outcomes: dict[Outcome, Seen] = {}
        self.pairs: dict[PairKey, list[int]] = {}
        self.stretches: list[list[tuple[Outcome, int]]] = []
        self.ends: list[float] = []

    def add(self, digest: Observations, seconds: float = 1.0) -> None:
        """One more stretch of the run, so many seconds long."""
        stretch: list[tuple[Outcome, int]] = []
        for outcome, measured in digest.items():
            seen = self.outcomes.setdefault(outcome, Seen())
            seen.count += measured.count
            for low, high, count in measured.latency.buckets():
                seen.buckets[low, high] = seen.buckets.get((low, high), 0) + count
            stretch.append((outcome, measured.count))
        for pair, cells in digest.pairs.items():
            mine = self.pairs.setdefault(pair, [0, 0, 0, 0])
            mine[:] = [a + b for a, b in zip(mine, cells, strict=True)]
        self.stretches.append(stretch)
        self.ends.append(self.ends[-1] + seconds if self.ends else seconds)

    def __iter__(self) -> Iterator[tuple[Outcome, int]]:
        return ((outcome, seen.count) for outcome, seen in self.outcomes.items())

    @property
    def count(self) -> int:
        return sum(seen.count for seen in self.outcomes.values())

    def tally(self, classify: Classify) -> Tally:
        """k of n: those that have it, of those that the claim is about."""
        return _tally(self, classify)

    def moment(self, stretches: int) -> float:
        """Seconds from the beginning to the end of the first so many stretches."""
        return self.ends[stretches - 1] if stretches else 0.0

    def sample(self, chosen: Callable[[Outcome], bool]) -> Sample:
        """The latencies of the chosen outcomes together."""
        merged: dict[tuple[float, float], int] = {}
        for outcome, seen in self.outcomes.items():
            if chosen(outcome):
                for edges, count in seen.buckets.items():
                    merged[edges] = merged.get(edges, 0) + count
        return Sample((low, high, count) for (low, high), count in sorted(merged.items()))

    def neighbours(self, chosen: Callable[[PairKey], bool]) -> list[int]:
        """The chosen pairs together."""
        cells = [0, 0, 0, 0]
        for pair, counts in self.pairs.items():
            if chosen(pair):
                cells = [a + b for a, b in zip(cells, counts, strict=True)]
        return cells


class Running:
    """One claim's counts, stretch by stretch, kept up with what is observed: each outcome is classified once and each
    stretch counted once, however often and however late in a long run one looks.

    `series` are (k, n) of each stretch, `lost` how many of its requests had no response, so that nobody knows which
    they were."""

    __slots__ = ("_classify", "_known", "_loses", "looked", "lost", "series")

    def __init__(self, classify: Classify, loses: Callable[[Outcome], bool]):
        self.series: list[tuple[int, int]] = []
        self.lost: list[int] = []
        self.looked = 0  # so many stretches held no drift
        self._classify = classify
        self._loses = loses
        self._known: dict[Outcome, tuple[bool | None, bool]] = {}

    def follow(self, observed: Observed) -> Tally:
        """Count what is new, and return k of n in all."""
        for stretch in observed.stretches[len(self.series) :]:
            k = n = lost = 0
            for outcome, count in stretch:
                has, is_lost = self._look_at(outcome)
                lost += count if is_lost else 0
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


def _tally(outcomes: Iterable[tuple[Outcome, int]], classify: Classify) -> Tally:
    k = n = 0
    for outcome, count in outcomes:
        verdict = classify(outcome)
        if verdict is not None:
            n += count
            k += count if verdict else 0
    return Tally(k, n)
