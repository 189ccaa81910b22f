"""Nothing leaves this machine unless it was named, and no task asks for a host that nobody knows."""

from __future__ import annotations

import pytest

from chaos.errors import Problem
from chaos.experiment.read import Reading, read_experiment
from chaos.experiment.safety import allowed, directed, entry_problems, safety_problems, task_problems
from chaos.experiment.services import plan_services
from chaos.experiment.tasks import LoadTask, load_tasks

ALLOWED = [
    ("127.0.0.1", [], True),
    ("shop.example.com", [], False),
    ("shop.example.com", ["shop.example.com"], True),
    ("Shop.Example.com", ["shop.EXAMPLE.com"], True),
    ("shop.example.com", ["*.example.com"], True),
    ("example.com", ["*.example.com"], False),
    ("shop.example.com.evil.com", ["*.example.com", "shop.example.com"], False),
    ("[2001:db8::1]", ["2001:db8::1"], True),
]


@pytest.mark.parametrize(("host", "names", "may"), ALLOWED)
def test_a_host_beyond_it_must_be_named(host: str, names: list[str], may: bool) -> None:
    assert allowed(host, names) is may


HEAD = "apiVersion: chaos/v1alpha1\nkind: Experiment\nspec:\n"
RULES = """
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec: {hosts: [web, "*.shop.com"], http: [{route: [{destination: {host: web}}]}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: partner}
spec:
  hosts: [api.partner.com]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: ADDRESS}]
"""


def reading(spec: str, address: str = "127.0.0.1") -> Reading:
    found = read_experiment([("e.yaml", f"{HEAD}{spec}{RULES.replace('ADDRESS', address)}")])
    assert not found.problems
    return found


def told(problems: list[Problem]) -> list[tuple[str, str, str]]:
    return [(str(each.location), each.path, each.code) for each in problems]


ENDPOINTS = [
    ("  services: {web: {endpoints: [{address: 127.0.0.1:80}]}}", "127.0.0.1", []),
    ("  services: {web: {endpoints: [{address: 192.0.2.1:80}]}}\n  allowHosts: [192.0.2.1]", "127.0.0.1", []),
    (
        "  services: {web: {endpoints: [{address: 127.0.0.1:80}, {address: 192.0.2.1:80}]}}",
        "127.0.0.1",
        [("e.yaml:4:67", "spec.services.web.endpoints[1].address", "beyond-loopback")],
    ),
    ("  seed: 1", "192.0.2.1", []),
    ("  allowHosts: [192.0.2.1]", "192.0.2.1", []),
]


@pytest.mark.parametrize(("spec", "address", "problems"), ENDPOINTS)
def test_an_endpoint_beyond_this_machine_is_told_at_its_line(
    spec: str, address: str, problems: list[tuple[str, str, str]]
) -> None:
    found = reading(spec, address)
    assert told(safety_problems(found, plan_services(found))) == problems


def test_an_entrys_endpoint_beyond_this_machine_is_no_error_of_the_file_but_stops_a_run() -> None:
    """A cluster takes it; what would send requests there does not."""
    found = reading("  seed: 1", "192.0.2.1")
    problems = [("e.yaml:18:25", "spec.endpoints[0].address", "beyond-loopback")]
    assert told(entry_problems(found, plan_services(found))) == problems
    allowed_there = reading("  allowHosts: [192.0.2.1]", "192.0.2.1")
    assert told(entry_problems(allowed_there, plan_services(allowed_there))) == []


@pytest.mark.parametrize(("port", "told_of"), [(80, 0), (81, 1)])
def test_an_entrys_endpoint_is_none_of_this_machines_business_where_services_say_where_it_is(
    port: int, told_of: int
) -> None:
    there = f"  services: {{'api.partner.com:{port}': {{endpoints: [{{address: 127.0.0.1:9001}}]}}}}"
    found = reading(there, "192.0.2.1")
    assert len(told(entry_problems(found, plan_services(found)))) == told_of


SERVICES = '  services: {web: {builtin: webserver}, app: {builtin: proxy, url: "http://web/"}}\n'
TASKS = [
    ("http://web/", [], False, ""),
    ("http://WEB/", [], False, ""),
    ("http://web.default.svc.cluster.local/", [], False, ""),
    ("http://a.shop.com/", [], False, ""),  # the rule's wildcard
    ("http://api.partner.com/", [], False, ""),  # a ServiceEntry's host
    ("http://app/", [], True, ""),  # an application under test
    ("http://127.0.0.1:9/", [], True, ""),
    ("http://shop/", [], False, "unknown-host"),
    ("http://api.example.com/", [], False, "unknown-host"),
    ("http://api.example.com/", ["api.example.com"], True, ""),
    ("http://api.partner.com/", ["api.partner.com"], False, ""),  # it stays the mesh's
]


@pytest.mark.parametrize(("url", "names", "direct", "code"), TASKS)
def test_a_task_goes_through_the_gateway_or_directly_to_where_it_may(
    url: str, names: list[str], direct: bool, code: str
) -> None:
    spec = f"  load: {{tasks: [{{get: '{url}'}}]}}\n  allowHosts: {names}\n{SERVICES}"
    found = reading(spec)
    services = plan_services(found)
    tasks = [directed(task, found, services) for task in load_tasks(found.experiment.spec.load.tasks)]
    assert [task.direct for task in tasks] == [direct]
    assert [each.code for each in task_problems(found, services, tasks)] == ([code] if code else [])


def test_a_direct_task_beyond_this_machine_is_refused_whoever_made_it_direct() -> None:
    found = reading(SERVICES)
    task = LoadTask("x", "GET", "http://api.example.com/", direct=True)
    (problem,) = task_problems(found, plan_services(found), [task])
    assert problem.code == "beyond-loopback"
