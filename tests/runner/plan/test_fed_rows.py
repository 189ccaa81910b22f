"""All rows of a task take one rule, in every phase, or the plan is refused."""

from __future__ import annotations

from typing import Any

from support.experiments import experiment, virtual_service
from support.plans import FILE, text_of

from chaos.errors import InvalidInput
from chaos.runner.plan.options import RunOptions
from chaos.runner.plan.planner import plan_run
from chaos.runner.plan.run_plan import RunPlan

SPLIT = {
    "http": [
        {"match": [{"uri": {"prefix": "/u/1"}}], "route": [{"destination": {"host": "web"}}], "name": "ones"},
        {
            "fault": {"abort": {"percentage": {"value": 50}, "httpStatus": 503}},
            "route": [{"destination": {"host": "web"}}],
            "name": "rest",
        },
    ]
}


def split_service() -> dict[str, Any]:
    made = virtual_service()
    made["spec"] |= SPLIT
    return made


def plan(rows: str, url: str, *rules: dict[str, Any], more: str = "", **spec: Any) -> RunPlan:
    load = {"feeder": "users.csv", "tasks": [{"get": url}]}
    files = {FILE: text_of(experiment(load=load, **spec), *rules), "users.csv": rows, "more.yaml": more}
    return plan_run(FILE, RunOptions(seed=1), read=files.__getitem__)


def refusals(*arguments: Any, **more: Any) -> list[str]:
    try:
        plan(*arguments, **more)
    except InvalidInput as refused:
        return [each.message for each in refused.problems]
    return []


def test_rows_that_take_one_rule_are_one_task() -> None:
    made = plan("id,note\n2,a\n3,b\n", "http://web/u/${id}", split_service())
    assert [effect.name for effect in made.effects[0].effects] == ["rest"]
    assert made.feeder is not None and (made.feeder.columns, made.feeder.rows) == (("id",), (("2",), ("3",)))
    record = made.plan_record("1")
    assert record.load["feeder"].startswith("(file users.csv, 16 bytes, sha256 ")
    assert record.load["tasks"][0]["url"] == "http://web/u/${id}" and record.load["tasks"][0]["fed"] is None


def test_rows_that_take_two_are_refused_with_the_lines_of_both() -> None:
    message = (
        "its rows take different rules, and a task's requests are counted together: line 2 of users.csv takes rest,"
        " line 4 of users.csv ones; give each rule a task and a run with rows of its own"
    )
    assert refusals("id\n2\n2\n12\n", "http://web/u/${id}", split_service()) == [message]


def test_so_they_are_in_a_phase_with_rules_of_its_own(tmp_path: Any) -> None:
    other = tmp_path / "more.yaml"
    other.write_text(text_of(split_service()))
    phases = [{"name": "first"}, {"name": "then", "rules": [str(other)]}]
    rules = virtual_service(abort=50)
    (message,) = refusals("id\n2\n12\n", "http://web/u/${id}", rules, phases=phases)
    assert message.startswith("its rows take different rules")


def test_a_column_of_the_body_takes_no_rule() -> None:
    text = text_of(
        experiment(load={"feeder": "users.csv", "tasks": [{"post": "http://web/u/1", "body": "${id}"}]}),
        split_service(),
    )
    files = {FILE: text, "users.csv": "id\n2\n12\n"}
    assert plan_run(FILE, RunOptions(), read=files.__getitem__).effects[0].effects[0].name == "ones"
