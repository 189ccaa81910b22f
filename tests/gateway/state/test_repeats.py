"""An id that comes again is drawn for anew; an id that comes once has the draws that its seed and itself give."""

from __future__ import annotations

from chaos.faults import FaultKind
from chaos.gateway.state.repeats import REMEMBERED, Repeats
from chaos.mesh.draws import keyed_draws

IDS = [b"%036d" % number for number in range(20_000)]


def test_the_first_request_with_an_id_has_the_draws_of_the_id():
    plain, repeats = keyed_draws(7), Repeats(keyed_draws(7))
    for each in IDS[:100]:
        one, other = plain(each), repeats(each)
        assert [*map(one.fault, FaultKind), one.split, one.mirror(0)] == [
            *map(other.fault, FaultKind),
            other.split,
            other.mirror(0),
        ]


def test_a_retry_with_the_same_id_is_independent_of_the_first_try():
    """Both aborted at 50 %: a quarter, within five standard deviations, not a half."""
    repeats = Repeats(keyed_draws(7))
    both = sum(all(repeats(each).fault(FaultKind.ABORT) < 0.5 for _ in range(2)) for each in IDS)
    assert abs(both - 5000) < 5 * (20_000 * 0.25 * 0.75) ** 0.5


def test_three_requests_with_one_id_have_three_draws():
    repeats = Repeats(keyed_draws(7))
    assert len({repeats(b"id").fault(FaultKind.ABORT) for _ in range(3)}) == 3


def test_what_is_remembered_is_bounded():
    repeats = Repeats(keyed_draws(7))
    for each in IDS:
        repeats(each)
    assert len(repeats._now) + len(repeats._before) <= 2 * REMEMBERED
