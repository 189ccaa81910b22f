"""The load over time, for the live page's charts: the journal's digests, added up by second.

There are never more than MOST points. The newest are seconds; of the older ones, neighbours are joined, the shortest
first, so that the whole run stays in view. A joined point has its quantiles from all of its latencies."""

from __future__ import annotations

from dataclasses import dataclass, field

from chaos.journal.records import DigestLine
from chaos.protocol.digest import OTHERS, WARM_UP
from chaos.protocol.histogram import Histogram
from chaos.protocol.live_state import LivePoint, LiveTask

MOST = 240
NEWEST = 60  # points that are not joined
LEAST = 0.95  # seconds of a point; timers may fire a little early
MOST_TASKS = 6  # the page draws a line for each
MOST_TEXTS = 8


class Latencies:
    """Latencies in the journal's texts, which take a hundredth of the memory of counts by bucket."""

    __slots__ = ("_texts", "count")

    def __init__(self) -> None:
        self.count = 0
        self._texts: list[str] = []

    def add(self, count: int, *texts: str) -> None:
        self.count += count
        self._texts += texts
        if len(self._texts) > MOST_TEXTS:
            self._texts = [Histogram.fold(self._texts).encode()]

    def merge(self, other: Latencies) -> None:
        self.add(other.count, *other._texts)

    def quantiles(self) -> tuple[float | None, float | None]:
        """Return the median and the 99th percentile in seconds; None without requests."""
        if not self.count:
            return None, None
        p50, p99 = Histogram.fold(self._texts).quantiles((0.5, 0.99))
        return p50, p99


@dataclass(slots=True)
class Stretch:
    second: float
    begin: float
    end: float
    seconds: float = 0.0
    users: int = 0
    tasks: dict[str, Latencies] = field(default_factory=dict)

    def add(self, line: DigestLine, names: dict[str, str]) -> None:
        self.seconds += line.seconds
        self.end = max(self.end, line.at - line.lag)
        self.users = line.users
        for entry in line.entries:
            self._task(names[entry["task"]]).add(entry["count"], entry["latency"])

    def join(self, later: Stretch) -> None:
        self.seconds += later.seconds
        self.end, self.users = later.end, later.users
        for name, latencies in later.tasks.items():
            self._task(name).merge(latencies)

    def _task(self, name: str) -> Latencies:
        return self.tasks.setdefault(name, Latencies())

    def point(self) -> LivePoint:
        return LivePoint(
            second=round(self.second, 3),
            seconds=round(self.seconds, 3),
            begin=round(self.begin, 3),
            end=round(self.end, 3),
            users=self.users,
            requests=sum(each.count for each in self.tasks.values()),
            tasks={name: [each.count, *each.quantiles()] for name, each in self.tasks.items()},
        )


class History:
    """The points so far, and each task's totals without the warm-up."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._total: dict[str, Latencies] = {}
        self._stretches: list[tuple[Stretch, LivePoint]] = []
        self._open: Stretch | None = None

    def push(self, line: DigestLine) -> None:
        """Add a digest."""
        for entry in line.entries:
            name = self._name(entry["task"])
            if entry["phase"] != WARM_UP:
                self._total.setdefault(name, Latencies()).add(entry["count"], entry["latency"])
        if self._open is None:
            end = line.at - line.lag
            self._open = Stretch(line.second, max(0.0, end - line.seconds), end)
        self._open.add(line, self._names)
        if self._open.seconds >= LEAST:
            self.close()

    def close(self) -> None:
        """End the second that is not whole yet, at the end of the load."""
        if self._open is None or not self._open.seconds:
            return
        self._stretches.append((self._open, self._open.point()))
        self._open = None
        if len(self._stretches) > MOST:
            self._join()

    def _join(self) -> None:
        """Join the two neighbours that are shortest together, of all but the newest."""
        lengths = [stretch.seconds for stretch, _ in self._stretches[:-NEWEST]]
        at = min(range(len(lengths) - 1), key=lambda index: lengths[index] + lengths[index + 1])
        joined = self._stretches[at][0]
        joined.join(self._stretches[at + 1][0])
        self._stretches[at : at + 2] = [(joined, joined.point())]

    def _name(self, task: str) -> str:
        if task not in self._names:
            self._names[task] = task if len(set(self._names.values()) - {OTHERS}) < MOST_TASKS else OTHERS
        return self._names[task]

    @property
    def points(self) -> list[LivePoint]:
        return [point for _, point in self._stretches]

    @property
    def tasks(self) -> list[LiveTask]:
        """Each task so far, in the order in which they came; those beyond MOST_TASKS are one."""
        made = []
        for name, latencies in self._total.items():
            p50, p99 = latencies.quantiles()
            made.append(LiveTask(name=name, requests=latencies.count, p50=p50, p99=p99))
        return made
