"""Show the tasks beyond the busiest as one, because a report with ten thousand rows helps nobody."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from chaos.journal.records import Event
from chaos.journal.result import Result
from chaos.journal.timeline import Stretch
from chaos.protocol.digest import OTHERS, Digest, Key

MOST_SHOWN = 200


def with_busiest(result: Result, most: int = MOST_SHOWN) -> Result:
    """Return the result for the report: the busiest tasks by name, all others together, and an event that says so.

    Counts stay exact; tasks with findings keep their names."""
    counts: Counter[str] = Counter()
    for key, tally in result.digest.items():
        counts[key.task] += tally.count
    if len(counts) <= most:
        return result
    kept = {name for name, _ in counts.most_common(most)} | {finding.task for finding in result.findings}
    left = len(counts.keys() - kept)
    text = f"{left} request names beyond the {most} busiest are shown as {OTHERS}"
    return replace(
        result,
        digest=_grouped(result.digest, kept),
        stretches=tuple(_stretch(each, kept) for each in result.stretches),
        events=(*result.events, Event(at=result.seconds, level="info", text=text)),
    )


def _name(key: Key, kept: set[str]) -> Key:
    return key if key.task in kept else key._replace(task=OTHERS)


def _grouped(digest: Digest, kept: set[str]) -> Digest:
    made = Digest()
    for key, tally in digest.items():
        part = Digest()
        part.tallies[_name(key, kept)] = tally
        made.merge(part)
    made.parts.merge(digest.parts)
    for pair, cells in digest.pairs.items():
        name = pair if pair.task in kept else pair._replace(task=OTHERS)
        mine = made.pairs.setdefault(name, [0, 0, 0, 0])
        mine[:] = [old + new for old, new in zip(mine, cells, strict=True)]
    for (phase, task), count in digest.pending.items():
        place = phase, task if task in kept else OTHERS
        made.pending[place] = made.pending.get(place, 0) + count
    return made


def _stretch(stretch: Stretch, kept: set[str]) -> Stretch:
    counts: Counter[Key] = Counter()
    for key, count in stretch.counts.items():
        counts[_name(key, kept)] += count
    return replace(stretch, counts=dict(counts))
