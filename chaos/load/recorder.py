"""Count every response, cheaply, and make a digest of the counts on request (every second).

The counting path looks up one `Outcome` and adds one to a bucket. An outcome is looked up by the received bytes: task,
status and the head from the first tag on; only the first of its kind is parsed.

Requests are counted in the cohort in which they were sent, and a cohort is reported when none of it is in flight
(pending.py). If they were counted in the order of their responses, delayed requests would be missing from every count
so far, and a right gateway would look as if it delayed too few."""

from __future__ import annotations

from collections import Counter
from time import perf_counter

from chaos.journal.identity import sample_bound
from chaos.load.order import Order
from chaos.load.recent import Recent
from chaos.load.tags import UNTAGGED, Tags, of_head
from chaos.protocol.digest import BY_HAND, MOST_NAMES, OTHERS, TRANSITION, Digest, Key, Tally
from chaos.protocol.exemplars import NO_SHELF, NONE_SLOW, Exemplars, Shelf, Slowest
from chaos.protocol.histogram import HALF_BITS, HIGHEST, Histogram
from chaos.protocol.parts import MOST_USERS, Parts

MOST_OUTCOMES = 2_000  # beyond this something in the tags differs from request to request
MOST_SAMPLES = 1_000  # per second and process
MOST_BY_USER = 200  # outcomes of a cohort whose users are told apart


class Outcome:
    """One kind of response since the last digest: counts per latency bucket, and of the kind before it on its
    connection. `trails` are its cohort's; `shelf` and `slowest` are where single requests of this kind are kept."""

    __slots__ = ("before", "due", "key", "latency", "shelf", "slowest", "trails")

    def __init__(
        self,
        key: Key,
        trails: list[list[Outcome]] | None = None,
        shelf: Shelf = NO_SHELF,
        slowest: Slowest = NONE_SLOW,
    ):
        self.key = key
        self.shelf = shelf
        self.slowest = slowest
        self.trails = trails if trails is not None else []
        self.latency: dict[int, int] = {}
        self.due: dict[int, int] = {}
        self.before: dict[Outcome, int] = {}


class Cohort:
    """Requests that were sent during one interval. `number` counts cohorts from 0; `since` is when it began, as
    perf_counter's value. `trails` has what each of the first users met, one request after the other."""

    __slots__ = ("found", "number", "rare", "since", "trails")

    def __init__(self, number: int = 0):
        self.number = number
        self.since = perf_counter()
        self.found: dict[tuple[int, int, bytes], Outcome] = {}
        self.rare: dict[Key, Outcome] = {}
        self.trails: list[list[Outcome]] = [[] for _ in range(MOST_USERS)]

    @property
    def count(self) -> int:
        """The number of its responses that have not been reported."""
        return sum(sum(outcome.latency.values()) for outcome in self.rare.values())


