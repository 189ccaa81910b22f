"""Two runs side by side."""

from __future__ import annotations

import json

import numpy as np
import pytest

from chaos.experiment.compare import Comparison, compare, no_difference
from chaos.experiment.finding import Finding, Tally
from chaos.journal.digest import Digest, Key
from chaos.verify.verdict import Verdict


def run(n: int, *, failing: float = 0.02, latency: float = 0.05, task: str = "cart", seed: int = 1) -> Digest:
    random = np.random.default_rng(seed)
    digest = Digest()
    for took, fails in zip(random.lognormal(0, 0.3, n) * latency, random.random(n) < failing, strict=True):
        digest.add(Key("", task, "", "", 503 if fails else 200), int(took * 1e6))
    return digest


def by_name(found: list[Comparison]) -> dict[str, Comparison]:
    return {each.what: each for each in found}


def test_equal_runs_show_no_difference_and_say_how_small_one_would_have_been_seen() -> None:
    found = compare(run(3000), run(3000, seed=2))
    assert no_difference(found) and [each.what for each in found] == ["failures", "p50", "p95", "p99"]
    assert "no difference that these runs could have seen" in found[0].sentence and "points" in found[0].sentence
    assert all(each.low is not None and each.low <= 0 for each in found)


def test_what_has_grown_is_seen() -> None:
    found = by_name(compare(run(5000), run(5000, failing=0.08, latency=0.07, seed=2)))
    assert found["failures"].seen and found["p50"].seen
    assert found["failures"].difference == pytest.approx(0.06, abs=0.02)
    low, high = found["p50"].low, found["p50"].high
    assert low is not None and high is not None and low <= 0.02 <= high
    assert "more than before" in found["failures"].sentence


def test_a_few_requests_show_no_quantile() -> None:
    found = by_name(compare(run(20), run(20, latency=5, seed=2)))
    assert not found["p99"].seen and found["p99"].high is None
    assert json.loads(json.dumps(found["p99"].to_dict()))["high"] is None


def test_findings_are_compared_by_their_counts() -> None:
    def finding(k: int) -> Finding:
        return Finding("a#abort", "abort", "abort 400", Verdict.VERIFIED, rule_name="web", observed=Tally(k, 10_000))

    found = by_name(compare(run(100), run(100), ([finding(5000)], [finding(4000)])))
    assert found["web abort 400"].seen and found["web abort 400"].difference == pytest.approx(-0.1)
    assert "less than before" in found["web abort 400"].sentence


def test_runs_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="no task and no rule in common"):
        compare(run(10), run(10, task="other"))
