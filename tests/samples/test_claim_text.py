"""Claims about a share, as they are written on the command line and in files of counts."""

from __future__ import annotations

import pytest

from chaos.samples.claim_text import ClaimError, parse_claim


@pytest.mark.parametrize(
    ("text", "kind", "share", "tolerance"),
    [
        ("abort 50% ± 2", "abort", 0.5, 0.02),
        ("abort 503 50 % +- 2 points", "abort", 0.5, 0.02),
        ("aborted 0.5% +/- 0.1%", "abort", 0.005, 0.001),
        ("delay 5s 10%", "delay", 0.1, None),
        ("status(503) 50%±2", "share", 0.5, 0.02),
        ('storm: "GET /cart".failures 100%', "share", 1.0, None),
    ],
)
def test_a_claim_has_what_is_counted_a_share_and_perhaps_a_tolerance(
    text: str, kind: str, share: float, tolerance: float | None
) -> None:
    claim = parse_claim(text)
    assert (claim.kind, claim.share, claim.tolerance) == (kind, pytest.approx(share), pytest.approx(tolerance))


def test_a_fault_may_be_of_a_phase_and_a_task_with_its_status_or_duration() -> None:
    abort = parse_claim('storm: "GET /cart".abort 503 50%')
    assert abort.measure is not None
    assert (abort.measure.phase, abort.measure.task, abort.status) == ("storm", "GET /cart", 503)
    delay = parse_claim("checkout.delay 1m30s 10%")
    assert delay.measure is not None
    assert (delay.measure.task, delay.seconds) == ("checkout", 90.0)


def test_words_of_counts_may_be_any() -> None:
    claim = parse_claim("reviews v2 20% ± 1", counted=True)
    assert (claim.what, claim.kind, claim.measure) == ("reviews v2", "share", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("abort 50", "'abort 50' has no share; write it like `abort 50% ± 2`"),
        ("50%", "'50%' is no claim; write it like `abort 50% ± 2`"),
        ("abort 120%", "120 % in 'abort 120%' is not between 0 and 100"),
        ("abort 50% ± 0", "a tolerance of 0 points in 'abort 50% ± 0' is not between 0 and 50"),
        ("abort 5xx 50%", "'5xx' in 'abort 5xx 50%' is no status; write it like `abort 503 50%`"),
        ("delay 5 50%", "'5' is not a duration; write it like 5s, 100ms or 1m30s, in 'delay 5 50%'"),
        ("failuers 5%", "unknown metric 'failuers'; did you mean 'failures'? (in 'failuers 5%')"),
        ("p99 50%", "p99 is a latency; compare it with a duration like 200ms, in 'p99 50%'"),
    ],
)
def test_what_is_no_claim_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(ClaimError) as refused:
        parse_claim(text)
    assert str(refused.value) == message
