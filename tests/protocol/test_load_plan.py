"""A load's plan: what it says when little is said, where its tasks go, and what makes it none."""

from __future__ import annotations

from typing import Any

import pytest

from chaos.protocol.load_plan import BadPlan, Plan, Task

TASK = {"name": "home", "method": "GET", "url": "http://web/home"}
PLAN: dict[str, Any] = {"gateway": "http://127.0.0.1:8080", "tasks": [TASK]}


def test_a_plan_needs_a_gateway_and_tasks_and_has_a_default_for_everything_else() -> None:
    assert Plan.of(PLAN) == Plan("http://127.0.0.1:8080", (Task("home", "GET", "http://web/home"),))


def test_lists_become_what_cannot_change() -> None:
    plan = Plan.of(PLAN | {"replay": [["home", "1", 4]]})
    assert plan.replay == (("home", "1", 4),)


def test_only_a_web_ui_can_start_a_load_that_waits() -> None:
    with pytest.raises(BadPlan, match="no web UI"):
        Plan.of(PLAN | {"waits": True})
    assert Plan.of(PLAN | {"waits": True, "ui": "127.0.0.1:0"}).waits


def test_what_a_later_version_says_is_left_aside() -> None:
    assert Plan.of(PLAN | {"colour": "green"}) == Plan.of(PLAN)


def test_a_locustfile_needs_no_tasks() -> None:
    assert Plan.of({"gateway": "http://127.0.0.1:8080", "locustfile": "a.py", "client": "locust"}).tasks == ()


PARTS = [
    ("http://web", "web", "/"),
    ("http://web:8080/a?b=c#d", "web:8080", "/a?b=c"),
    ("http://user:pass@web/", "web", "/"),
    ("http://web?b", "web", "/?b"),
]


@pytest.mark.parametrize(("url", "host", "target"), PARTS)
def test_a_task_asks_for_its_urls_path_with_its_urls_host(url: str, host: str, target: str) -> None:
    task = Task("a", "GET", url)
    assert (task.host, task.target) == (host, target)


SECURE = {"client": "locust", "secure": "https://127.0.0.1:8443", "ca": "ca.pem"}
ADDRESSES = [
    ({"url": "http://web/"}, ("127.0.0.1", 8080)),
    ({"url": "https://web/"}, ("127.0.0.1", 8443)),
    ({"url": "https://localhost/", "direct": True}, ("localhost", 443)),
    ({"url": "http://localhost:9/", "direct": True}, ("localhost", 9)),
    ({"url": "http://localhost/", "direct": True}, ("localhost", 80)),
]


@pytest.mark.parametrize(("task", "address"), ADDRESSES)
def test_a_task_goes_to_the_door_for_its_scheme_unless_it_is_direct(
    task: dict[str, Any], address: tuple[str, int]
) -> None:
    plan = Plan.of(PLAN | SECURE | {"tasks": [TASK | task]})
    assert plan.address_of(plan.tasks[0]) == address


def test_https_has_a_port_of_its_own() -> None:
    plan = Plan.of(PLAN | {"client": "locust", "gateway": "https://127.0.0.1"})
    assert plan.address_of(plan.tasks[0]) == ("127.0.0.1", 443)


BAD: list[tuple[Any, str]] = [
    (None, "the plan must be a JSON object"),
    ([], "the plan must be a JSON object"),
    ({"tasks": [TASK]}, "the plan is malformed: .*gateway"),
    (PLAN | {"tasks": [{"colour": 1}]}, "the plan is malformed: .*colour"),
    (PLAN | {"tasks": []}, "no tasks and no locustfile: nothing to send"),
    (PLAN | {"client": "curl"}, "client: 'curl' is not one of lean, locust"),
    (PLAN | {"users": 0}, "at least 1"),
    (PLAN | {"processes": 0}, "at least 1"),
    (PLAN | {"spawn_rate": 0}, "above 0"),
    (PLAN | {"interval": 0}, "above 0"),
    (PLAN | {"gateway": "127.0.0.1:80"}, "'127.0.0.1:80' is not an http URL"),
    (PLAN | {"tasks": [TASK | {"url": "ftp://web/"}]}, "'ftp://web/' is not an http URL"),
    (PLAN | {"tasks": [TASK | {"weight": -1}]}, "task 'home': the weight must be 0 or more"),
    (PLAN | {"tasks": [TASK | {"timeout": 0}]}, "task 'home': .* the timeout above 0"),
    (PLAN | {"tasks": [TASK | {"weight": 0}]}, "every task has weight 0"),
    (PLAN | {"gateway": "https://127.0.0.1"}, "https: the lean client speaks plain HTTP"),
    (PLAN | {"tasks": [TASK | {"url": "https://web/", "direct": True}]}, "https: the lean client"),
    (PLAN | SECURE | {"client": "lean", "tasks": [TASK | {"url": "https://web/"}]}, "https: the lean client"),
    (PLAN | {"secure": "http://127.0.0.1:8443", "ca": "ca.pem"}, "has to be an https URL"),
    (PLAN | {"secure": "https://127.0.0.1:8443"}, "with the file of its CA"),
    (PLAN | {"replay": [["cart", "1", 0]]}, "replay: no task is called 'cart'"),
]


@pytest.mark.parametrize(("value", "reason"), BAD)
def test_a_plan_that_cannot_be_carried_out_says_why(value: Any, reason: str) -> None:
    with pytest.raises(BadPlan, match=reason):
        Plan.of(value)


def test_without_a_secure_door_a_url_may_say_https_as_its_host_is_all_that_counts() -> None:
    assert Plan.of(PLAN | {"tasks": [TASK | {"url": "https://web/"}]}).tasks[0].host == "web"
