"""Where an exchange can go, and that nothing reaches it from an attempt that has ended."""

from __future__ import annotations

import pytest
from support.clock import Clock
from support.decisions import cluster, retrying

from chaos.gateway.exchange.attempt import Attempt
from chaos.gateway.exchange.states import ANSWERING, DONE, TRANSITIONS, WAITING, State
from chaos.gateway.state.counters import Ledger
from chaos.gateway.upstream.connection import Upstream
from chaos.gateway.upstream.pool import Host, Pool
from chaos.mesh.decision import Failure


def test_every_state_can_end_and_the_end_is_final() -> None:
    assert DONE.then == frozenset()
    assert all(DONE in state.then for state in TRANSITIONS if state is not DONE)
    assert all(WAITING not in state.then for state in TRANSITIONS)


def test_an_answer_that_has_begun_only_ends() -> None:
    assert ANSWERING.then == {DONE}


def test_every_state_can_be_reached() -> None:
    reached: set[State] = set()
    ahead = [WAITING]
    while ahead:
        state = ahead.pop()
        reached.add(state)
        ahead += state.then - reached
    assert reached == set(TRANSITIONS)


class Owner:
    """Notes what its attempt tells it."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def attempt_connected(self, attempt: Attempt, connection: Upstream) -> None:
        self.told.append("connected")

    def attempt_answered(self, attempt: Attempt, data: bytes) -> bool:
        self.told.append("answered")
        return True

    def attempt_received(self, attempt: Attempt, connection: Upstream) -> None:
        self.told.append("received")

    def attempt_failed(self, attempt: Attempt, failure: Failure, reason: str) -> None:
        self.told.append(f"failed: {reason}")

    def attempt_lost(self, attempt: Attempt, connection: Upstream) -> None:
        self.told.append("lost")

    def attempt_full(self, full: bool) -> None:
        self.told.append(f"full: {full}")


CALLS = {
    "whole": lambda attempt, connection: attempt.upstream_whole(connection, b""),
    "received": lambda attempt, connection: attempt.upstream_received(connection),
    "failed": lambda attempt, connection: attempt.upstream_failed(Failure.CONNECT, "refused"),
    "lost": lambda attempt, connection: attempt.upstream_lost(connection),
    "full": lambda attempt, connection: attempt.upstream_full(),
    "drained": lambda attempt, connection: attempt.upstream_drained(),
}


def _attempt(owner: Owner) -> tuple[Attempt, Upstream]:
    """An attempt in flight, on a connection that goes nowhere."""
    pool = Pool(cluster(1), lambda: 0.0)
    (host,) = pool.hosts
    attempt = Attempt(owner, host, Ledger("k", b"", True), retrying(1, 503, per_try_timeout=1.0))
    return attempt, Upstream(host.forget)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_an_attempt_that_has_ended_tells_nobody(call: object) -> None:
    owner, clock = Owner(), Clock()
    attempt, connection = _attempt(owner)
    attempt.upstream_connected(connection)
    attempt.limit(clock.after)
    call(attempt, connection)  # type: ignore[operator]
    assert len(owner.told) == 2, "before the end it does"
    owner.told.clear()
    handed: list[Upstream] = []
    attempt.end(handed.append)
    owner.told.clear()
    call(attempt, connection)  # type: ignore[operator]
    assert (owner.told, clock.pending, handed) == ([], [], [connection])


def test_back_pressure_ends_with_the_attempt() -> None:
    owner = Owner()
    pool = Pool(cluster(1), lambda: 0.0)
    host: Host = pool.hosts[0]
    attempt = Attempt(owner, host, Ledger("k", b"", True), None)
    attempt.upstream_full()
    attempt.end()
    assert owner.told == ["full: True", "full: False"]
