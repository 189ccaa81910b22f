"""Two runs of one experiment side by side (chaos/report/pages/compare.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.journals import Scenario, write

from chaos.errors import InvalidInput
from chaos.report.pages.compare import compare


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
    assert not paths.different and "Only one of the runs has it" in paths.html.read_text()
