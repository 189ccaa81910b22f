"""A worker without its master: it goes on for a while, then holds its requests back until the master is heard."""

from __future__ import annotations

import gevent

from chaos.load.patience import Patience
from chaos.load.roster import HOLDS_OUT
from chaos.load.sequence import Sequence
from chaos.protocol.load_plan import Plan, Task


def sequence() -> Sequence:
    return Sequence(Plan("http://127.0.0.1:1", (Task("home", "GET", "http://shop/"),)))


def test_requests_are_held_back_until_the_master_is_heard() -> None:
    numbers = sequence()
    patience = Patience(numbers, 0.0)
    patience.look(HOLDS_OUT)
    assert numbers.take() == 0, "it goes on for a while"
    patience.look(HOLDS_OUT + 0.1)
    waiting = gevent.spawn(numbers.take)
    gevent.sleep(0)
    assert not waiting.ready()
    assert patience.paused(10.1) == 7.0
    patience.heard(10.1)
    assert waiting.get(timeout=5) == 1
    assert numbers.take() == 2
    assert patience.paused(20.0) == 7.0


def test_a_user_who_is_stopped_while_held_back_takes_no_number() -> None:
    numbers = sequence()
    patience = Patience(numbers, 0.0)
    patience.look(HOLDS_OUT + 0.1)
    waiting = gevent.spawn(numbers.take)
    gevent.sleep(0)
    waiting.kill()
    patience.heard(5.0)
    assert (numbers.taken, numbers.take()) == (0, 0)
