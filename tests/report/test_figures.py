"""What the figures and the forest plot are made of: shapes, expected mixtures, places (chaos/report)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.journals import Scenario, write

from chaos.claims.finding import Finding
from chaos.protocol.histogram import Histogram
from chaos.report.data import expected, frames
from chaos.report.data.journal import read_run
from chaos.report.data.latency import Shape, binned, log_edges, mix, quantile_band, quantiles
from chaos.report.figures.search import level_of, search
from chaos.report.figures.style import BLUE, figure, nice_steps, styled, to_svg
from chaos.report.pages.page import coded
from chaos.report.tables.documents import documents
from chaos.report.tables.forest import MARGIN, WIDTH, forest_row
from chaos.verify.verdict import Verdict

ABORT = Finding(
    "id", "abort", "abort", Verdict.VERIFIED, configured=0.5, tolerance=0.02, estimate=0.501, interval=(0.482, 0.519)
)


def test_quantiles_of_a_shape_are_those_of_its_histogram() -> None:
    histogram = Histogram.of(range(1, 2001))
    found = quantiles(Shape.of(histogram), np.array([0.001, 0.5, 0.9, 1.0]))
    assert found == pytest.approx(histogram.quantiles([0.001, 0.5, 0.9, 1.0]), rel=1e-3, abs=1e-6)


def test_the_band_holds_the_line_and_narrows_with_more_requests() -> None:
    fractions = np.array([0.5, 0.9])
    widths = []
    for count in (100, 10_000):
        shape = Shape.of(Histogram.of([1000 + 1000 * number // count for number in range(count)]))
        low, high = quantile_band(shape, fractions, 0.95)
        assert (low <= quantiles(shape, fractions)).all() and (quantiles(shape, fractions) <= high).all()
        widths.append((high - low) / shape.at[-1])
    assert (widths[1] < widths[0]).all()


def test_bins_lose_nothing() -> None:
    shape = Shape.of(Histogram.of([3, 50, 900, 12_000, 5_000_000]))
    assert binned(shape, log_edges([shape], 40)).sum() == shape.total == 5


def test_a_mixture_is_the_shapes_moved_and_weighted() -> None:
    """Half of the requests 100 ms later: the distribution has two humps of equal weight."""
    base = Shape.of(Histogram.of([1000] * 10))
    mixed = mix([base.moved(0.1, 50.0), base.moved(0.0, 50.0)])
    assert mixed.total == 100
    assert quantiles(mixed, np.array([0.25, 0.75])) == pytest.approx([0.001, 0.101], rel=1e-3)


def test_the_expected_mixture_shows_a_delay_that_is_short(tmp_path: Path) -> None:
    """What the rules say, not what was seen: 100 ms configured, 80 ms injected."""
    scenario = Scenario(abort=0.0, delay_share=0.5, delay=0.08, requests=4000, seconds=4)
    result = read_run(write(tmp_path / "run", scenario))
    rule = result.plan.rules[0]
    for outcome in rule["outcomes"]:
        outcome["delay"] = 0.1 if outcome["fault"] else 0.0
    told = replace(result, plan=replace(result.plan, rules=(rule,)))
    table = frames.outcomes(told)
    predicted = expected.mixtures(table, expected.injections(told))["main", scenario.tasks[0]]
    assert predicted.total == pytest.approx(int(table["count"].sum()))
    assert quantiles(predicted, np.array([0.75]))[0] == pytest.approx(0.1, abs=0.005)


def test_the_expected_status_shares_follow_from_the_rule(tmp_path: Path) -> None:
    """Half aborted as configured, the rest as the upstream answers; although 40 % were aborted."""
    result = read_run(write(tmp_path / "run", real_abort=0.4, requests=4000, seconds=4))
    shares = expected.status_shares(frames.outcomes(result), expected.injections(result))
    assert shares == pytest.approx({"200": 0.5, "400": 0.5})


def test_expected_statuses_are_those_of_the_plan_s_outcomes(tmp_path: Path) -> None:
    """Whatever fault gives them, and only where it changes the status that requests get without one."""
    result = read_run(write(tmp_path / "run", real_abort=0.4, requests=4000, seconds=4))
    table = frames.outcomes(result)
    key = ("main", "webserver[0]")
    melted = (expected.Planned(0.3, 418, "melt"), expected.Planned(0.7))
    assert expected.status_shares(table, {key: melted}) == pytest.approx({"418": 0.3, "200": 0.7})
    late = (expected.Planned(0.3, 200, "delay", 1.0), expected.Planned(0.7, 200))
    assert expected.status_shares(table, {key: late}) == {}
    assert expected.status_shares(table, {}) == {}


def test_without_an_undelayed_request_there_is_no_mixture(tmp_path: Path) -> None:
    """Nothing to shift: the report leaves the line out and does not make one up."""
    result = read_run(write(tmp_path / "run", abort=0.0, delay_share=1.0, delay=0.1, requests=400, seconds=4))
    assert expected.mixtures(frames.outcomes(result), expected.injections(result)) == {}


def test_a_row_of_the_forest_lies_in_its_drawing_in_order() -> None:
    row = forest_row(ABORT)
    assert row is not None and row.low is not None and row.high is not None and row.estimate is not None
    assert MARGIN <= row.band[0] < row.low < row.target < row.estimate < row.high < row.band[1] <= WIDTH - MARGIN


@pytest.mark.parametrize(
    ("finding", "low", "high"),
    [
        (replace(ABORT, interval=(0.0, 1.0)), True, True),
        (replace(ABORT, interval=(None, 0.519)), True, False),
        (
            replace(ABORT, sense="below", configured=0.05, tolerance=None, estimate=0.3, interval=(0.28, 0.31)),
            False,
            False,
        ),
    ],
)
def test_what_goes_on_past_the_edge_is_marked(finding: Finding, low: bool, high: bool) -> None:
    row = forest_row(finding)
    assert row is not None and (row.beyond_low, row.beyond_high) == (low, high)


def test_a_finding_without_a_claim_has_no_row() -> None:
    assert forest_row(replace(ABORT, configured=None)) is None


@pytest.mark.parametrize(
    ("low", "high", "steps"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (46, 54, [46, 48, 50, 52, 54]), (-0.3, 1.1, [0, 0.5, 1]), (5, 5, [5])],
)
def test_steps_are_round_numbers_within(low: float, high: float, steps: list[float]) -> None:
    assert nice_steps(low, high, 4 if high != 10 else 5) == pytest.approx(steps)


def test_a_figure_has_the_pages_colours_and_text_that_stays_text() -> None:
    """No colour of its own, no outlines of letters, and names escaped."""
    with styled():
        drawn = figure(1.0)
        axes = drawn.subplots()
        axes.plot([1, 2], [1, 2], color=BLUE)
        axes.set_title("a < b & $c_1$")
        svg = to_svg(drawn, "x", "<title>", "a & b")
    assert "var(--blue)" in svg and "#010a" not in svg
    assert "a &lt; b &amp; $c_1$</text>" in svg and "&lt;title&gt;" in svg


def test_lines_of_the_rules_are_numbered_marked_and_lightly_dressed() -> None:
    (document,) = documents({"a/b.yaml": "spec:\n  x: '#1' # why\n"}, ["a/b.yaml:2:3"])
    first, second = document.lines
    assert (first.marked, second.marked) == (False, True)
    assert str(first.html) == "<b>spec</b>:"
    assert str(second.html) == "  <b>x</b>: &#39;#1&#39; <i># why</i>"
    assert second.anchor == "line-a-b-yaml-2"


def test_the_points_of_a_shape_are_the_middles_of_its_buckets() -> None:
    """From a microsecond to an hour."""
    histogram = Histogram.of([0, 1, 2047, 2048, 2049, 70_000, 3_599_999_999])
    middles = [(low + high) / 2 for low, high, _ in histogram.buckets()]
    assert Shape.of(histogram).at == pytest.approx(middles, rel=1e-12)


@pytest.mark.parametrize(
    ("phase", "level"),
    [("abort-22.5\u202f%", 0.225), ("delay-60 %", 0.6), ("fixedDelay-250ms", 0.25), ("recovery", None), ("x-y", None)],
)
def test_a_searchs_phase_names_its_level(phase: str, level: float | None) -> None:
    assert level_of(phase) == (level if level is None else pytest.approx(level))


def test_a_search_is_drawn_with_every_level_it_tried() -> None:
    """A mark for each, whose shape tells the verdict without its colour."""
    levels = (
        ("0", 0.0, Verdict.VERIFIED),
        ("20", 0.05, Verdict.INCONCLUSIVE),
        ("40", 0.3, Verdict.FALSIFIED),
    )
    tried = [
        Finding(
            level,
            "hypothesis",
            f"abort-{level}%: failures < 5%",
            verdict,
            phase=f"abort-{level}\u202f%",
            sense="below",
            configured=0.05,
            estimate=seen,
            interval=(max(0.0, seen - 0.02), seen + 0.02),
        )
        for level, seen, verdict in levels
    ]
    answer = Finding("search", "search", "webserver.abort", Verdict.VERIFIED, estimate=0.2, interval=(0.2, 0.4))
    with styled():
        drawn = search([*tried, answer])
        assert drawn is not None and drawn.svg.count("<use") == 3
        assert search(tried) is None, "without a search there is none to draw"


def test_phases_are_told_in_the_order_in_which_they_ran(tmp_path: Path) -> None:
    """Not by name; and what came between them comes last and stays out of the figures."""
    phases = (("zero", False, 0.5), ("and", True, 0.5))
    folder = write(tmp_path / "run", phases=phases, requests=800, seconds=4)
    journal = folder / "journal.jsonl"
    before, digests, after = journal.read_text().partition('{"type":"digest"')
    journal.write_text(before + digests + after.replace('"phase":"zero"', '"phase":"(transition)"', 1))
    table = frames.outcomes(read_run(folder))
    assert list(dict.fromkeys(table["phase"])) == ["zero", "and", frames.BETWEEN]
    assert set(frames.within_phases(table)["phase"]) == {"zero", "and"}


def test_code_in_a_sentence_is_marked_and_escaped() -> None:
    assert coded("`a < b` holds") == "<code>a &lt; b</code> holds"
    assert coded("a ` b") == "a ` b"
