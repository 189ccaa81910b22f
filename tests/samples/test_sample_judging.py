"""The verdict on samples and counts is the one that a run with the same counts has; what a file cannot know is not
judged, and order and time are used where they are known."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from chaos.claims.finding import Finding
from chaos.claims.hypotheses.expression import parse_expression
from chaos.claims.judge.judge import Judge
from chaos.claims.kinds.abort import AbortClaim
from chaos.errors import InvalidInput
from chaos.protocol.digest import Digest, Key
from chaos.samples.claim_text import parse_claim
from chaos.samples.detect import Options, Text, source_of
from chaos.samples.judging import CountedClaim, SampleJudge, judge_counts
from chaos.samples.seconds import Gatherer
from chaos.verify.verdict import Verdict


def judged(
    lines: Iterable[str], *, claims: tuple[str, ...] = (), expect: tuple[str, ...] = (), confidence: float = 0.99
) -> list[Finding]:
    """Judge a CSV or NDJSON."""
    judge = SampleJudge(
        [parse_claim(text) for text in claims],
        [parse_expression(text) for text in expect],
        confidence=confidence,
        tolerance=0.02,
    )
    source = source_of([Text("requests", lines)], Options())
    gatherer = Gatherer(source, judge.named)
    for stretch in gatherer.stretches():
        judge.observe(stretch.digest, stretch.seconds)
    judge.require_names(gatherer.tasks, gatherer.phases)
    return judge.findings(source, gatherer.order.parts)


def csv(faults: Iterable[str], *, rate: int = 100, shuffled: int | None = None) -> list[str]:
    """Requests, each with the fault; `shuffled` swaps them within a second, as a log written at their ends has them."""
    rows = [
        f"{1000 + number / rate:.4f},buy,{503 if fault else 200},{1 if fault else 5 + number % 7},{fault}\n"
        for number, fault in enumerate(faults)
    ]
    if shuffled is not None:
        chance = random.Random(shuffled)
        rows = [row for at in range(0, len(rows), rate) for row in chance.sample(rows[at : at + rate], rate)]
    return ["time,task,status,latency_ms,fault\n", *rows]


def drawn(share: float, count: int, seed: int = 1) -> list[str]:
    chance = random.Random(seed)
    return ["abort" if chance.random() < share else "" for _ in range(count)]


def by_a_run(k: int, n: int, confidence: float) -> Finding:
    """What a run's judge says of an abort of 50 % with so many hits."""
    claim = AbortClaim(id="a", title="abort", rule_name="r", share=0.5, tolerance=0.02, status=503)
    digest = Digest()
    for status, fault, count in ((503, "abort", k), (200, "", n - k)):
        for _ in range(count):
            digest.add(Key("", "t", "r", "", status, fault), 1000)
    judge = Judge([claim], confidence)
    judge.observe(digest)
    return judge.findings(None)[0]


@pytest.mark.parametrize("confidence", [0.99, 0.95])
@pytest.mark.parametrize(
    ("k", "n"), [(0, 0), (1, 2), (250, 500), (375, 500), (2480, 5000), (4980, 10000), (4600, 9000)]
)
def test_counts_have_the_verdict_and_the_sentence_of_a_run_with_the_same_counts(
    k: int, n: int, confidence: float
) -> None:
    claim = CountedClaim(parse_claim("abort 503 50% ± 2", counted=True), k, n)
    found, run = judge_counts([claim], confidence=confidence, tolerance=0.02)[0], by_a_run(k, n, confidence)
    same = ("verdict", "cause", "observed", "estimate", "interval", "needed", "alpha", "tolerance", "configured")
    assert [getattr(found, name) for name in same] == [getattr(run, name) for name in same]
    if n:
        assert found.sentence == run.sentence


@pytest.mark.parametrize("share", [0.5, 0.52, 0.55])
def test_samples_have_the_verdict_of_a_run_with_the_same_counts(share: float) -> None:
    faults = drawn(share, 6000)
    found = judged(csv(faults, shuffled=3), claims=("abort 503 50% ± 2",))[0]
    run = by_a_run(faults.count("abort"), len(faults), 0.99)
    assert (found.verdict, found.interval, found.sentence) == (run.verdict, run.interval, run.sentence)


def test_several_claims_share_alpha_and_each_has_its_own_counts() -> None:
    texts = ("abort 50%", "cache hit 90% ± 1", "abort 0%")
    found = judge_counts(
        [
            CountedClaim(parse_claim(text, counted=True), *of)
            for text, of in zip(texts, ((5, 9), (8, 9), (0, 0)), strict=True)
        ],
        confidence=0.99,
        tolerance=0.02,
    )
    assert sum(each.alpha for each in found) == pytest.approx(0.01)
    assert [each.observed and each.observed.n for each in found] == [9, 9, None]
    assert found[2].sentence == "No request that it applies to was seen."


# ------------------------------------------------------------------ time and order


def test_a_share_that_is_right_only_on_average_over_time_is_found() -> None:
    halves = [*drawn(0.3, 4000), *drawn(0.7, 4000, 2)]
    found = judged(csv(halves, shuffled=1), claims=("abort 503 50% ± 2",))[0]
    assert (found.verdict, found.cause) == (Verdict.FALSIFIED, "drift")


def test_without_times_nothing_is_said_of_drift() -> None:
    halves = [*drawn(0.3, 4000), *drawn(0.7, 4000, 2)]
    lines = ["status,fault\n", *(f"{503 if fault else 200},{fault}\n" for fault in halves)]
    assert judged(lines, claims=("abort 503 50% ± 3",))[0].verdict is Verdict.VERIFIED


