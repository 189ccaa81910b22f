"""Keep the journal of a long run short: digests of half seconds are combined into longer stretches as the run grows
older.

A stretch is half a second at first, and doubles whenever STRETCHES of one length have been written: 2.5 minutes of half
seconds, then 5 of seconds, 10 of two. So the journal grows with the logarithm of a run's length, not with its
requests."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from chaos.journal.merge import Merger
from chaos.journal.records import DigestLine, Exemplars
from chaos.protocol.exemplars import Exemplars as Kept

STRETCHES = 300
SHORTEST = 0.5  # seconds


def stretch_at(age: float) -> float:
    """Return how many seconds one record covers when a run is `age` seconds old: 0.5, 1, 2, ..."""
    length = SHORTEST
    while age >= STRETCHES * length:
        age -= STRETCHES * length
        length *= 2
    return length


class Pace:
    """Decides when a repeated record is due to be written."""

    def __init__(self) -> None:
        self._next = 0.0

    def due(self, at: float) -> bool:
        """Return whether the record is due at this age of the run in seconds, and note it as written if so."""
        if at < self._next - 0.05:  # timers may fire a little early
            return False
        self._next = at + stretch_at(at)
        return True


class Gatherer:
    """Takes single requests that stand for others as the load keeps them, and returns those to write when the run is a
    quarter older than it was at the last time: a long run keeps better ones again and again."""

    def __init__(self) -> None:
        self._kept = Kept()
        self._next = SHORTEST

    def push(self, record: Exemplars) -> Exemplars | None:
        """Take requests. Returns the record to write if it is time."""
        self._kept.merge(record.requests)
        return self.flush(record.at) if record.at >= self._next else None

    def flush(self, at: float) -> Exemplars | None:
        """Return those that were not written yet as one record, None without any. Call it before a phase changes and
        at the end."""
        self._next = max(at * 1.25, SHORTEST)
        fresh = self._kept.take()
        return Exemplars(at=at, requests=tuple(fresh)) if fresh else None


class Condenser:
    """Takes digests as they come and returns the lines to write, one for each stretch that has ended."""

    def __init__(self) -> None:
        self._held: list[DigestLine] = []

    def push(self, line: DigestLine) -> DigestLine | None:
        """Take a digest. Returns the line of the stretch that it ends, or None."""
        self._held.append(line)
        first = self._held[0]
        covered = line.second + line.seconds - first.second
        return self.flush() if covered >= stretch_at(first.second) - 0.05 else None

    def flush(self) -> DigestLine | None:
        """Return everything held back as one line, None when nothing is. Call it before a phase changes and at the
        end."""
        held, self._held = self._held, []
        if len(held) <= 1:
            return held[0] if held else None
        return combine(held)


def combine(lines: list[DigestLine]) -> DigestLine:
    """Return one line for consecutive ones: digests and errors added up, users and CPU averaged over time."""
    merger, errors = Merger(), Counter[str]()
    for line in lines:
        merger.push(line.entries, line.pairs, pending=line.pending, parts=line.parts)
        errors.update(line.errors)
    total = merger.digest()
    seconds = sum(line.seconds for line in lines)
    whole = seconds or 1.0  # while nothing comes back, digests tell of no time at all
    return replace(
        lines[-1],
        second=lines[0].second,
        seconds=seconds,
        users=round(sum(line.users * line.seconds for line in lines) / whole),
        cpu=round(sum(line.cpu * line.seconds for line in lines) / whole, 3),
        entries=tuple(total.entries()),
        pairs=tuple(total.pair_entries()),
        parts=total.parts.record(),
        pending=tuple(total.pending_entries()),
        errors=dict(errors),
        late=sum(line.late for line in lines),
    )
