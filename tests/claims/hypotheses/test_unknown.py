"""What is in flight may end in any way: a hypothesis is decided only if it would be whatever became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from chaos.claims.finding import Finding, Tally
from chaos.claims.hypotheses.expression import Names, parse_expression
from chaos.claims.hypotheses.judging import Hypotheses
from chaos.claims.hypotheses.safeguards import Safeguard
from chaos.claims.judge.judge import Judge
from chaos.protocol.digest import ANY_TASK, Digest, Key
from chaos.verify.verdict import Verdict

V, F, U = Verdict.VERIFIED, Verdict.FALSIFIED, Verdict.INCONCLUSIVE

NAMES = Names(("baseline", "fault", "recovery"), ("cart", "other"), ("web",))
RULE = "virtualservice/default/web/0"


def second(
    n: int = 1000, *, failed: int = 0, slow: int = 0, pending: int = 0, task: str = "cart", phase: str = ""
) -> Digest:
    """A second's digest: of n responses after about 50 ms some failed, and of a cohort some are in flight (`pending`)
    or came after 900 ms (`slow`)."""
    made = Digest()
    for number in range(n):
        made.add(Key(phase, "cart", "", "", 503 if number < failed else 200), 45_000 + 10 * number)
    for _ in range(slow):
        made.add(Key(phase, "cart", "", "", 200), 900_000)
    if pending:
        made.pending[phase, task] = pending
    return made


def judged(text: str, digests: Sequence[Digest]) -> Finding:
    judge = Judge((), hypotheses=Hypotheses([parse_expression(text, NAMES)]))
    (finding,) = judge.findings(None)
    for digest in digests:
        judge.observe(digest)
        (finding,) = judge.findings(None)
    return finding


@pytest.mark.parametrize("task", ["cart", ANY_TASK])
@pytest.mark.parametrize("text", ["p99 < 200ms", "failures < 1%", "cart.errors < 1%", "successes > 99%"])
def test_what_hangs_keeps_open_what_it_could_refute(text: str, task: str) -> None:
    """Fifteen of a thousand hang: without them each of these would be verified."""
    found = judged(text, [second(pending=15, task=task) for _ in range(10)])
    assert (found.verdict, found.unknown) == (U, 150)
    assert "of 150 more nobody can tell" in found.sentence
    assert judged(text, [second() for _ in range(10)]).verdict is V


@pytest.mark.parametrize(
    ("text", "verdict"), [("p99 < 200ms", F), ("failures < 1%", V), ("p50 < 200ms", V), ("p99 > 200ms", V)]
)
def test_what_has_come_after_all_decides(text: str, verdict: Verdict) -> None:
    """Fifteen of the first second's requests come at the very end."""
    digests = [second(pending=15), *(second(slow=15) for _ in range(30)), second(0, slow=15, pending=-15)]
    found = judged(text, digests)
    assert found.verdict is verdict
    assert found.unknown == 0 and "nobody can tell" not in found.sentence


@pytest.mark.parametrize(("text", "verdict"), [("p50 < 200ms", V), ("failures < 10%", V), ("failures > 10%", F)])
def test_what_it_cannot_change_is_decided_all_the_same(text: str, verdict: Verdict) -> None:
    assert judged(text, [second(pending=15) for _ in range(10)]).verdict is verdict


def test_requests_of_another_task_or_phase_do_not_count() -> None:
    assert judged("cart.failures < 1%", [second(pending=15, task="other") for _ in range(10)]).verdict is V
    before = [second(pending=15, phase="baseline") for _ in range(10)]
    assert judged("recovery: failures < 1%", [*before, *(second(phase="recovery") for _ in range(10))]).verdict is V


def test_a_window_may_hold_what_was_sent_before_it() -> None:
    digests = [*(second(pending=30, phase="recovery") for _ in range(5)), *(second(phase="recovery") for _ in range(5))]
    found = judged("recovery: failures < 1% within 5s", digests)
    assert (found.verdict, found.unknown) == (U, 150)


@pytest.mark.parametrize(("side", "what"), [("baseline", "failures"), ("fault", "failures"), ("fault", "p99")])
def test_a_comparison_is_open_while_either_side_is(side: str, what: str) -> None:
    text = f"fault: {what} < 1.5 * baseline.{what}"
    known = [second(phase=phase, failed=100) for phase in ("baseline", "fault") for _ in range(30)]
    assert judged(text, known).verdict is V
    hanging = Digest()
    hanging.pending[side, "cart"] = 10_000
    found = judged(text, [*known, hanging])
    assert "verified earlier" in found.sentence or found.verdict is U
    assert judged(text, [hanging, *known]).verdict is U


def test_none_of_them_has_ended() -> None:
    found = judged("p99 < 1s", [second(0, pending=40)])
    assert found.verdict is U and "None of 40 requests has ended" in found.sentence


def test_masking_is_open_while_requests_that_met_faults_are_in_flight() -> None:
    def found(pending: int) -> Finding:
        hypotheses = Hypotheses([parse_expression("masked(web) > 90%")], {"web": (RULE,)})
        ids = [f"{number:036d}" for number in range(2000)]
        faulted: list[Any] = [{"id": each, "rule": RULE, "fault": "abort", "phase": ""} for each in ids]
        hypotheses.masking.add_faulted(faulted)
        hypotheses.masking.add_sample([[each, "cart", 200, "", ""] for each in ids[:1000]])
        judge = Judge((), hypotheses=hypotheses)
        judge.observe(second(pending=pending))
        (finding,) = judge.findings(None)
        return finding

    assert (found(0).verdict, found(0).observed) == (V, Tally(1000, 1000))
    assert (found(300).verdict, found(300).unknown) == (U, 300)
    assert found(5000).unknown == 1000, "no more than the faults that belong to nobody yet"


def test_a_safeguard_does_not_stop_a_run_for_what_may_still_end_well() -> None:
    guard = Safeguard(parse_expression("failures > 20%"))
    assert guard.observe(second(100, failed=5, pending=900)) is None
    guard = Safeguard(parse_expression("failures < 20%"))
    assert guard.observe(second(1000, failed=500)) is not None