class Recorder:
    """The counts of one process, of which there are `processes`. Responses without x-chaos-phase belong to `phase`.
    `cohorts` are those that have not been reported or may still grow, in the order of their numbers."""

    def __init__(
        self, tasks: tuple[str, ...], phase: str = "", share: float = 0.0, process: int = 0, processes: int = 1
    ):
        self.phase = phase
        self.late = 0
        self.share = share
        self.count = 0
        self.sample_below = sample_bound(share)
        self.samples: list[list[object]] = []
        self.exemplars = Exemplars()
        self.order = Order(process, processes)
        self._recent = Recent("connection")
        self._users = range(process, MOST_USERS, processes)
        self._met_users = 0
        self._tasks = list(tasks)
        self._places: dict[str, int] = {}  # indexes of names that `task` was called with
        self.cohort = Cohort()
        self.cohorts = [self.cohort]

    def outcome(self, task: int, status: int, tail: bytes, cohort: Cohort | None = None) -> Outcome:
        """Return the outcome of a response; `tail` is its head from the first tag on."""
        cohort = cohort or self.cohort
        found = cohort.found.get((task, status, tail))
        if found is None:
            found = cohort.found[task, status, tail] = self._known(cohort, self.key(task, status, of_head(tail)))
        return found

    def tagged(
        self,
        task: int,
        status: int,
        tags: Tags,
        error: str = "",
        began_in: str | None = None,
        cohort: Cohort | None = None,
        check: str = "",
    ) -> Outcome:
        """Return the outcome of a response whose tags are known; `began_in` is the phase in which it was sent."""
        return self._known(cohort or self.cohort, self.key(task, status, tags, error, began_in, check))

    def _known(self, cohort: Cohort, key: Key) -> Outcome:
        known = cohort.rare.get(key)
        if known is None:
            kept = self.exemplars
            known = cohort.rare[key] = Outcome(key, cohort.trails, kept.shelf_of(key), kept.slowest_of(key))
        return known

    def key(
        self,
        task: int,
        status: int,
        tags: Tags = UNTAGGED,
        error: str = "",
        began_in: str | None = None,
        check: str = "",
    ) -> Key:
        """Return the digest key of a response."""
        phase = tags.phase
        if phase is None:
            phase = self.phase if began_in in (None, self.phase) else _between(began_in, self.phase)
        name = self._tasks[task]
        return Key(
            phase, name, tags.route, tags.destination, status, tags.fault, tags.attempts, error, check, tags.policy
        )

    def knows(self, name: str) -> bool:
        """Return whether requests of this name are, or will be, counted under it."""
        return name in self._places or len(self._places) < MOST_NAMES or name in self._tasks

    def name(self, task: int) -> str:
        """Return the name of a task by its index."""
        return self._tasks[task]

    def task(self, name: str) -> int:
        """Return the index of a task by name. A new name gets a new index; beyond `MOST_NAMES` names they share one."""
        place = self._places.get(name)
        if place is None:
            if len(self._places) >= MOST_NAMES and name != OTHERS:
                return self.task(OTHERS)
            if name in self._tasks:
                place = self._tasks.index(name)
            else:
                self._tasks.append(name)
                place = len(self._tasks) - 1
            self._places[name] = place
        return place

    def new_user(self) -> int:
        """Return the number by which a new user is counted; -1 when there are `MOST_USERS` already."""
        place, self._met_users = self._met_users, self._met_users + 1
        return self._users[place] if place < len(self._users) else -1

    def add(self, outcome: Outcome, microseconds: int, previous: Outcome | None = None, user: int = -1) -> None:
        """Count one response; `previous` is the outcome before it on the same connection."""
        self.count += 1
        counts = outcome.latency
        # chaos.protocol.histogram.bucket_of, inlined because this runs for every request.
        shift = microseconds.bit_length() - HALF_BITS - 1
        if shift > 0:
            if microseconds > HIGHEST:
                microseconds = HIGHEST
                shift = HIGHEST.bit_length() - HALF_BITS - 1
            microseconds = (shift << HALF_BITS) + (microseconds >> shift)
        counts[microseconds] = counts.get(microseconds, 0) + 1
        if previous is not None:
            before = outcome.before
            before[previous] = before.get(previous, 0) + 1
        if user >= 0:
            outcome.trails[user].append(outcome)

    def add_due(self, outcome: Outcome, microseconds: int) -> None:
        """Count the same response's latency from the moment when it was due."""
        due = Histogram(outcome.due)
        due.add(max(microseconds, 0))

    def sample(self, request: str, outcome: Outcome) -> None:
        """Keep one request by itself; when there are too many, halve the share from now on."""
        key = outcome.key
        self.samples.append([request, key.task, key.status, key.error, key.fault])
        if len(self.samples) > MOST_SAMPLES:
            self.share /= 2
            self.sample_below = sample_bound(self.share)
            self.samples = [each for each in self.samples if str(each[0]) < self.sample_below]

    def enter(self, phase: str) -> None:
        """Count responses without a phase under this one from now on."""
        self.phase = phase
        for cohort in self.cohorts:
            cohort.found.clear()

    def next_cohort(self) -> int:
        """Begin a new cohort for requests sent from now on. Returns its number."""
        self.cohort = Cohort(self.cohort.number + 1)
        self.cohorts.append(self.cohort)
        return self.cohort.number

    def digest(self, *, before: int | None = None, in_flight: int | None = None) -> Digest:
        """Return what has not been reported yet, of the cohorts before number `before` (of all if None).

        A cohort from number `in_flight` on is kept for responses that are still to come."""
        made = Digest()
        made.parts = self.order.take()
        for cohort in self.cohorts:
            if before is None or cohort.number < before:
                _tell(cohort, made, self._recent)
        oldest = self.cohort.number if in_flight is None else min(in_flight, self.cohort.number)
        told = oldest if before is None else min(before, oldest)
        self.cohorts = [cohort for cohort in self.cohorts if cohort.number >= told]
        return made

    def take_samples(self) -> list[list[object]]:
        taken, self.samples = self.samples, []
        return taken


def _tell(cohort: Cohort, made: Digest, recent: Recent) -> None:
    """Move a cohort's counts into a digest."""
    told = Digest()
    for outcome in cohort.rare.values():
        if outcome.latency:
            due = Histogram(outcome.due) if outcome.due else None
            told.tallies[outcome.key] = Tally(Histogram(outcome.latency), due)
            outcome.latency, outcome.due = {}, {}
        for earlier, count in outcome.before.items():
            told.add_pairs(earlier.key, outcome.key, count)
        outcome.before = {}
    _tell_users(cohort, told.parts, recent)
    made.merge(told)
    if len(cohort.found) > MOST_OUTCOMES:
        cohort.found.clear()
    if len(cohort.rare) > MOST_OUTCOMES:
        cohort.rare.clear()
        cohort.found.clear()


def _tell_users(cohort: Cohort, parts: Parts, recent: Recent) -> None:
    """Move what each user met into counts, unless there are too many kinds of it."""
    for user, trail in enumerate(cohort.trails):
        if trail and len(cohort.rare) <= MOST_BY_USER:
            for outcome, count in Counter(trail).items():
                parts.add_user(outcome.key, user, count)
            recent.add(parts, trail, user)
        trail.clear()


def _between(began_in: str | None, ended_in: str) -> str:
    """Return the phase of a response that came in another than its request was sent in. What began or ended under
    faults that somebody had set belongs to these, because no verdict may count it, that of the whole run included."""
    return BY_HAND if BY_HAND in (began_in, ended_in) else TRANSITION
