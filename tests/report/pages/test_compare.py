"""Two runs of one experiment side by side (chaos/report/pages/compare.py)."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.journals import Scenario, write

from chaos.errors import InvalidInput
from chaos.report.data.journal import read_run
from chaos.report.pages.compare import compare, lines_of
from chaos.report.tables.changes import effects as changed
from chaos.report.tables.thresholds import parse_thresholds


def effects(a: Path, b: Path) -> dict[str, dict[str, Any]]:
    record = json.loads(compare(a, b).json.read_text())
    return {each["what"]: each for each in record["effects"]}


def test_equal_runs_show_no_difference_and_say_how_large_one_might_be(tmp_path: Path) -> None:
    """Not "they are the same" but what these runs could have seen."""
    a = write(tmp_path / "a", requests=30_000, seconds=5, seed=1)
    b = write(tmp_path / "b", requests=30_000, seconds=5, seed=2)
    paths = compare(a, b)
    found = effects(a, b)["abort 400"]
    assert not paths.different and not found["seen"]
    assert found["interval"][0] < 0 < found["interval"][1]
    assert "No difference that these runs could have seen" in paths.html.read_text()


def test_a_changed_share_is_seen_with_its_size_and_interval(tmp_path: Path) -> None:
    """B aborts ten points less; that is what the interval holds."""
    a = write(tmp_path / "a", requests=30_000, seconds=5)
    b = write(tmp_path / "b", requests=30_000, seconds=5, real_abort=0.4, seed=2)
    found = effects(a, b)["abort 400"]
    assert found["seen"] and found["interval"][0] < -0.1 < found["interval"][1]
    assert "B is lower than A by" in found["sentence"]


def test_what_the_gateway_alone_counted_is_compared_by_its_count(tmp_path: Path) -> None:
    """The calls of an application: no user sees their faults."""
    runs = [read_run(write(tmp_path / str(seed), requests=30_000, seconds=5, seed=seed)) for seed in (1, 2)]
    unseen = [
        replace(run, findings=[replace(each, drawn=each.observed, observed=None) for each in run.findings])
        for run in runs
    ]
    assert [each.what for each in changed(*unseen, only_shares=True)] == ["abort 400"]
    half = replace(unseen[1], findings=runs[1].findings)
    assert changed(unseen[0], half, only_shares=True) == (), "two ledgers are no comparison"


def test_a_slower_run_is_seen_in_its_latencies(tmp_path: Path) -> None:
    """100 ms on half of the requests move the 90th percentile by 100 ms, and the median by less than that."""
    a = write(tmp_path / "a", requests=30_000, seconds=5, abort=0.0)
    b = write(tmp_path / "b", requests=30_000, seconds=5, abort=0.0, delay_share=0.3, delay=0.1)
    found = effects(a, b)
    assert found["p90 latency"]["seen"] and found["p90 latency"]["difference"] == pytest.approx(0.1, abs=0.01)
    assert abs(found["p50 latency"]["difference"]) < 0.01


def test_what_was_different_about_the_runs_is_listed(tmp_path: Path) -> None:
    """Seeds, settings and the rules themselves."""
    scenario = Scenario()
    a = write(tmp_path / "a", scenario)
    b = write(tmp_path / "b", scenario, seed=8, document=scenario.document.replace("value: 50", "value: 51"))
    paths = compare(a, b)
    page = paths.html.read_text()
    assert {"name": "seed", "a": "7", "b": "8"} in json.loads(paths.json.read_text())["changes"]
    assert "-          value: 50" in page and "+          value: 51" in page


def test_runs_of_two_experiments_are_not_compared(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a"), write(tmp_path / "b", name="another")
    with pytest.raises(
        InvalidInput, match="is a run of 'another', the other of 'abort50'; only runs of one experiment"
    ):
        compare(a, b)


def test_a_run_without_requests_compares_as_far_as_it_goes(tmp_path: Path) -> None:
    """Killed before the load began."""
    a, b = write(tmp_path / "a"), write(tmp_path / "b")
    journal = b / "journal.jsonl"
    journal.write_text(journal.read_text().splitlines()[0] + "\n")
    paths = compare(a, b)
    assert (
        not paths.different and paths.outcome == "unknown" and "Only one of the runs has it" in paths.html.read_text()
    )


def test_a_run_is_not_compared_with_itself(tmp_path: Path) -> None:
    a = write(tmp_path / "a")
    with pytest.raises(InvalidInput, match="is the run that it is to be compared with"):
        compare(a, a / "journal.jsonl")


class TestWhatMatters:
    """Exit codes of `chaos compare`: 0 for none, 1 for worse, 3 when the runs cannot tell."""

    @pytest.mark.parametrize(
        ("more", "thresholds", "outcome"),
        [
            ({}, "failures=3,shares=3", "none"),
            ({}, "shares=0.1", "unknown"),
            ({"real_abort": 0.4}, "", "worse"),
            ({"real_abort": 0.4}, "shares=15,failures=15,latency=1s", "none"),
            ({"delay_share": 0.3, "delay": 0.1}, "", "worse"),
            ({"delay_share": 0.3, "delay": 0.1}, "latency=200ms,failures=100,shares=100", "none"),
        ],
    )
    def test_a_change_counts_when_it_is_surely_beyond_its_threshold(
        self, tmp_path: Path, more: dict[str, Any], thresholds: str, outcome: str
    ) -> None:
        a = write(tmp_path / "a", requests=60_000, seconds=5, seed=1)
        b = write(tmp_path / "b", requests=60_000, seconds=5, seed=2, **more)
        paths = compare(a, b, thresholds=parse_thresholds(thresholds))
        assert paths.outcome == outcome and json.loads(paths.json.read_text())["outcome"] == outcome

    def test_the_terminal_has_the_numbers(self, tmp_path: Path) -> None:
        a = write(tmp_path / "a", requests=60_000, seconds=5)
        b = write(tmp_path / "b", requests=60_000, seconds=5, real_abort=0.4, seed=2)
        lines = lines_of(compare(a, b))
        (abort,) = [line for line in lines if "abort 400" in line]
        assert "A 49.7 %" in abort and "B 40.2 %" in abort and "points" in abort and abort.endswith("changed")
        assert lines[-1].startswith("Changed: ")

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("p95", "write NAME=VALUE"),
            ("p96=10%", "'p96=10%': write NAME=VALUE, with a name of p50"),
            ("p95=ten", "p95=ten: write 10% or 20ms"),
            ("failures=10ms", "write a number of points, like 1"),
            ("latency=-5%", "write 10% or 20ms"),
        ],
    )
    def test_a_bad_threshold_is_shown_with_what_would_be_right(self, text: str, problem: str) -> None:
        with pytest.raises(InvalidInput, match=re.escape(problem)):
            parse_thresholds(text)


class TestEngines:
    """`chaos compare --engines`: whether what carried out the rules does the same, within the runs' tolerance."""

    ENVOY = "Envoy 1.40.0"

    @pytest.mark.parametrize(
        ("requests", "real", "outcome", "says"),
        [
            (60_000, 0.5, "none", "Our gateway and Envoy 1.40.0 do the same, as far as shares go"),
            (60_000, 0.45, "worse", "Our gateway and Envoy 1.40.0 do not do the same"),
            (8_000, 0.5, "unknown", "Our gateway and Envoy 1.40.0 may do the same, but the runs cannot tell"),
        ],
    )
    def test_two_engines_are_compared_by_their_shares(
        self, requests: int, real: float, outcome: str, says: str, tmp_path: Path
    ) -> None:
        a = write(tmp_path / "a", requests=requests, seconds=5, seed=1)
        b = write(tmp_path / "b", requests=requests, seconds=5, seed=2, engine=self.ENVOY, real_abort=real)
        paths = compare(a, b, engines=True)
        lines = lines_of(paths)
        assert paths.outcome == outcome and lines[-1].startswith(f"{says}: ")
        assert not any("latency" in line for line in lines) and says in paths.html.read_text()
        assert ("requests each would tell" in lines[-1]) is (outcome == "unknown")

    def test_a_threshold_of_the_user_counts_instead_of_the_tolerance(self, tmp_path: Path) -> None:
        a = write(tmp_path / "a", requests=60_000, seconds=5, seed=1)
        b = write(tmp_path / "b", requests=60_000, seconds=5, seed=2, engine=self.ENVOY, real_abort=0.45)
        assert compare(a, b, thresholds=parse_thresholds("shares=10"), engines=True).outcome == "none"

    def test_two_runs_with_one_engine_are_refused(self, tmp_path: Path) -> None:
        a, b = (write(tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 2)))
        with pytest.raises(InvalidInput, match="is a run with our gateway, as the other is; --engines compares two"):
            compare(a, b, engines=True)
