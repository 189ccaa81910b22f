"""The master's picture of its workers, with simulated ones: what they told, who is silent, what is unknown then."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from chaos.load.roster import HOLDS_OUT, LOST, SILENT, Roster
from chaos.protocol.digest import Digest, Key
from chaos.protocol.worker_messages import Told

HOST = "10.0.0.7"


class Simulated:
    """One worker that sends ten requests a second, of which every other one is aborted."""

    def __init__(self, index: int, began: float = 0.0):
        self.index, self.began, self.sent = index, began, 0
        self.told_at = began

    def tell(self, now: float, **more: Any) -> Told:
        """Return what it tells at a moment of its own clock."""
        digest, count = Digest(), round(10 * (now - self.told_at))
        self.told_at = now
        for number in range(self.sent, self.sent + count):
            fault = "abort" if number % 2 else ""
            digest.add(Key("", "home", "shop", "", 503 if fault else 200, fault), 1000)
        self.sent += count
        told = Told(
            process=self.index,
            last=False,
            age=now - self.began,
            told_until=now - self.began,
            finished=False,
            entries=digest.entries(),
            pairs=[],
            parts={},
            pending=[],
            untold=[],
            held=[],
            sent=self.sent,
            users=3,
            cpu=0.1,
            late=0,
            behind=0.0,
            paused=0.0,
            samples=[],
            exemplars=[],
            share=0.0,
            abandoned=0,
        )
        told.update(more)  # type: ignore[typeddict-item]
        return told


def roster_of(count: int) -> tuple[Roster, list[Simulated]]:
    """Return a roster and its workers, each of which has told once."""
    roster, workers = Roster(), [Simulated(index) for index in range(count)]
    for worker in workers:
        roster.join(worker.index, HOST, 0.0)
        assert not list(roster.hear(worker.tell(0.0), 0.0))
    return roster, workers


def test_what_the_workers_told_is_added_up() -> None:
    roster, workers = roster_of(3)
    for worker in workers:
        assert not list(roster.hear(worker.tell(1.0), 1.0))
    report = roster.report(1.0)
    assert (report.digest.count, report.users, report.digest.pending) == (30, 9, {})
    assert [each["requests"] for each in roster.records()] == [10, 10, 10]
    assert roster.report(1.0).digest.count == 0


def test_a_silent_workers_requests_are_unknown_until_it_is_heard_again() -> None:
    roster, (quick, slow) = roster_of(2)
    list(roster.hear(quick.tell(1.0), 1.0))
    list(roster.hear(slow.tell(1.0, untold=[["", "home", 4]]), 1.0))
    roster.report(1.0)
    assert not list(roster.look(1.0 + SILENT))
    list(roster.hear(quick.tell(5.0), 5.0))
    (event,) = roster.look(5.0)
    assert event[0] == "warning" and event[1].startswith(
        "load worker 2 (10.0.0.7): nothing has been heard of it for 4 s"
    )
    unknown = roster.report(5.0).digest.pending
    assert unknown == {("", "home"): 4, ("", ""): 60}  # ten a second, half as much again, for 4 s
    assert roster.report(60.0).digest.pending == {}, "it pauses without its master, so no more can come to it"
    (back,) = roster.hear(slow.tell(61.0), 61.0)
    assert "is heard again after 60.0 s" in back[1]
    report = roster.report(61.0)
    assert report.digest.pending == {("", "home"): -4, ("", ""): -60}
    assert report.digest.count == 600


def test_the_clocks_of_other_hosts_do_not_matter() -> None:
    """Worker clocks that are hours apart: times are those of the master, by the quickest message of each worker."""
    roster = Roster()
    workers = [Simulated(index, began=began) for index, began in enumerate((-7000.0, 90_000.0))]
    for worker in workers:
        roster.join(worker.index, HOST, 100.0)
        list(roster.hear(worker.tell(worker.began), 100.0))
    assert roster.began == 100.0
    for worker, late in zip(workers, (0.0, 0.3), strict=True):
        list(roster.hear(worker.tell(worker.began + 1.0), 101.0 + late))
    assert roster.report(101.3).told_until == pytest.approx(101.0)


@pytest.mark.parametrize("how", ["ended", "silent"])
def test_a_lost_worker_is_waited_for_no_longer(how: str) -> None:
    roster, (there, lost) = roster_of(2)
    list(roster.hear(there.tell(1.0, finished=True), 1.0))
    list(roster.hear(lost.tell(1.0), 1.0))
    assert not roster.finished
    if how == "ended":
        (event,) = roster.gone(1, "it has ended (9)", 1.5)
        assert "it has ended (9); what became of up to 8 requests is unknown" in event[1]
    else:
        list(roster.hear(there.tell(4.5, finished=True), 4.5))
        assert [text for _, text in roster.look(4.5)] and not roster.finished
        list(roster.hear(there.tell(12.0, finished=True), 12.0))
        (event,) = roster.look(1.0 + LOST + 0.5)
        assert "is lost" in event[1]
    assert roster.finished
    assert [each["state"] for each in roster.records()] == ["there", "lost"]


def test_what_is_unknown_belongs_to_the_phases_in_which_it_may_have_been_sent() -> None:
    roster, (worker,) = roster_of(1)
    roster.enter("baseline", 0.0)
    list(roster.hear(worker.tell(10.0), 10.0))
    roster.enter("fault", 12.0)
    roster.enter("recovery", 20.0)
    list(roster.look(25.0))
    assert set(roster.report(25.0).digest.pending) == {("baseline", ""), ("fault", "")}


def test_whoever_does_not_tell_its_last_counts_is_named_at_the_end() -> None:
    roster, (whole, cut) = roster_of(2)
    list(roster.hear(whole.tell(1.0, last=True, finished=True), 1.0))
    list(roster.hear(cut.tell(1.0, untold=[["", "home", 2]]), 1.0))
    assert not roster.told_everything
    (event,) = roster.close(1.1)
    assert "load worker 2" in event[1] and "did not tell its last counts" in event[1]
    assert roster.report(1.1).digest.pending == {("", "home"): 2, ("", ""): 2}
    assert roster.told_everything


def test_a_worker_that_never_told_may_have_sent_as_many_as_any_other() -> None:
    roster = Roster()
    roster.join(0, HOST, 0.0)
    roster.join(1, HOST, 0.0)
    worker = Simulated(0)
    list(roster.hear(worker.tell(0.0), 0.0))
    assert not list(roster.hear(worker.tell(10.0), 10.0))
    (event,) = roster.look(10.0)
    assert "load worker 2" in event[1]
    assert roster.report(10.0).digest.pending == {("", ""): 10 * 1.5 * (HOLDS_OUT + 1.0)}


def test_a_claim_holds_only_if_it_does_with_all_of_the_unknown() -> None:
    """The unknown requests of a lost worker widen the interval both ways, as those in flight do."""
    from chaos.claims.observations import Observed

    roster, (there, lost) = roster_of(2)
    observed = Observed()
    list(roster.hear(there.tell(1.0), 1.0))
    list(roster.hear(lost.tell(1.0), 1.0))
    observed.add(roster.report(1.0).digest)
    list(roster.gone(1, "it has ended", 2.0))
    observed.add(roster.report(2.0).digest)
    assert +observed.pending == Counter({("", ""): 15})