def test_turns_are_found_where_the_order_of_sending_is_known_and_only_there() -> None:
    turns = ["abort", ""] * 3000
    known = judged(csv(turns), claims=("abort 503 50% ± 2",))[0]
    assert (known.verdict, known.cause) == (Verdict.FALSIFIED, "by-turns")
    assert judged(csv(turns, shuffled=1), claims=("abort 503 50% ± 2",))[0].cause == ""


def test_rows_that_share_their_time_have_no_order() -> None:
    rows = csv(["abort", ""] * 3000)
    whole = [rows[0], *(f"{row.split('.')[0]}{row[row.index(',') :]}" for row in rows[1:])]
    assert judged(whole, claims=("abort 503 50% ± 2",))[0].cause == ""


def test_a_quantile_needs_times_and_says_so() -> None:
    timed = csv(drawn(0.0, 6000))
    assert judged(timed, expect=("p99 < 20ms",))[0].verdict is Verdict.VERIFIED
    untimed = [row.partition(",")[2] for row in timed]
    found = judged(untimed, expect=("p99 < 20ms", "failures < 1%"))
    assert [each.verdict for each in found] == [Verdict.NOT_JUDGED, Verdict.VERIFIED]
    assert (
        found[0].sentence
        == "Not judged: the file has no times, by which to tell how much requests depend on each other."
    )
    assert (found[0].alpha, found[1].alpha) == (0.0, pytest.approx(0.01))  # what is not judged costs nothing


def test_a_request_is_counted_in_the_second_in_which_it_was_sent() -> None:
    """In the order of their ends, delayed ones come late: the first seconds would have none."""
    chance = random.Random(4)
    sent = [(1000 + number / 100, "delay" if chance.random() < 0.5 else "") for number in range(8000)]
    ended = sorted((at + (5.0 if fault else 0.01), 5.0 if fault else 0.01, fault) for at, fault in sent)
    lines = ["end,latency_s,status,fault\n", *(f"{end:.4f},{took},200,{fault}\n" for end, took, fault in ended)]
    assert judged(lines, claims=("delay 5s 50% ± 3",))[0].verdict is Verdict.VERIFIED


def test_a_delay_is_judged_by_latencies_where_nothing_says_which_were_delayed() -> None:
    chance = random.Random(4)
    rows = (f"{1000 + number / 100},{2.001 if chance.random() < 0.5 else 0.001},200\n" for number in range(8000))
    found = judged(["time,latency_s,status\n", *rows], claims=("delay 2s 50% ± 3", "delay 50% ± 3"))
    assert [each.verdict for each in found] == [Verdict.VERIFIED, Verdict.NOT_JUDGED]


@pytest.mark.parametrize(("took", "verdict"), [(0.015, Verdict.VERIFIED), (0.004, Verdict.FALSIFIED)])
def test_a_delay_may_be_a_little_short_as_envoys_are_but_not_by_half(took: float, verdict: Verdict) -> None:
    chance = random.Random(4)
    faults = ["delay" if chance.random() < 0.5 else "" for _ in range(8000)]
    rows = (f"{1000 + n / 100},{took if fault else 0.001},200,{fault}\n" for n, fault in enumerate(faults))
    assert judged(["time,latency_s,status,fault\n", *rows], claims=("delay 20ms 50% ± 3",))[0].verdict is verdict


# ------------------------------------------------------------------ what cannot be known


def test_an_abort_is_not_judged_where_nothing_says_which_were_aborted() -> None:
    lines = ["time,status\n", *(f"{1000 + number / 100},{503 if number % 3 else 200}\n" for number in range(300))]
    found = judged(lines, claims=("abort 503 50%",), expect=("aborted < 5%", "masked(shop) > 5%"))
    assert {each.verdict for each in found} == {Verdict.NOT_JUDGED}
    assert "`status(503) 50%` is judged by statuses alone" in found[0].sentence


def test_requests_without_a_response_may_have_met_anything() -> None:
    faults = drawn(0.5, 4000)
    lines = csv(faults, shuffled=1)
    lost = [line.replace(",503,", ",0,") for line in lines[1:401]]
    found = judged([lines[0], *lost, *lines[401:]], claims=("abort 503 50% ± 2",))[0]
    assert found.unknown == sum(",0," in line for line in lost)
    assert found.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        ("byu.failures < 5%", "--expect:1:1: unknown task 'byu'; did you mean 'buy'? (in `byu.failures < 5%`)"),
        ("storm: p99 < 1s", "--expect:1:1: unknown phase 'storm'; there are none, in `storm: p99 < 1s`"),
    ],
)
def test_names_that_no_sample_has_are_refused_with_the_nearest(expect: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        judged(csv([""] * 10), expect=(expect,))
    assert str(refused.value) == message


def test_phases_of_a_column_are_kept_apart() -> None:
    rows = (f"{1000 + n / 100},{503 if n >= 2000 else 200},{'storm' if n >= 2000 else 'calm'}\n" for n in range(4000))
    found = judged(["time,status,phase\n", *rows], expect=("calm: failures < 1%", "storm: failures < 1%"))
    assert [each.verdict for each in found] == [Verdict.VERIFIED, Verdict.FALSIFIED]
    both = judged(["status,phase\n", "200,calm\n"], claims=("calm: status(200) 100%",))[0]
    assert replace(both, interval=None).observed is not None


# ------------------------------------------------------------------ size


def test_memory_does_not_grow_with_the_number_of_rows() -> None:
    def lines(count: int) -> Iterator[str]:
        yield "time,task,status,latency_ms\n"
        for number in range(count):  # 100 seconds, whatever their number
            yield f"{1000 + 100 * number / count:.4f},task{number % 2},200,{number % 5}\n"

    def peak(count: int) -> int:
        tracemalloc.start()
        judged(lines(count), expect=("failures < 1%",))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(500)  # what is imported and cached
    assert peak(24_000) < 1.5 * peak(8_000)
