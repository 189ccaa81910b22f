"""`expect` of a task: what may be written, and what a load is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from chaos.experiment.read import read_experiment
from chaos.experiment.tasks import tasks_of

HEAD = "apiVersion: chaos/v1alpha1\nkind: Experiment\nspec:\n"


def task(expect: str, method: str = "get") -> str:
    return f"{HEAD}  load:\n    tasks:\n    - {method}: http://web/\n      expect: {expect}\n"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{status: 200}", {"status": [200]}),
        ("{status: 2xx, body: ok}", {"status": ["2xx"], "body": "ok"}),
        (r"{status: [200, 404], body: /a\d/}", {"status": [200, 404], "body": r"/a\d/"}),
        ("{json: {a: [1, {b: null}]}}", {"json": {"a": [1, {"b": None}]}}),
    ],
)
def test_the_load_is_told_what_was_given(written: str, told: dict[str, Any]) -> None:
    (found,) = tasks_of(read_experiment([("e.yaml", task(written))]).require())
    assert found.expect == told


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("{}", "7:7: spec.load.tasks[0].expect: expects nothing; give status, body or json"),
        ("{status: 99}", "7:24: spec.load.tasks[0].expect.status: 99 is not a status; write it like 200, 2xx, ["),
        ("{status: [200, ok]}", "7:16: spec.load.tasks[0].expect.status: 'ok' is not a status"),
        ("{status: []}", "7:16: spec.load.tasks[0].expect.status: a list without a status"),
        ("{body: /a(/}", "7:22: spec.load.tasks[0].expect.body: RE2 refuses this regex: missing )"),
        ("{body: /(?=a)/}", "7:22: spec.load.tasks[0].expect.body: RE2 refuses this regex"),
        ("{bdy: x}", "7:16: spec.load.tasks[0].expect.bdy: unknown field `bdy`; did you mean `body`?"),
    ],
)
def test_what_is_wrong_is_told_at_its_line(written: str, problem: str) -> None:
    told = [str(each) for each in read_experiment([("e.yaml", task(written))]).problems]
    assert [each for each in told if each.startswith(f"e.yaml:{problem}")], told


def test_a_response_to_head_has_no_body() -> None:
    (told,) = read_experiment([("e.yaml", task("{body: x}", "head"))]).problems
    assert "a response to HEAD has no body to expect something of" in told.message
    assert not read_experiment([("e.yaml", task("{status: 200}", "head"))]).problems
