"""A run's folder becomes four files, whatever its journal holds (chaos/report/pages/render.py)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.journals import Scenario, write

from chaos.errors import InvalidInput
from chaos.report.pages.render import render


def test_a_verified_run_has_a_page_that_says_so(tmp_path: Path) -> None:
    """The verdict comes first, in words, with the command that repeats the run."""
    paths = render(write(tmp_path / "abort50" / "1", Scenario(requests=40_000, seconds=8)))
    page = paths.html.read_text()
    assert paths.outcome == "verified" and paths.exit_code == 0
    assert '<h2 id="verdict">Verified</h2>' in page
    assert "chaos run experiments/abort50.yaml --seed 7" in page


def test_a_run_with_another_engine_says_so_in_its_head_and_promises_no_same_faults(tmp_path: Path) -> None:
    page = render(write(tmp_path / "abort50" / "1", Scenario(engine="Envoy 1.40.0"))).html.read_text()
    assert "measured in Envoy 1.40.0 \u00b7 " in page


def test_a_falsified_run_names_what_does_not_hold(tmp_path: Path) -> None:
    """A gateway that aborts 40 % where the rule says 50 %."""
    paths = render(write(tmp_path / "abort50" / "1", Scenario(requests=40_000, seconds=8, real_abort=0.4)))
    assert paths.outcome == "falsified" and paths.exit_code == 1
    assert "The one expectation does not hold." in paths.html.read_text()


def test_result_json_holds_the_numbers(tmp_path: Path) -> None:
    """The same facts as the page, for tools."""
    paths = render(write(tmp_path / "abort50" / "1"))
    result = json.loads(paths.json.read_text())
    assert result["name"] == "abort50"
    assert result["findings"][0]["observed"]["n"] == result["load"]["delivered"]["requests"]


def test_a_run_that_was_killed_still_has_a_report(tmp_path: Path) -> None:
    """No `end` record: the report shows what there was and says that the run did not end."""
    paths = render(write(tmp_path / "abort50" / "1", Scenario(ended=False)))
    page = paths.html.read_text()
    assert paths.outcome == "unfinished" and paths.exit_code == 5
    assert "The run did not end" in page and "abort 400" in page


@pytest.mark.parametrize("share", [0.15, 0.5, 0.97])
def test_a_torn_journal_is_read_up_to_its_last_whole_line(tmp_path: Path, share: float) -> None:
    """Power went while a line was being written."""
    folder = write(tmp_path / "abort50" / "1", Scenario(requests=8000, seconds=8))
    journal = folder / "journal.jsonl"
    data = journal.read_bytes()
    journal.write_bytes(data[: int(len(data) * share)])
    assert render(folder).outcome == "unfinished"


def test_a_journal_with_nothing_but_a_plan_has_a_report(tmp_path: Path) -> None:
    """Killed before the load began."""
    folder = write(tmp_path / "abort50" / "1")
    journal = folder / "journal.jsonl"
    journal.write_text(journal.read_text().splitlines()[0] + "\n")
    assert "No verdict was reached." in render(folder).html.read_text()


def test_what_is_no_run_is_said_in_one_line(tmp_path: Path) -> None:
    """A folder without a journal, and a folder that is not there."""
    with pytest.raises(InvalidInput, match=rf"^{re.escape(str(tmp_path))}[^:]*: is not the folder of a run"):
        render(tmp_path)
    with pytest.raises(InvalidInput, match="there is no such run"):
        render(tmp_path / "absent")


def test_a_journal_damaged_in_the_middle_is_refused_with_its_line(tmp_path: Path) -> None:
    """Not torn but damaged: nothing is made up around it."""
    folder = write(tmp_path / "abort50" / "1")
    journal = folder / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    lines[4] = lines[4][:50] + "\n"
    journal.write_text("".join(lines))
    with pytest.raises(InvalidInput, match=r"journal\.jsonl:5:1: damaged"):
        render(folder)


def test_the_same_journal_gives_the_same_bytes(tmp_path: Path) -> None:
    """A report can be compared with one that was rendered before."""
    folder = write(tmp_path / "abort50" / "1")
    first = render(folder).html.read_bytes()
    assert render(folder).html.read_bytes() == first
