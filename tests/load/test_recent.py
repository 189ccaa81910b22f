"""What follows few hits and many is counted for each stream, by what was known before it."""

from __future__ import annotations

from random import Random

from chaos.load.recent import MOST, START, Recent
from chaos.load.recorder import Outcome
from chaos.protocol.digest import Key
from chaos.protocol.parts import RECENT, STEP, Parts, Turn, to

V1, V2 = Outcome(Key("", "home", "web[0]", "v1", 200)), Outcome(Key("", "home", "web[0]", "v2", 200))
ABORTED = Outcome(Key("", "home", "web[0]", "", 503, "abort"))
GONE = Outcome(Key("", "home", "", "", 0, error="timeout"))
ABORTS = Turn("sent", "", "web[0]", "abort")


def told(*batches: list[Outcome], streams: int = 1) -> Parts:
    """The counts of these requests, each batch in the next stream."""
    parts, recent = Parts(), Recent("sent")
    for place, batch in enumerate(batches):
        recent.add(parts, batch, place % streams)
    return parts


def counted(parts: Parts, turn: Turn = ABORTS) -> int:
    return sum(map(sum, parts.levels.get(turn, {}).values()))


def test_what_follows_is_counted_by_the_hits_before_it() -> None:
    """Half of all so far were hits, so that no more is known of RECENT requests than that; then come eight hits."""
    before = [ABORTED, V1] * (START // 2)
    made = told([V1, ABORTED], before, [ABORTED] * STEP, [V1] * STEP)
    half = RECENT // 2
    assert made.levels[ABORTS].keys() <= set(range(half - STEP, half + 2 * STEP))
    assert counted(made) == 2 * STEP and sum(hits for _, hits in made.levels[ABORTS].values()) == STEP


def test_where_all_requests_meet_the_same_nothing_is_counted() -> None:
    assert told(*[[V1] * 100] * 20) == Parts()
    assert to("v1") not in {turn.draw for turn in told(*[[V1, ABORTED] * 50] * 20).levels}


def test_destinations_are_counted_among_those_that_are_forwarded() -> None:
    made = told(*[[V1, V2, ABORTED, ABORTED] * 64] * 10)
    followed = 9 * 256
    assert counted(made) == followed - START
    assert counted(made, ABORTS._replace(draw=to("v1"))) == followed // 2 - START


def test_requests_without_a_response_are_passed_over() -> None:
    with_them, without = told(*[[V1, GONE, ABORTED] * 100] * 10), told(*[[V1, ABORTED] * 100] * 10)
    assert with_them == without


def test_requests_are_counted_once_and_in_whole_steps_of_their_stream() -> None:
    random = Random(1)
    batches = [random.choices([V1, ABORTED], k=random.randrange(40)) for _ in range(400)]
    streams = 7
    made = told(*batches, streams=streams)
    total = sum(map(len, batches))
    assert total - START - 200 - streams * STEP < counted(made) <= total - START


def test_a_deck_shows_and_dice_do_not() -> None:
    random = Random(2)

    def deck() -> list[Outcome]:
        cards = [V1, ABORTED] * 50
        random.shuffle(cards)
        return cards

    def gap(parts: Parts) -> float:
        def share(few: bool) -> float:
            rows = [row for level, row in parts.levels[ABORTS].items() if (level < RECENT / 2) is few]
            return sum(hits for _, hits in rows) / sum(map(sum, rows))

        return share(True) - share(False)

    assert gap(told(*[deck() for _ in range(100)])) > 0.06
    assert abs(gap(told(*[random.choices([V1, ABORTED], k=100) for _ in range(100)]))) < 0.03


def test_a_long_run_is_followed_no_longer() -> None:
    made = told(*[[V1, ABORTED] * 500] * 150)
    assert MOST - 2_000 <= counted(made) <= MOST
