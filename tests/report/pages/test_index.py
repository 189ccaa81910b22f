"""All runs on one page, with the history of each experiment (chaos/report/pages/index.py)."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from support.journals import Scenario, write

from chaos.report.pages.index import render_index
from chaos.report.pages.render import render


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs of one experiment, the last of them falsified, and an older run of another."""
    root = tmp_path_factory.mktemp("rendered") / "reports"
    for number, share in enumerate((0.5, 0.5, 0.4)):
        started = f"2026-11-2{number}T10:00:00+00:00"
        render(write(root / "abort50" / str(number), requests=30_000, seconds=5, real_abort=share, started=started))
    render(write(root / "other" / "1", Scenario(name="other", started="2026-11-01T10:00:00+00:00")))
    return root


@pytest.fixture
def reports(rendered: Path, tmp_path: Path) -> Path:
    """A copy of them, to be changed."""
    return Path(shutil.copytree(rendered, tmp_path / "reports"))


def test_the_experiment_that_ran_last_comes_first(reports: Path) -> None:
    page = render_index(reports).read_text()
    assert page.index(">abort50</h2>") < page.index(">other</h2>")


def test_a_run_links_to_its_report_and_says_its_outcome(reports: Path) -> None:
    page = render_index(reports).read_text()
    assert 'href="abort50/2/report.html"' in page
    assert page.index("Falsified") < page.index("Verified"), "the newest run of an experiment comes first"


def test_the_history_has_a_point_per_run(reports: Path) -> None:
    """The observed share of each run, oldest first, against what was configured."""
    page = render_index(reports).read_text()
    line = page[page.index('class="spark"') :].partition("</svg>")[0]
    assert line.count("<circle") == 3 and "3 runs: 49.5" in line


def test_runs_without_a_result_are_named_at_the_end_alone(reports: Path) -> None:
    """Killed, or still going on: no row, no part of an experiment's history, and no heading of their own."""
    before = rows_of(render_index(reports).read_text())
    write(reports / "abort50" / "9")
    write(reports / "killed" / "1")
    page = render_index(reports).read_text()
    assert rows_of(page) == before and ">killed</h2>" not in page
    assert page.index("2 runs without a result") < page.index('href="killed/1/"') < page.index("</main>")


def test_a_run_with_a_result_alone_leads_to_it(reports: Path) -> None:
    """`--no-report` leaves no page that a link could open."""
    (reports / "abort50" / "2" / "report.html").unlink()
    page = render_index(reports).read_text()
    assert 'href="abort50/2/result.json"' in page and "no report, only result.json" in page


def test_every_claim_of_a_run_is_there_the_worst_first(reports: Path) -> None:
    """The first few at once, the others to unfold."""
    result = reports / "abort50" / "2" / "result.json"
    told = json.loads(result.read_text())
    (found,) = told["findings"]
    more = [{**found, "id": f"{number}", "title": f"claim {number}", "verdict": "verified"} for number in range(7)]
    result.write_text(json.dumps({**told, "findings": [*more, found]}))
    page = render_index(reports).read_text()
    row = page[page.index('href="abort50/2/report.html"', page.index("<tbody>")) :].partition("</tr>")[0]
    assert all(f"claim {number}" in row for number in range(7)) and row.count("<li>") == 8
    assert row.index("abort 400") < row.index("claim 0") and "4 more claims, all verified</summary>" in row


def test_latest_leads_to_the_newest_report(reports: Path) -> None:
    """By a relative address, which is right from a file, a server and a build's artifacts; a run without a page is no
    report."""
    write(reports / "abort50" / "9")
    render(write(reports / "abort50" / "8"))
    page = render_index(reports).read_text()
    lead = (reports / "latest.html").read_text()
    assert 'content="0; url=abort50/8/report.html"' in lead and 'href="abort50/8/report.html"' in lead
    assert 'href="latest.html"' in page


def test_names_are_quoted_where_they_are_addresses(tmp_path: Path) -> None:
    """A hash would end the path, a quotation mark the attribute."""
    folder = tmp_path / "reports" / '50% #1; "x"' / "1"
    render(write(folder, Scenario(name=folder.parent.name)))
    render_index(tmp_path / "reports")
    assert "url=50%25%20%231%3B%20%22x%22/1/report.html" in (tmp_path / "reports" / "latest.html").read_text()


def rows_of(page: str) -> int:
    return page.count('<tr class="card">')


def test_a_run_rendered_again_is_read_again(reports: Path) -> None:
    """The cache goes by the time of result.json, not by its name."""
    render_index(reports)
    result = reports / "other" / "1" / "result.json"
    result.write_text(result.read_text().replace('"seed": 7', '"seed": 4711'))
    stamp = result.stat().st_mtime_ns + 5_000_000
    os.utime(result, ns=(stamp, stamp))
    assert ">4711<" in render_index(reports).read_text()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 1, "runs": 3}', '{"schema": 99, "runs": {}}'])
def test_a_damaged_cache_costs_nothing_but_time(reports: Path, content: str) -> None:
    expected = render_index(reports).read_text()
    (reports / "index.json").write_text(content)
    assert render_index(reports).read_text() == expected


def test_a_damaged_result_leaves_the_other_runs_alone(reports: Path) -> None:
    (reports / "other" / "1" / "result.json").write_text('{"name": 1}')
    page = render_index(reports).read_text()
    assert "1 run without a result" in page and ">abort50</h2>" in page


def test_no_run_at_all_is_said(tmp_path: Path) -> None:
    assert "No run yet" in render_index(tmp_path).read_text()
    assert not (tmp_path / "latest.html").exists(), "there is no report to lead to"
