"""Gateways that are wrong on purpose, and right ones. Each is told to abort half of its requests with 400, or to delay
half of them by 100 ms, or both, or to send 80 % to v1 and the rest to v2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from support.simulated_load import Answer, Asked, Gateway

DELAY = 0.1
V1, V2 = "web:80/v1", "web:80/v2"
Make = Callable[[Random], Gateway]
"""Makes a gateway that draws from this source."""


def abort_where(faulted: Callable[[Random, Asked], bool]) -> Make:
    return lambda dice: lambda asked: Answer(aborted=faulted(dice, asked))


def delay_by(seconds: Callable[[Random], float]) -> Make:
    """Delay half of the requests, by so many seconds, whatever the tags say."""

    def make(dice: Random) -> Gateway:
        def answer(_: Asked) -> Answer:
            delayed = dice.random() < 0.5
            return Answer(delayed=DELAY if delayed else 0.0, late=seconds(dice) if delayed else 0.0)

        return answer

    return make


def tagging(late: Callable[[Random, Asked, bool], float], aborted: float = 0.0) -> Make:
    """Tag half of the requests as delayed; `late` says by how many seconds one is late that is tagged, or not."""

    def make(dice: Random) -> Gateway:
        def answer(asked: Asked) -> Answer:
            said = dice.random() < 0.5
            seconds = late(dice, asked, said)
            return Answer(aborted=dice.random() < aborted, delayed=DELAY if said else 0.0, late=seconds)

        return answer

    return make


def split_where(first: Callable[[Random, Asked], bool]) -> Make:
    return lambda dice: lambda asked: Answer(destination=V1 if first(dice, asked) else V2)


def both_where(faulted: Callable[[Random, Asked], tuple[bool, bool]]) -> Make:
    """`faulted` says whether a request is aborted, and whether it is delayed."""

    def make(dice: Random) -> Gateway:
        def answer(asked: Asked) -> Answer:
            aborted, delayed = faulted(dice, asked)
            return Answer(aborted=aborted, delayed=DELAY if delayed else 0.0)

        return answer

    return make


def chance(share: float) -> Callable[[Random, Asked], bool]:
    return lambda dice, _: dice.random() < share


def per_user(shares: Callable[[Random], float]) -> Make:
    """Abort with a share of its own for each user, drawn once."""

    def make(dice: Random) -> Gateway:
        own = [shares(dice) for _ in range(1000)]
        return lambda asked: Answer(aborted=dice.random() < own[asked.user])

    return make


def alternating(low: float, high: float) -> Make:
    """Abort with one share for every other user, another for the rest."""
    return abort_where(lambda dice, asked: dice.random() < (low, high)[asked.user % 2])


@dataclass
class Cards:
    """Deals hits and misses from a shuffled deck, and shuffles again when it is empty."""

    dice: Random
    hits: int
    size: int
    left: list[bool] = field(default_factory=list)

    def __call__(self) -> bool:
        if not self.left:
            self.left = [place < self.hits for place in range(self.size)]
            self.dice.shuffle(self.left)
        return self.left.pop()


@dataclass
class Turns:
    """Hits and misses in turn, `hits` and `misses` of them each time."""

    hits: int
    misses: int
    place: int = -1

    def __call__(self) -> bool:
        self.place += 1
        return self.place % (self.hits + self.misses) < self.hits


@dataclass
class Bursts:
    """Hits come in runs of random length, and so do misses; half of all are hits."""

    dice: Random
    mean: float
    hit: bool = False

    def __call__(self) -> bool:
        if self.dice.random() < 1 / self.mean:
            self.hit = not self.hit
        return self.hit


def aborting(counter: Callable[[Random], Callable[[], bool]]) -> Make:
    """Abort what a counter says, for all connections together."""

    def make(dice: Random) -> Gateway:
        count = counter(dice)
        return lambda _: Answer(aborted=count())

    return make


def aborting_each(counter: Callable[[Random], Callable[[], bool]]) -> Make:
    """Abort what a counter of each connection says."""

    def make(dice: Random) -> Gateway:
        counts: dict[int, Callable[[], bool]] = {}
        return lambda asked: Answer(aborted=counts.setdefault(asked.user, counter(dice))())

    return make


def splitting(counter: Callable[[Random], Callable[[], bool]]) -> Make:
    def make(dice: Random) -> Gateway:
        count = counter(dice)
        return lambda _: Answer(destination=V1 if count() else V2)

    return make


def splitting_each(counter: Callable[[Random], Callable[[], bool]]) -> Make:
    def make(dice: Random) -> Gateway:
        counts: dict[int, Callable[[], bool]] = {}
        return lambda asked: Answer(destination=V1 if counts.setdefault(asked.user, counter(dice))() else V2)

    return make


def on(task: str, share: float, others: float) -> Make:
    """Abort with one share on a task and with another elsewhere."""
    return abort_where(lambda dice, asked: dice.random() < (share if asked.task == task else others))


def until(second: float, share: float = 0.5, then: float = 0.0) -> Make:
    """Abort with a share up to a moment, and with another from then on."""
    return abort_where(lambda dice, asked: dice.random() < (share if asked.at < second else then))


def losing(make: Make, share: float, aborted: bool) -> Make:
    """Lose this share of the responses that are, or are not, aborted."""

    def made(dice: Random) -> Gateway:
        inner = make(dice)

        def answer(asked: Asked) -> Answer:
            found = inner(asked)
            lost = found.aborted is aborted and dice.random() < share
            return Answer(found.aborted, found.delayed, lost=lost)

        return answer

    return made


def answering(status: int) -> Make:
    """Abort half of the requests with this status."""

    def make(dice: Random) -> Gateway:
        def answer(_: Asked) -> Answer:
            aborted = dice.random() < 0.5
            return Answer(aborted=aborted, status=status if aborted else None)

        return answer

    return make


def retrying(retries: int, failing: float = 0.25) -> Make:
    """Try again while the upstream fails, up to so many times."""

    def make(dice: Random) -> Gateway:
        def answer(_: Asked) -> Answer:
            attempts = 1
            while (failed := dice.random() < failing) and attempts <= retries:
                attempts += 1
            return Answer(status=503 if failed else 200, attempts=attempts)

        return answer

    return make


right_abort = abort_where(chance(0.5))
right_delay = delay_by(lambda _: DELAY)
right_split = split_where(chance(0.8))
right_both = both_where(lambda dice, _: (dice.random() < 0.5, dice.random() < 0.5))
short_delays = delay_by(lambda dice: DELAY if dice.random() < 0.75 else DELAY / 2)
tagged_only = tagging(lambda dice, _, said: DELAY if said and dice.random() < 0.5 else 0.0)
tagged_in_the_end = tagging(lambda _, asked, said: DELAY if said and asked.at < 8 else 0.0)
both_tagged_only = tagging(lambda dice, _, said: DELAY if said and dice.random() < 0.5 else 0.0, aborted=0.5)
jittery_clients = tagging(lambda dice, _, said: said * (DELAY - 0.001 * dice.random()) + dice.expovariate(50))
jitter = delay_by(lambda dice: DELAY * dice.uniform(0.5, 1.5))
coupled = both_where(lambda dice, _: (hit := dice.random() < 0.5, hit))
exclusive = both_where(lambda dice, _: (hit := dice.random() < 0.5, not hit))
deck = partial(Cards, hits=50, size=100)
