"""A settled run: what the supervisor asks of it, what the load and the gateway are told, and what the journal keeps."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from support.experiments import experiment, virtual_service
from support.plans import FILE, planned, planned_web, text_of

from chaos.journal.records import encode, of_json
from chaos.protocol.load_plan import Plan as LoadPlan
from chaos.runner.plan.run_plan import RunPlan


def planned_rule(rule: dict[str, Any], **spec: Any) -> RunPlan:
    return planned(text_of(experiment(**spec), virtual_service(**rule)))


# ------------------------------------------------------------------------------------------------ figures that follow

DELAY = {"fault": {"delay": {"percentage": {"value": 1}, "fixedDelay": "3s"}}}
LONGEST: list[tuple[dict[str, Any], dict[str, Any], float]] = [
    ({"abort": 50}, {}, 0.0),
    (DELAY, {}, 3.0),
    ({"timeout": "2s"}, {}, 2.0),
    (DELAY | {"timeout": "2s"}, {}, 5.0),
    (DELAY | {"timeout": "90s"}, {}, 13.0),  # whoever waits ten seconds for upstream waits for nothing
    ({"fault": {"delay": {"percentage": {"value": 1}, "fixedDelay": "2m"}}}, {}, 60.0),
    (DELAY, {"search": {"vary": "web.fixedDelay", "from": "1s", "to": "7s", "hold": "p99 < 9s"}}, 7.0),
    (DELAY, {"search": {"vary": "web.delay", "from": 1, "to": 70, "hold": "p99 < 9s"}}, 3.0),
]


@pytest.mark.parametrize(("rule", "spec", "seconds"), LONGEST, ids=str)
def test_the_longest_answer_is_the_delay_and_the_timeout_behind_it(
    rule: dict[str, Any], spec: dict[str, Any], seconds: float
) -> None:
    run_plan = planned_rule(rule, **spec)
    assert run_plan.longest_answer == seconds
    assert run_plan.load_extra()["hold"] == seconds + 1.0


MASKED = "masked(web) > 50%"
SAMPLED: list[tuple[dict[str, Any], float, bool]] = [
    ({}, 0.0, False),
    ({"verify": {"expect": ["failures < 5%"]}}, 0.0, False),
    ({"verify": {"expect": ["failures < 5%", MASKED]}}, 0.25, True),
    ({"search": {"vary": "web.abort", "from": 0, "to": 9, "hold": MASKED}}, 0.25, True),
]


@pytest.mark.parametrize(("spec", "sample", "follows"), SAMPLED, ids=str)
def test_requests_are_told_one_by_one_only_to_see_who_noticed_a_fault(
    spec: dict[str, Any], sample: float, follows: bool
) -> None:
    run_plan = planned_web(**spec)
    assert (run_plan.sample, run_plan.load_extra()["sample"], run_plan.follows_faults) == (sample, sample, follows)


APPLICATION = {"web": {"builtin": "webserver"}, "app": {"builtin": "proxy", "url": "http://web/"}}


def test_the_calls_of_an_application_are_noted_because_nothing_computes_their_ids() -> None:
    run_plan = planned_web(services=APPLICATION, load={"tasks": [{"get": "http://app/"}, {"get": "http://web/"}]})
    assert (run_plan.sample, run_plan.follows_faults) == (0.0, True)


def test_shares_are_fractions_where_the_file_has_percent() -> None:
    run_plan = planned_web(verify={"confidence": 95, "tolerance": 3})
    assert (run_plan.confidence, run_plan.tolerance) == (0.95, 0.03)


# ------------------------------------------------------------------------------------------------ what others are told


def test_the_load_sends_to_an_application_where_it_really_listens() -> None:
    tasks = [{"get": "http://app/shop?a=b"}, {"get": "http://web/"}]
    run_plan = planned_web(services=APPLICATION, load={"tasks": tasks})
    (key,) = (each.key for each in run_plan.prepared.services.instances() if each.kind == "proxy")
    placed = run_plan.placed_tasks({key: ("127.0.0.1", 4711)})
    assert [(task.name, task.url) for task in placed] == [
        ("GET /shop?a=b", "http://127.0.0.1:4711/shop?a=b"),
        ("GET /", "http://web/"),
    ]


PHASES = [{"name": "before", "faults": False, "requests": 9}, {"name": "fault", "requests": 8}]
EXTRA: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"requests": None, "phase": "", "ui": None, "tags": True}),
    ({"load": {"requests": 7}}, {"requests": 7}),
    ({"phases": PHASES[:1]}, {"requests": 9, "phase": "before"}),
    ({"phases": PHASES}, {"requests": None, "phase": "before"}),
    (
        {"load": {"requests": 7}, "search": {"vary": "web.abort", "from": 0, "to": 9, "hold": "failures < 5%"}},
        {"requests": None},
    ),
]


@pytest.mark.parametrize(("spec", "told"), EXTRA, ids=str)
def test_a_number_of_requests_is_the_loads_own_business_only_when_one_phase_is_all(
    spec: dict[str, Any], told: dict[str, Any]
) -> None:
    """With several the supervisor says when each is over."""
    assert planned_web(**spec).load_extra().items() >= told.items()


def test_the_load_is_told_of_a_web_ui_and_of_a_gateway_without_tags() -> None:
    extra = planned_web(options={"gateway": "http://127.0.0.1:80", "ui": "127.0.0.1:8089"}).load_extra()
    assert (extra["ui"], extra["tags"]) == ("127.0.0.1:8089", False)


@pytest.mark.parametrize(
    ("load", "ui", "waits"),
    [
        ({"until": "decided"}, True, True),
        ({}, True, True),
        ({"until": "decided"}, False, False),
        ({"duration": "9s"}, True, False),
        ({"requests": 9}, True, False),
    ],
    ids=str,
)
def test_a_run_that_ends_once_decided_waits_for_somebody_to_start_it_in_the_web_ui(
    load: dict[str, Any], ui: bool, waits: bool
) -> None:
    options = {"ui": "127.0.0.1:8089"} if ui else {}
    assert planned_web(load=load, options=options).load_extra()["waits"] is waits


def test_the_gateway_serves_the_texts_that_the_run_was_planned_from() -> None:
    text = text_of(experiment(), virtual_service(abort=50))
    plan = planned(text, seed=5, workers=2, overrides=("spec.load.users=3",)).gateway_plan()
    assert (plan.files, plan.texts, plan.overrides) == ((FILE,), {FILE: text}, ("spec.load.users=3",))
    assert (plan.seed, plan.workers, plan.watched, plan.addresses) == (5, 2, (), {})


def test_the_experiments_own_documents_can_be_put_back_in_force() -> None:
    assert list(yaml.safe_load_all(planned_web(abort=50).own_text())) == [virtual_service(abort=50)]


def test_a_level_of_a_search_is_judged_by_the_hypothesis_in_that_phase_alone() -> None:
    search = {"vary": "web.abort", "from": 0, "to": 9, "hold": "p99 < 2 * median"}
    run_plan = planned_web(search=search)
    assert run_plan.search is not None
    judge = run_plan.level_judge(run_plan.search, run_plan.level(run_plan.search, 3.0), 0.999)
    (finding,) = judge.findings(None)
    assert (finding.kind, finding.phase, finding.title) == ("hypothesis", "abort-3%", "abort-3%: p99 < 2 * median")
    assert finding.alpha == pytest.approx(0.001)


def test_a_run_is_judged_by_expectations_hypotheses_and_what_nothing_reaches() -> None:
    rules = virtual_service(abort=50)
    rules["spec"]["http"].insert(
        0, {"name": "vip", "match": [{"headers": {"a": {"exact": "b"}}}], "route": [{"destination": {"host": "web"}}]}
    )
    spec = experiment(load={"tasks": [{"get": "http://web/"}]}, verify={"expect": ["failures < 90%"]})
    findings = planned(text_of(spec, rules)).judge().findings(None)
    assert [(each.kind, each.rule_name) for each in findings] == [
        ("route", "web[1]"),
        ("abort", "web[1]"),
        ("hypothesis", ""),
        ("route", "vip"),
    ]


def test_hosts_that_nobody_listed_and_warnings_are_announced_and_remarks_are_not() -> None:
    rules = virtual_service(abort=50)
    rules["spec"]["http"].append({"name": "never", "route": [{"destination": {"host": "web"}}]})
    announced = list(planned(text_of(rules)).announcements())
    assert announced[0] == ("info", "web: no endpoint is listed, the built-in service responds")
    assert {level for level, _ in announced[1:]} == {"warning"}
    assert all(text.startswith(f"{FILE}:") for _, text in announced[1:])
    assert list(planned_web().announcements()) == []


# ------------------------------------------------------------------------------------------------ forecast and journal


def test_the_forecast_says_how_many_requests_a_verdict_takes_and_how_long_they_last() -> None:
    forecast = planned_web(abort=50, load={"users": 20}).forecast()
    (abort,) = (claim for claim in forecast.claims if claim.title == "web[0]  abort 503")
    assert 1000 < abort.median < abort.nine_in_ten < 100_000
    assert forecast.rate == 4000.0
    assert forecast.seconds == max(claim.nine_in_ten for claim in forecast.claims) / 4000.0
    assert [(each.status, each.share) for each in forecast.rules[0].outcomes] == [(503, 0.5), (None, 0.5)]


RATES = [
    ({"users": 20}, {"abort": 50}, 4000.0),
    ({"users": 20, "arrivalRate": 30}, {"abort": 50}, 30.0),
    ({"users": 20}, {"fault": {"delay": {"percentage": {"value": 50}, "fixedDelay": "2s"}}}, 20.0),
]


@pytest.mark.parametrize(("load", "rule", "rate"), RATES, ids=str)
def test_users_that_wait_for_delayed_answers_ask_less_often(
    load: dict[str, Any], rule: dict[str, Any], rate: float
) -> None:
    assert planned_rule(rule, load=load).forecast().rate == rate


def test_a_fixed_number_of_requests_says_which_deviation_it_would_show() -> None:
    few, many = (planned_web(load={"requests": n}).forecast().claims[-1].deviation for n in (300, 30_000))
    assert few > 0.05 > many > 0.02


def test_the_journals_first_line_holds_the_plan_and_is_read_back_as_it_was() -> None:
    text = text_of(experiment(load={"users": 3, "requests": 9}, description="Half fail."), virtual_service(abort=50))
    run_plan = planned(text, seed=5, command=("chaos", "run", "--seed", "5"))
    record = run_plan.plan_record("20261122T214605")
    again = of_json(json.loads(encode(record)))
    assert again is not None and encode(again) == encode(record)
    assert (record.run, record.name, record.file, record.seed) == ("20261122T214605", "case", FILE, 5)
    assert record.command == ("chaos", "run", FILE, "--seed", "5")
    assert record.documents == {FILE: text}
    assert record.description == "Half fail."
    assert [each["kind"] for each in record.expectations] == ["lost", "failures", "route", "abort"]
    assert record.phases == ({"name": "", "faults": True},)


def test_the_load_in_the_journal_is_one_that_the_load_process_would_take() -> None:
    record = planned_web(load={"users": 3, "tasks": [{"post": "http://web/a", "body": "x", "weight": 2}]}).plan_record(
        "1"
    )
    plan = LoadPlan.of({**record.load, "gateway": "http://127.0.0.1:80"})
    assert (plan.users, plan.client, plan.tags) == (3, "lean", True)
    assert [(task.name, task.method, task.body, task.weight) for task in plan.tasks] == [("POST /a", "POST", "x", 2)]


FAULT = {"fault": {"abort": {"httpStatus": 503, "percentage": {"value": 50}}}}


@pytest.mark.parametrize(
    ("spec", "bounded"),
    [
        ({}, True),
        ({"load": {"duration": "60s", "until": "decided"}}, False),
        ({"load": {"requests": 1000}}, False),
        ({"verify": {"expect": ["failures < 60%"]}}, False),
    ],
)
def test_until_decided_gives_up_at_ten_times_the_forecast(spec: dict[str, Any], bounded: bool) -> None:
    """Unless the file says when to end, or has a hypothesis, of which nobody knows beforehand what it needs."""
    plan = planned_rule(FAULT, **spec)
    needed = [claim.nine_in_ten for claim in plan.forecast().claims]
    assert plan.budget(plan.phases[0]) == (10 * max(each or 0 for each in needed) if bounded else None)
