"""Single requests on the page: what they were, what the gateway did, and the command that sends each again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from support.journals import Scenario, records, write

from chaos.journal.records import Exemplars as ExemplarRecords
from chaos.journal.records import Faulted, Plan
from chaos.journal.result import Result
from chaos.protocol.counters import FaultedRequest
from chaos.protocol.digest import TRANSITION, Key
from chaos.protocol.exemplars import Exemplar, Exemplars
from chaos.report.pages.render import render
from chaos.report.tables.exemplars import RequestRow, command_of, exemplars, folder_of

OK, LOST = Key("main", "cart", "web[0]", "v1:80", 200), Key("main", "cart", "", "", 0, "", 1, "timeout")
BROKEN, LATE = OK._replace(status=500, attempts=3), OK._replace(fault="delay")
SECONDS = 0.25


@pytest.fixture(scope="module")
def result() -> Result:
    return Result.from_records(records(Scenario(requests=500, seconds=2)))


def one(key: Key, number: int, body: str = "", reason: str = "", request: str = "") -> Exemplar:
    return Exemplar(f"id-{number}", key, SECONDS, 1000 * number, body, reason, request)


def kept(*requests: Exemplar) -> Exemplars:
    made = Exemplars()
    for each in requests:
        made.add(each)
    return made


def test_failures_that_no_fault_explains_come_first_and_are_open(result: Result) -> None:
    aborted = BROKEN._replace(status=503, fault="abort")
    found = kept(one(aborted, 1), one(LOST, 2), one(BROKEN, 3), one(OK, 4), one(LATE, 5))
    sections = exemplars(replace(result, exemplars=found))
    titles = {each.title: [(group.title, group.note, group.open) for group in each.groups] for each in sections}
    assert titles == {
        "Failures that no fault explains": [("timeout", "", True), ("500", "", False)],
        "Failures that met a fault": [("503", "aborted", False)],
        "The slowest": [("4\u202fms", "", False), ("5\u202fms", "delayed by a rule", False)],
    }


def rows(result: Result, *requests: Exemplar) -> tuple[str, tuple[RequestRow, ...]]:
    group = exemplars(replace(result, exemplars=kept(*requests)))[0].groups[0]
    return group.body, group.rows


def test_a_row_says_what_came_back_and_what_the_gateway_did(result: Result) -> None:
    common, (first, second) = rows(result, one(BROKEN, 1, "no stock"), one(BROKEN, 2, "no luck"))
    assert common == ""
    assert (first.answer, first.body, second.body) == ("500 Internal Server Error", "no stock", "no luck")
    assert first.what == "web[0] \u2192 v1:80 \u00b7 3 attempts"
    common, (row,) = rows(result, one(LOST, 1, reason="no complete response within 1 s"))
    assert (row.answer, row.what, common) == ("no complete response within 1 s", "", "")


def test_what_all_of_a_group_answered_stands_there_once(result: Result) -> None:
    common, found = rows(result, one(BROKEN, 1, "down"), one(BROKEN, 2, "down"))
    assert (common, [each.body for each in found]) == ("down", ["", ""])


def with_plan(result: Result, **changes: object) -> Result:
    return replace(result, plan=replace(result.plan, **changes))  # type: ignore[arg-type]


def test_the_command_replays_this_request_of_this_run(result: Result) -> None:
    found = command_of(with_plan(result, command=("chaos", "run", "x.yaml", "--out", "my runs")))(one(BROKEN, 1))
    assert found == "chaos replay 'my runs/abort50/20261122T214605' --id id-1"
    outside = command_of(with_plan(result, load={**result.plan.load, "gateway": "http://mesh:80"}))(one(BROKEN, 1))
    assert outside == "chaos replay reports/abort50/20261122T214605 --id id-1 --gateway http://mesh:80"
    of_locustfile = with_plan(result, load={**result.plan.load, "locustfile": "users.py"})
    assert command_of(of_locustfile)(one(BROKEN, 1, request="GET http://web/a?b='")) == (
        """curl -i -X GET --proxy http://127.0.0.1:8080 -H 'x-request-id: id-1' 'http://web/a?b='"'"''"""
    )


