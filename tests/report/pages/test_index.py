"""All runs on one page, with the history of each experiment (chaos/report/pages/index.py)."""

from __future__ import annotations

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


def test_a_run_without_a_report_is_listed_as_such(reports: Path) -> None:
    """Killed, or still going on."""
    write(reports / "abort50" / "9")
    assert "Not rendered yet" in render_index(reports).read_text()


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
    assert "Not rendered yet" in page and ">abort50</h2>" in page


def test_no_run_at_all_is_said(tmp_path: Path) -> None:
    assert "No run yet" in render_index(tmp_path).read_text()
