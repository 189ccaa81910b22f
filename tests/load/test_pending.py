"""A cohort is told when all of it has its responses; what is in flight of one that was told is pending."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from chaos.load.pending import FEW, PATIENCE, Pending
from chaos.load.recorder import Cohort, Recorder
from chaos.load.tags import UNTAGGED

HOLD, INTERVAL = 3.0, 0.5


@dataclass(eq=False)
class Sender:
    """A user who waits for one response."""

    cohort: Cohort | None
    phase: str = "fault"
    asked: int | None = 0


class Load:
    """Requests of one task, sent and answered by hand."""

    def __init__(self) -> None:
        self.recorder = Recorder(("home",), "fault")
        self.pending = Pending(self.recorder, HOLD, INTERVAL)
        self.told = 0

    def send(self, count: int, asked: int | None = 0) -> list[Sender]:
        sent = [Sender(self.recorder.cohort, asked=asked) for _ in range(count)]
        self.pending.senders.update(sent)
        return sent

    def answer(self, senders: list[Sender]) -> None:
        for sender in senders:
            self.recorder.add(self.recorder.tagged(0, 200, UNTAGGED, cohort=sender.cohort), 1000)
            sender.cohort = None

    def pass_time(self, seconds: float) -> dict[tuple[str, str], int]:
        """Let time pass, and return what the digests of it say is pending, added up."""
        grown: dict[tuple[str, str], int] = {}
        for _ in range(int(seconds / INTERVAL)):
            digest = self.pending.digest()
            self.told += digest.count
            for place, more in digest.pending.items():
                grown[place] = grown.get(place, 0) + more
        return grown


def test_a_cohort_is_told_when_the_last_of_it_is_answered() -> None:
    load = Load()
    quick, slow = load.send(50), load.send(50)
    load.answer(quick)
    assert load.pass_time(1) == {} and load.told == 0
    load.answer(slow)
    assert load.pass_time(0.5) == {} and load.told == 100


def test_later_cohorts_wait_for_an_earlier_one_so_that_nothing_is_told_out_of_order() -> None:
    load = Load()
    slow = load.send(50)
    load.pass_time(0.5)
    load.answer(load.send(50))
    load.pass_time(1)
    assert load.told == 0
    load.answer(slow)
    load.pass_time(0.5)
    assert load.told == 100


def test_an_upstream_slower_than_the_rules_is_waited_for() -> None:
    load = Load()
    slow = load.send(100)
    assert load.pass_time(HOLD + PATIENCE) == {} and load.told == 0
    load.answer(slow)
    assert load.pass_time(0.5) == {} and load.told == 100


def test_what_hangs_is_pending_and_known_when_it_ends_after_all() -> None:
    load = Load()
    answered, hung = load.send(60), load.send(40)
    load.answer(answered)
    assert load.pass_time(HOLD + PATIENCE) == {}
    assert load.pass_time(1) == {("fault", "home"): 40} and load.told == 60
    load.answer(hung)
    assert load.pass_time(0.5) == {("fault", "home"): -40} and load.told == 100


@pytest.mark.parametrize(("hanging", "told"), [(int(1000 * FEW), 990), (int(1000 * FEW) + 2, 0)])
def test_one_that_hangs_does_not_hide_the_rest(hanging: int, told: int) -> None:
    load = Load()
    load.answer(load.send(1000 - int(1000 * FEW)))
    load.send(hanging)
    grown = load.pass_time(HOLD + 1)
    assert load.told == told
    assert grown == ({("fault", "home"): hanging} if told else {})


def test_an_abandoned_request_stays_unknown_for_ever() -> None:
    load = Load()
    [given_up, *rest] = load.send(3)
    load.answer(rest)
    load.pending.abandon(given_up)
    assert load.pass_time(20) == {("fault", "home"): 1}
    assert (load.told, load.pending.abandoned) == (2, 1)


def test_the_name_of_a_locustfiles_request_is_not_known_before_its_response() -> None:
    load = Load()
    load.send(2, asked=None)
    assert load.pending.last_digest().pending == {("fault", ""): 2}
