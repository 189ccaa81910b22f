"""A request that fails where nobody can say whose fault it was is unknown, until the load has been heard again."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import pytest
from support.load import plan

from chaos.load.doubts import CUT_OFF, Doubts
from chaos.load.pending import Pending
from chaos.load.recorder import Cohort, Recorder
from chaos.load.shared import Shared
from chaos.protocol.load_plan import Plan


@dataclass(eq=False)
class Sender:
    cohort: Cohort | None
    phase: str = ""
    asked: int | None = 0


class Case:
    def __init__(self) -> None:
        self.recorder = Recorder(("home",))
        self.pending = Pending(self.recorder, 1.0, 1.0)
        self.doubts = Doubts(self.pending, self.recorder.order.placed, 0.0)
        self.counted: list[int] = []

    def ends(self, number: int, sent: float, failed: bool) -> bool:
        """Whether it is counted later, or never."""
        sender = Sender(self.recorder.cohort)
        self.pending.senders.add(sender)
        return self.doubts.take(sender, number, sent, failed, lambda: self.counted.append(number))

    @property
    def unknown(self) -> int:
        return sum(self.pending.last_digest().pending.values())


@pytest.fixture
def case() -> Case:
    return Case()


def test_a_response_is_counted_at_once(case: Case) -> None:
    assert not case.ends(0, sent=0.1, failed=False)


def test_a_failure_is_counted_when_the_load_is_heard_after_it(case: Case) -> None:
    assert case.ends(0, sent=0.1, failed=True)
    assert case.counted == []
    assert case.pending.untold()["", "home"] == 1  # in flight, as far as anybody knows
    case.doubts.look(CUT_OFF)
    case.doubts.heard(CUT_OFF)
    assert case.counted == [0]
    assert case.pending.abandoned == 0


def test_a_failure_is_unknown_if_the_load_is_not_heard_soon(case: Case) -> None:
    case.ends(0, sent=0.1, failed=True)
    case.doubts.look(CUT_OFF + 0.1)
    case.ends(1, sent=2.2, failed=True)
    case.doubts.heard(5.0)
    assert case.counted == []
    assert (case.pending.abandoned, case.unknown) == (2, 2)
    assert case.recorder.order.placed == {0: None, 1: None}


def test_what_was_in_flight_meanwhile_is_unknown_however_it_ends(case: Case) -> None:
    """It was as late as the cable was cut, or the response was lost with it."""
    case.doubts.heard(5.0)
    assert case.ends(0, sent=4.0, failed=False)
    assert case.ends(1, sent=4.0, failed=True)
    assert case.unknown == 2
    assert not case.ends(2, sent=5.1, failed=False)


def test_what_was_due_meanwhile_is_late_by_the_load_not_by_the_gateway() -> None:
    """An open model's latency counts from when a request was due, but for those that could not be sent then."""
    shared = Shared(Plan.of(plan("http://127.0.0.1:1", arrival_rate=1000.0)), remote=True)
    assert shared.doubts is not None
    shared.began = perf_counter() - 10.0
    cut_off = shared.doubts.until = shared.began + 5.0
    assert shared.sleep_until_due(1000) > cut_off + 4.9
    assert shared.sleep_until_due(6000) == shared.began + 6.0


def test_a_load_that_is_heard_each_second_leaves_no_doubt(case: Case) -> None:
    for second in range(1, 10):
        case.doubts.look(second - 0.1)
        case.doubts.heard(float(second))
        case.ends(second, sent=second + 0.1, failed=True)
    case.doubts.heard(10.0)
    assert case.counted == list(range(1, 10))
    assert case.pending.abandoned == 0
