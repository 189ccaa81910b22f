"""A long run's journal grows with the logarithm of its length."""

from __future__ import annotations

from chaos.journal.condense import Condenser, Gatherer, Pace, combine, stretch_at
from chaos.journal.records import DigestLine, Exemplars
from chaos.protocol.digest import Digest, Key
from chaos.protocol.exemplars import SLOWEST, Exemplar
from chaos.protocol.exemplars import Exemplars as Kept

OK = Key("", "home", "", "", 200)


def second(number: int) -> DigestLine:
    digest = Digest()
    for latency in (1000, 2000 + number):
        digest.add(OK, latency)
    return DigestLine(
        at=number + 1.2,
        second=float(number),
        users=10 + number,
        cpu=0.5,
        entries=tuple(digest.entries()),
        errors={"reset": 1},
    )


def test_stretches_double_as_a_run_grows_old() -> None:
    ages = [0, 149, 150, 449, 450, 1049, 1050, 86_400]
    assert [stretch_at(age) for age in ages] == [0.5, 0.5, 1, 1, 2, 2, 4, 256]


def test_every_second_is_written_at_first_and_nothing_is_lost_later() -> None:
    """One line a second up to 450 s, then one for two."""
    condenser, written, seconds = Condenser(), [], 700
    for number in range(seconds):
        line = condenser.push(second(number))
        if line is not None:
            written.append(line)
    rest = condenser.flush()
    written += [rest] if rest else []
    assert [line.seconds for line in written[:450]] == [1.0] * 450
    assert len(written) == 450 + (seconds - 450) / 2
    assert sum(line.seconds for line in written) == seconds
    assert sum(entry["count"] for line in written for entry in line.entries) == 2 * seconds
    assert sum(line.errors["reset"] for line in written) == seconds


def test_a_day_needs_a_few_thousand_lines() -> None:
    pace = Pace()
    assert sum(pace.due(float(at)) for at in range(86_400)) < 3000


def test_ticks_that_come_early_are_still_due() -> None:
    pace = Pace()
    assert [pace.due(at) for at in (0.0, 0.48, 0.8, 0.97, 1.6)] == [True, True, False, True, True]


def test_combined_lines_add_up() -> None:
    lines = [second(0), second(1), second(2)]
    one = combine(lines)
    assert (one.at, one.second, one.seconds, one.users, one.cpu) == (lines[-1].at, 0.0, 3.0, 11, 0.5)
    parts = Digest()
    for line in lines:
        parts.merge(Digest.of(line.entries, line.pairs, line.pending, line.parts))
    assert Digest.of(one.entries, one.pairs, one.pending, one.parts) == parts


def test_a_day_of_ever_slower_requests_takes_few_lines_and_the_slowest_are_there() -> None:
    gatherer, written = Gatherer(), []
    for second in range(0, 86_400, 10):
        slower = Exemplar(f"{second:08x}", OK, float(second), 1000 + second).record()
        line = gatherer.push(Exemplars(at=second + 0.5, requests=(slower,)))
        written += [line] if line else []
    last = gatherer.flush(86_400.0)
    assert last is not None and gatherer.flush(86_401.0) is None
    assert len(written) < 60 and sum(len(line.requests) for line in written) <= SLOWEST * 60
    kept = Kept()
    for line in (last, *written):
        kept.merge(line.requests)
    assert [each.second for each in kept] == [86_390.0 - 10 * number for number in range(SLOWEST)]
