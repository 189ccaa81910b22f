"""Each task has panels of its own, and what they show can be read as numbers (chaos/report/figures)."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from support.journals import Scenario, records

from chaos.journal.records import DigestLine
from chaos.journal.result import Result
from chaos.journal.timeline import Timeline
from chaos.report.figures.all import drawings
from chaos.report.figures.model import Drawing
from chaos.report.tables.all import Tables

QUICK_AND_LATE = Scenario(
    requests=4_000,
    seconds=8,
    abort=0.03,
    delay_share=0.2,
    delay=0.2,
    tasks=("front", "cart"),
    phases=(("baseline", False, 0.5), ("fault", True, 0.5)),
)


def drawn(scenario: Scenario) -> dict[str, Drawing | None]:
    result = Result.from_records(records(scenario))
    return drawings(result, Tables.of(result))


@pytest.fixture(scope="module")
def figures() -> dict[str, Drawing | None]:
    return drawn(QUICK_AND_LATE)


def values_of(drawing: Drawing | None) -> dict[str, Any]:
    assert drawing is not None and drawing.data is not None
    found: dict[str, Any] = json.loads(drawing.data)
    return found


def panels(drawing: Drawing | None) -> dict[str, Any]:
    return {panel["title"]: panel for panel in values_of(drawing)["panels"]}


def labels(drawing: Drawing | None) -> list[str]:
    assert drawing is not None
    return re.findall(r"<text[^>]*>([^<]*)</text>", drawing.svg)


def test_no_two_tasks_share_a_panel(figures: dict[str, Drawing | None]) -> None:
    """Two tasks of different speed would be one distribution with two humps."""
    wanted = {f"{task} \u00b7 {phase}" for task in ("front", "cart") for phase in ("baseline", "fault")}
    assert set(panels(figures["latency"])) == wanted
    assert set(panels(figures["percentiles"])) == {"front", "cart"}
    over_time = {f"{task} \u2013 {what}" for task in ("front", "cart") for what in ("requests per second", "latency")}
    assert set(panels(figures["statuses"])) == over_time


def test_a_task_s_latency_over_time_is_its_own() -> None:
    """Of tasks of which one is slow, the other's median stays where it is."""
    slow = Scenario(requests=800, seconds=4, abort=0.0, delay_share=1.0, delay=0.3, tasks=("slow",))
    quick = Scenario(requests=2_400, seconds=4, abort=0.0, tasks=("quick",))
    lines = [each for each in records(quick) if isinstance(each, DigestLine)]
    others = [each for each in records(slow) if isinstance(each, DigestLine)]
    timeline = Timeline()
    for line, other in zip(lines, others, strict=True):
        timeline.push(replace(line, entries=(*line.entries, *other.entries)))
    for stretch in timeline.stretches:
        assert stretch.p50 is not None and stretch.tasks["quick"][0] < 0.1 < 0.3 <= stretch.tasks["slow"][0]


def test_the_values_of_a_distribution_are_the_shares_of_its_panel(figures: dict[str, Drawing | None]) -> None:
    """All kinds of requests together are all of them, and each is told by its name."""
    for title, panel in panels(figures["latency"]).items():
        seen = [each for each in panel["series"] if each["name"] != "expected from the rules"]
        assert sum(map(sum, (each["values"] for each in seen))) == pytest.approx(1, abs=0.01)
        assert ("delayed" in {each["name"] for each in seen}) == ("fault" in title)


def test_a_panel_lies_in_its_drawing(figures: dict[str, Drawing | None]) -> None:
    """The script looks for the axes where the numbers say that they are."""
    for drawing in filter(None, figures.values()):
        width, height = map(float, re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawing.svg)[0])
        for panel in values_of(drawing)["panels"] if drawing.data else ():
            left, top, right, bottom = panel["box"]
            assert 0 <= left < right <= width and 0 <= top < bottom <= height
            clipped = [float(x) for x in re.findall(r'<clipPath[^>]*> <rect x="([\d.]+)"', drawing.svg)]
            assert any(x == pytest.approx(left, abs=0.02) for x in clipped)


def test_a_histogram_has_a_y_axis(figures: dict[str, Drawing | None]) -> None:
    assert any(label.endswith("%") and label != "0\u202f%" for label in labels(figures["latency"]))


def test_three_per_cent_are_no_flat_line(figures: dict[str, Drawing | None]) -> None:
    """The axis of shares ends where the shares do."""
    few = drawn(Scenario(requests=4_000, seconds=8, abort=0.03))["timeline"]
    assert "100\u202f%" not in labels(few) and any(
        label in ("2\u202f%", "2.5\u202f%", "4\u202f%") for label in labels(few)
    )
    assert "50\u202f%" not in labels(few)


def test_of_many_tasks_the_busiest_are_drawn_and_the_caption_says_so() -> None:
    many = drawn(Scenario(requests=800, seconds=2, tasks=tuple(f"task {number}" for number in range(9))))
    for name in ("latency", "percentiles", "statuses"):
        drawing = many[name]
        assert drawing is not None and "the busiest 6 of 9 tasks; the table has all of them" in drawing.caption
        assert len([title for title in panels(drawing) if not title.endswith("latency")]) == 6


def test_one_task_needs_no_statuses_beside_its_time_line() -> None:
    assert drawn(Scenario(requests=400, seconds=4))["statuses"] is None


def test_the_words_of_a_run_cannot_end_the_script_that_holds_them() -> None:
    """Names are data: no `<` of theirs is one in the page."""
    hostile = ("</script><script>alert(1)</script>", "b & c")
    drawing = drawn(Scenario(requests=400, seconds=4, tasks=hostile))["latency"]
    assert drawing is not None and drawing.data is not None
    assert not re.search("[<>&]", drawing.data) and set(panels(drawing)) == {f"{task} \u00b7 main" for task in hostile}