def test_failures_of_an_application_are_said_to_be_of_unknown_cause_but_for_what_its_calls_met(result: Result) -> None:
    """Its responses have no tag; the gateway recorded its calls under the id, the last one with an end of its own."""
    answer = Key("main", "shop", "", "", 502)
    tasks = [*result.plan.load["tasks"], {"name": "shop", "direct": True}]
    found = with_plan(result, load={**result.plan.load, "tasks": tasks})
    met = {("main", "id-1"): ("delay", "abort", "delay")}
    sections = exemplars(replace(found, exemplars=kept(one(answer, 1), one(answer, 2), one(LOST, 3)), met=met))
    assert [each.title for each in sections][:2] == ["Failures that no fault explains", "Failures of an application"]
    assert [group.task for group in sections[0].groups] == ["cart"]
    assert "may have met one" in sections[1].intro and "No fault was drawn" not in sections[1].intro
    assert [row.what for row in sections[1].groups[0].rows] == ["its calls: aborted, delayed \u00d7 2", ""]


def test_the_result_knows_what_the_calls_of_a_kept_request_met(result: Result) -> None:
    *others, end = records(Scenario(requests=500, seconds=2))
    failed = one(Key("main", "shop", "", "", 502), 1)
    identifier = "0" * 36
    rows: list[FaultedRequest] = [
        {"id": each, "phase": phase, "fault": fault, "rule": "", "method": "GET", "target": "/", "authority": "web"}
        for each, phase, fault in (
            (identifier, "main", "delay"), (f"{identifier}-2", "main", "abort"), (identifier, "before", "abort"),
            ("1" * 36, "main", "abort"),
        )
    ]  # fmt: skip
    kept_one = ExemplarRecords(requests=(failed._replace(id=identifier).record(),))
    found = Result.from_records([*others, Faulted(requests=tuple(rows)), kept_one, end])
    assert found.met == {("main", identifier): ("delay", "abort")}


@pytest.mark.parametrize("key", [BROKEN._replace(phase=TRANSITION), BROKEN._replace(phase="(faults switched by hand)")])
def test_what_cannot_be_repeated_has_no_command(result: Result, key: Key) -> None:
    assert command_of(result)(one(key, 1)) == ""


def test_what_an_engine_drew_by_itself_has_no_command(result: Result) -> None:
    assert command_of(with_plan(result, engine="Envoy 1.40.0"))(one(BROKEN, 1)) == ""


@pytest.mark.parametrize(
    ("command", "folder"),
    [((), "reports/a/1"), (("--out=x/",), "x/a/1"), (("chaos", "run", "--out", "/tmp/y"), "/tmp/y/a/1")],
)
def test_the_folder_is_the_one_that_the_command_named(result: Result, command: tuple[str, ...], folder: str) -> None:
    plan: Plan = replace(result.plan, name="a", run="1", command=command)
    assert folder_of(plan) == folder


@pytest.mark.browser
@pytest.mark.slow
def test_a_group_opens_without_scripts_and_a_click_selects_the_command(browser: Browser, tmp_path: Path) -> None:
    path = render(write(tmp_path / "abort50" / "20261122-214605", requests=2_000, seconds=4, lost=0.05)).html
    page = browser.new_page(viewport={"width": 1000, "height": 900}, java_script_enabled=True)
    page.goto(path.as_uri())
    page.locator("nav.contents a[href='#requests']").click()
    first, last = page.locator("details.requests").first, page.locator("details.requests").last
    assert first.get_attribute("open") is not None and last.get_attribute("open") is None
    last.locator("summary").click()
    command = last.locator("code.again").first
    command.click()
    selected = page.evaluate("getSelection().toString()")
    page.close()
    assert selected.startswith("chaos replay reports/abort50/20261122T214605 --id ")
