"""Every answer is counted once, in the digest of its second, under the right key."""

from __future__ import annotations

import pytest
from support.ids import first_ids

from chaos.journal.identity import sampled
from chaos.load.recorder import MOST_OUTCOMES, MOST_SAMPLES, TRANSITION, Recorder
from chaos.load.tags import UNTAGGED, Tags
from chaos.protocol.digest import Digest, Key
from chaos.protocol.histogram import HIGHEST, Histogram
from chaos.protocol.parts import MOST_USERS, Met

TAIL = b"x-chaos-route: web[0]\r\nx-chaos-fault: abort"
ABORTED = Key("", "home", "web[0]", "", 400, "abort")


def test_counts_go_into_one_digest_and_then_start_anew() -> None:
    recorder = Recorder(("home",))
    for latency in (0, 5, 2047, 2048, 999_999, HIGHEST, HIGHEST * 3):
        recorder.add(recorder.outcome(0, 400, TAIL), latency)
    tallies = recorder.digest().tallies
    assert tallies == {ABORTED: tallies[ABORTED]}
    assert tallies[ABORTED].latency == Histogram.of((0, 5, 2047, 2048, 999_999, HIGHEST, HIGHEST * 3))
    assert recorder.digest() == Digest()
    recorder.add(recorder.outcome(0, 400, TAIL), 7)
    assert recorder.digest().count == 1
    assert recorder.count == 8


def test_heads_that_say_the_same_in_another_order_are_one_outcome() -> None:
    recorder = Recorder(("home",))
    for tail in (TAIL, b"X-Chaos-Fault: abort\r\nx-chaos-route:web[0]\r\ndate: today"):
        recorder.add(recorder.outcome(0, 400, tail), 5)
    assert {key: tally.count for key, tally in recorder.digest().items()} == {ABORTED: 2}


def test_tags_that_differ_every_time_do_not_fill_the_memory() -> None:
    recorder = Recorder(("home",))
    for number in range(MOST_OUTCOMES + 10):
        recorder.add(recorder.outcome(0, 400, TAIL + b"\r\ndate: %d" % number), 5)
    assert recorder.digest().count == MOST_OUTCOMES + 10
    recorder.add(recorder.outcome(0, 400, TAIL), 5)
    assert len(recorder.cohort.found) == 1
    assert recorder.digest().count == 1


def test_the_phase_comes_from_the_tag_or_from_the_command() -> None:
    recorder = Recorder(("home",), "baseline")
    began = recorder.phase
    recorder.add(recorder.outcome(0, 200, b""), 1)
    recorder.enter("fault")
    recorder.add(recorder.outcome(0, 200, b""), 1)
    recorder.add(recorder.outcome(0, 200, b"x-chaos-phase: baseline"), 1)
    recorder.add(recorder.tagged(0, 200, UNTAGGED, began_in=began), 1)
    recorder.add(recorder.tagged(0, 200, Tags(phase="fault"), began_in=began), 1)
    counts = {key.phase: tally.count for key, tally in recorder.digest().items()}
    assert counts == {"baseline": 2, "fault": 2, TRANSITION: 1}


def test_neighbours_on_a_connection_are_counted_as_pairs() -> None:
    recorder = Recorder(("home",))
    clean, aborted = recorder.outcome(0, 200, b"x-chaos-route: web[0]"), recorder.outcome(0, 400, TAIL)
    previous = None
    for outcome in (clean, clean, aborted, aborted, aborted, clean):
        recorder.add(outcome, 1, previous)
        previous = outcome
    assert recorder.digest().pairs["", "home", "web[0]", "abort"] == [1, 1, 1, 2]


def test_due_latencies_stand_beside_the_others() -> None:
    recorder = Recorder(("home",))
    outcome = recorder.outcome(0, 400, TAIL)
    recorder.add(outcome, 100)
    recorder.add_due(outcome, 5000)
    tally = recorder.digest().tallies[ABORTED]
    assert tally.due is not None
    assert (tally.latency.quantile(0.5), tally.due.quantile(0.5)) == pytest.approx((0.0001, 0.005), rel=1e-3)


def test_samples_are_bounded_and_chosen_by_id() -> None:
    """When more than MOST_SAMPLES come between two digests, the share is halved until they fit."""
    recorder = Recorder(("home",), share=1.0)
    outcome = recorder.outcome(0, 400, TAIL)
    ids = first_ids(1, 5 * MOST_SAMPLES)
    for request in ids:
        if request[:8] < recorder.sample_below:
            recorder.sample(request, outcome)
    taken = recorder.take_samples()
    assert recorder.share == 0.125
    assert [row[0] for row in taken] == [each for each in ids if sampled(each, recorder.share)]
    assert taken[0][1:] == ["home", 400, "", "abort"]
    assert recorder.take_samples() == []


def test_a_cohort_is_told_whole():
    """Requests are counted with those that were sent at the same time, whenever their answers come."""
    recorder = Recorder(("home",))
    early = recorder.cohort
    recorder.add(recorder.outcome(0, 200, b"", early), 1)
    recorder.next_cohort()
    recorder.add(recorder.outcome(0, 200, b""), 1)
    assert recorder.digest(before=early.number, in_flight=early.number).count == 0
    recorder.add(recorder.outcome(0, 400, TAIL, early), 5_000_000)
    told = recorder.digest(before=early.number + 1)
    assert {key.status: tally.count for key, tally in told.items()} == {200: 1, 400: 1}
    assert recorder.digest().count == 1


def test_an_answer_after_its_cohort_was_told_is_not_lost():
    """A cohort that was told without an answer that hung is told again when the answer comes."""
    recorder = Recorder(("home",))
    early = recorder.cohort
    recorder.next_cohort()
    assert recorder.digest(before=early.number + 1, in_flight=early.number).count == 0
    recorder.add(recorder.outcome(0, 200, b"", early), 1)
    assert recorder.digest(before=early.number + 1, in_flight=early.number).count == 1


def test_the_first_users_are_counted_one_by_one():
    recorder = Recorder(("home",), process=1, processes=2)
    users = [recorder.new_user() for _ in range(MOST_USERS)]
    assert users[:3] == [1, 3, 5] and users[MOST_USERS // 2 :] == [-1] * (MOST_USERS // 2)
    for user in (1, 1, 3, -1):
        recorder.add(recorder.outcome(0, 400, TAIL), 1, None, user)
    digest = recorder.digest()
    assert digest.count == 4 and digest.parts.users == {Met("", "web[0]", "abort", ""): {1: 2, 3: 1}}
    assert not recorder.digest().parts.users
