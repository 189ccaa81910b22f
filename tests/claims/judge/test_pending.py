"""Requests whose responses have not come yet are unknown: no evidence that they were delayed, and none that they were
not."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import pytest
from support.faults import delaying
from support.simulated_gateway import SimulatedGateway

from chaos.claims.effects import Effect, PhaseEffects
from chaos.claims.expectations import expectations
from chaos.claims.judge.judge import Judge
from chaos.protocol.digest import ANY_TASK, Digest
from chaos.verify.verdict import Verdict

LATE = 3  # seconds by which the delayed responses come after the others
DELAY = Effect(
    "virtualservice/default/web/0", "web[0]", "web.yaml:9:5", ("GET /",), faults=(delaying(0.5, 5.0),),
    destinations=(("web:80", 1.0),),
)  # fmt: skip


def late(digests: Iterator[Digest], *, known: bool, task: str) -> Iterator[Digest]:
    """The same digests, but what was delayed comes LATE seconds after the rest; `known`: it is pending meanwhile."""
    held: deque[Digest] = deque()
    for digest in [*digests, *(Digest() for _ in range(LATE))]:
        made, delayed = Digest(), Digest()
        for key, tally in digest.tallies.items():
            (delayed if "delay" in key.fault else made).tallies[key] = tally
        held.append(delayed)
        made.pending["", task] = delayed.count
        if len(held) > LATE:
            came = held.popleft()
            made.merge(came)
            made.pending["", task] -= came.count
        if not known:
            made.pending.clear()
        yield made


def verdicts(known: bool, task: str = "GET /", share: float = 0.5) -> list[Verdict]:
    judge = Judge(expectations([PhaseEffects("", (DELAY,))]))
    gateway = SimulatedGateway(delay=lambda _: share)
    found = []
    for digest in late(gateway.seconds(20, 1000), known=known, task=task):
        judge.observe(digest)
        found.append(next(each for each in judge.findings(gateway.counters) if each.kind == "delay").verdict)
    return found


@pytest.mark.parametrize("task", ["GET /", ANY_TASK])
def test_a_right_gateway_before_a_slow_upstream_is_verified_once_the_responses_have_come(task: str) -> None:
    found = verdicts(known=True, task=task)
    assert Verdict.FALSIFIED not in found
    assert found[0] is Verdict.INCONCLUSIVE and found[-1] is Verdict.VERIFIED


def test_without_a_count_of_them_it_would_be_falsified() -> None:
    assert Verdict.FALSIFIED in verdicts(known=False)


def test_those_of_another_task_say_nothing_of_it() -> None:
    assert Verdict.FALSIFIED in verdicts(known=True, task="GET /other")


def test_a_gateway_that_delays_too_few_is_falsified_all_the_same() -> None:
    assert verdicts(known=True, share=0.4)[-1] is Verdict.FALSIFIED
