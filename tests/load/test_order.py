"""Blocks of successive requests are counted in their order, whatever their requests met."""

from __future__ import annotations

from chaos.load.order import Order
from chaos.load.recorder import Outcome
from chaos.protocol.digest import Key
from chaos.protocol.parts import BLOCK, Drawn, Parts, Turn

OK, ABORTED = Outcome(Key("", "home", "web[0]", "v1", 200)), Outcome(Key("", "home", "web[0]", "", 503, "abort"))
GONE = Outcome(Key("", "home", "", "", 0, error="timeout"))
ABORTS = Drawn("", "web[0]", "abort")


def test_a_block_is_counted_when_it_is_complete_and_once() -> None:
    order = Order()
    for number in range(BLOCK - 1):
        order.placed[number] = ABORTED if number % 4 == 0 else OK
    assert order.take() == Parts()
    order.placed[BLOCK - 1] = OK
    made = order.take()
    assert made.of_blocks(ABORTS) == {(BLOCK // 4, BLOCK): 1}
    quarter = BLOCK // 4
    assert made.cells(Turn("sent", "", "web[0]", "abort")) == [BLOCK // 2, quarter - 1, quarter, 0]
    assert order.take() == Parts() and not order.placed


def test_a_later_block_waits_for_the_one_before_it() -> None:
    """One with few delays is complete sooner; were it counted at once, too few would seem to be delayed."""
    order = Order()
    order.placed.update(dict.fromkeys(range(1, 2 * BLOCK), OK))
    assert order.take() == Parts()
    order.placed[0] = ABORTED
    assert order.take().of_blocks(ABORTS) == {(1, BLOCK): 1, (0, BLOCK): 1}


def test_a_block_with_a_request_of_which_nothing_is_known_is_left_out() -> None:
    for unknown in (None, GONE):
        order = Order()
        order.placed.update(dict.fromkeys(range(2 * BLOCK), OK))
        order.placed[7] = unknown
        assert order.take().of_blocks(ABORTS) == {(0, BLOCK): 1}


def test_a_process_has_blocks_of_its_own_numbers() -> None:
    order = Order(1, 2)
    order.placed.update(dict.fromkeys(range(1, 2 * BLOCK, 2), OK))
    assert order.take().of_blocks(ABORTS) == {(0, BLOCK): 1}
