"""Load tasks as written, and requests derived from rules: each confirmed by the rules themselves."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st
from support.mesh import load_resources

from chaos.claims.routing import route_of
from chaos.experiment.example_text import example
from chaos.experiment.model import Task
from chaos.experiment.tasks import LoadTask, derive_tasks, load_tasks
from chaos.mesh.compile.rules import compile_rules
from chaos.mesh.decision import Endpoint
from chaos.mesh.upstream.registry import Registry

HEAD = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http:
"""


def derived(http: str, *, hosts: str = "[web]") -> dict[str, LoadTask]:
    resources = load_resources(HEAD.replace("[web]", hosts) + http)
    rules = compile_rules(resources, Registry.of([("web", 80, [Endpoint("127.0.0.1", 1)])]))

    def taken(task: LoadTask) -> tuple[str, str] | None:
        info = rules.info(route_of(rules, task).rule)
        return (info.key, info.name) if info is not None and not info.is_default else None

    return {task.name: task for task in derive_tasks(resources, taken)}


def rule(match: str) -> str:
    return f"  - match: [{match}]\n    route: [{{destination: {{host: web}}}}]\n"


@pytest.mark.parametrize(
    ("match", "method", "url", "headers"),
    [
        ("{uri: {exact: /a}}", "GET", "http://web/a", {}),
        ("{uri: {prefix: /a/}}", "GET", "http://web/a/", {}),
        (r"{uri: {regex: '/cart/\d+'}}", "GET", "http://web/cart/1", {}),
        ("{method: {exact: POST}}", "POST", "http://web/", {}),
        ("{headers: {end-user: {exact: jason}}}", "GET", "http://web/", {"end-user": "jason"}),
        ("{headers: {x: {}}}", "GET", "http://web/", {"x": "1"}),
        ("{queryParams: {v: {exact: v2}}}", "GET", "http://web/?v=v2", {}),
        ("{queryParams: {v: {regex: 'a|b'}, w: {}}}", "GET", "http://web/?v=a&w=1", {}),
        ("{scheme: {exact: https}}", "GET", "http://web/", {"x-forwarded-proto": "https"}),
        ("{authority: {exact: 'web:80'}}", "GET", "http://web:80/", {}),
    ],
)
def test_a_request_that_takes_the_rule_is_found(match, method, url, headers):
    (task,) = derived(rule(match)).values()
    assert (task.method, task.url, task.headers) == (method, url, headers)


def test_each_rule_gets_a_request_of_its_own():
    found = derived(
        rule("{uri: {prefix: /a}}") + rule("{uri: {prefix: /b}}") + "  - route: [{destination: {host: web}}]\n"
    )
    assert [task.url for task in found.values()] == ["http://web/a", "http://web/b", "http://web/"]


def test_a_rule_that_no_request_reaches_gets_none():
    """An earlier rule takes everything that it would take."""
    assert list(derived(rule("{uri: {prefix: /}}") + rule("{uri: {prefix: /b}}"))) == ["web[0]"]


def test_a_later_match_entry_is_tried_when_an_earlier_rule_takes_the_first():
    found = derived(rule("{uri: {exact: /a}}") + rule("{uri: {exact: /a}}, {uri: {exact: /b}}"))
    assert [task.url for task in found.values()] == ["http://web/a", "http://web/b"]


def test_tasks_as_written_keep_their_method_body_and_names_apart():
    tasks = load_tasks(
        [
            Task(get="http://web/"),
            Task(get="http://web/", headers={"end-user": "jason"}),
            Task.model_validate({"post": "http://web/orders", "json": {"a": 1}}),
            Task(method="PURGE", url="http://web/x?y=1", name="purge", weight=3),
        ]
    )
    assert [task.name for task in tasks] == ["GET /", "GET / #2", "POST /orders", "purge"]
    assert (tasks[2].body, tasks[2].headers) == ('{"a": 1}', {"content-type": "application/json"})
    assert (tasks[3].method, tasks[3].target, tasks[3].weight) == ("PURGE", "/x?y=1", 3)


@pytest.mark.parametrize(
    "pattern",
    [r"/api/.*", r"/v\d/[a-z]+", "(a|b)c?", "[^/]+", r"/x/[0-9a-f]{8}", "^(.*?;)?(user=jason)(;.*)?$", r"a\.b"],
)
def test_an_example_matches_its_pattern(pattern):
    text = example(pattern)
    assert text is not None and re2.fullmatch(pattern, text)


@pytest.mark.parametrize("pattern", [r"\pL", "(", r"(?=a)b", "a" * 10 + "{1,99999999}{1,99999999}"])
def test_a_pattern_without_a_plain_example_has_none(pattern):
    assert example(pattern) is None


@given(st.text(max_size=30))
def test_whatever_the_pattern_an_example_is_a_text_or_nothing(pattern):
    assert example(pattern) is None or isinstance(example(pattern), str)
