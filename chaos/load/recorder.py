"""Counts every answer, cheaply, and gives a digest of them when asked (every second).

The counting path looks up one `Outcome` and adds one to a bucket. An outcome is found by what was received, octet for
octet: task, status and the bytes of the head from the first tag on; only the first of its kind is parsed.
"""

from __future__ import annotations

from chaos.journal.digest import Digest, Key, Tally
from chaos.journal.histogram import HALF_BITS, HIGHEST, Histogram
from chaos.journal.identity import sample_bound
from chaos.load.tags import UNTAGGED, Tags, of_head

TRANSITION = "(transition)"  # the phase of an untagged request during which the phase changed
MOST_OUTCOMES = 2_000  # beyond this something in the tags differs from request to request
MOST_SAMPLES = 1_000  # per second and process


class Outcome:
    """One kind of answer since the last digest: counts per latency bucket, and which kind came next on its
    connection."""

    __slots__ = ("due", "key", "latency", "next")

    def __init__(self, key: Key):
        self.key = key
        self.latency: dict[int, int] = {}
        self.due: dict[int, int] = {}
        self.next: dict[Outcome, int] = {}


class Recorder:
    """The counts of one process. `phase` is where answers belong that carry no x-chaos-phase."""

    def __init__(self, tasks: tuple[str, ...], phase: str = "", share: float = 0.0):
        self.phase = phase
        self.late = 0
        self.share = share
        self.count = 0
        self.sample_below = sample_bound(share)
        self.samples: list[list[object]] = []
        self._tasks = list(tasks)
        self._found: dict[tuple[int, int, bytes], Outcome] = {}
        self._rare: dict[Key, Outcome] = {}

    def outcome(self, task: int, status: int, tail: bytes) -> Outcome:
        """The outcome of an answer: `tail` is its head from the first tag on."""
        found = self._found.get((task, status, tail))
        if found is None:
            found = self._found[task, status, tail] = self._known(self.key(task, status, of_head(tail)))
        return found

    def tagged(self, task: int, status: int, tags: Tags, error: str = "", began_in: str | None = None) -> Outcome:
        """The outcome of an answer whose tags are known; with `began_in` the phase in which it was sent."""
        return self._known(self.key(task, status, tags, error, began_in))

    def key(self, task: int, status: int, tags: Tags = UNTAGGED, error: str = "", began_in: str | None = None) -> Key:
        phase = tags.phase
        if phase is None:
            phase = self.phase if began_in in (None, self.phase) else TRANSITION
        name = self._tasks[task]
        return Key(phase, name, tags.route, tags.destination, status, tags.fault, tags.attempts, error)

    def task(self, name: str) -> int:
        """The index of a task by name; a new name gets a new one."""
        try:
            return self._tasks.index(name)
        except ValueError:
            self._tasks.append(name)
            return len(self._tasks) - 1

    def _known(self, key: Key) -> Outcome:
        known = self._rare.get(key)
        if known is None:
            known = self._rare[key] = Outcome(key)
        return known

    def add(self, outcome: Outcome, microseconds: int, previous: Outcome | None = None) -> None:
        """Count one answer; `previous` is the outcome before it on the same connection."""
        self.count += 1
        counts = outcome.latency
        # chaos.journal.histogram.bucket_of, written out: this runs for every request
        shift = microseconds.bit_length() - HALF_BITS - 1
        if shift > 0:
            if microseconds > HIGHEST:
                microseconds = HIGHEST
                shift = HIGHEST.bit_length() - HALF_BITS - 1
            microseconds = (shift << HALF_BITS) + (microseconds >> shift)
        counts[microseconds] = counts.get(microseconds, 0) + 1
        if previous is not None:
            following = previous.next
            following[outcome] = following.get(outcome, 0) + 1

    def add_due(self, outcome: Outcome, microseconds: int) -> None:
        """The same answer's latency from when it was due."""
        due = Histogram(outcome.due)
        due.add(max(microseconds, 0))

    def sample(self, request: str, outcome: Outcome) -> None:
        """Keep one request by itself; when there are too many, half as large a share from now on."""
        key = outcome.key
        self.samples.append([request, key.task, key.status, key.error, key.fault])
        if len(self.samples) > MOST_SAMPLES:
            self.share /= 2
            self.sample_below = sample_bound(self.share)
            self.samples = [each for each in self.samples if str(each[0]) < self.sample_below]

    def enter(self, phase: str) -> None:
        """Untagged answers belong to this phase from now on."""
        self.phase = phase
        self._found.clear()

    def digest(self) -> Digest:
        """Everything since the last digest."""
        made = Digest()
        for outcome in self._rare.values():
            if outcome.latency:
                due = Histogram(outcome.due) if outcome.due else None
                made.tallies[outcome.key] = Tally(Histogram(outcome.latency), due)
                outcome.latency, outcome.due = {}, {}
            for after, count in outcome.next.items():
                made.add_pairs(outcome.key, after.key, count)
            outcome.next = {}
        if len(self._found) > MOST_OUTCOMES:
            self._found.clear()
        if len(self._rare) > MOST_OUTCOMES:
            self._rare.clear()
            self._found.clear()
        return made

    def take_samples(self) -> list[list[object]]:
        taken, self.samples = self.samples, []
        return taken
