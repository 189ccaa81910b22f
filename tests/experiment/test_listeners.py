"""Tasks and proxies that miss the mesh's listeners are told so, with the port that answers."""

from __future__ import annotations

import pytest
import yaml

from chaos.experiment.listeners import listener_problems
from chaos.experiment.read import read_experiment
from chaos.experiment.services import plan_services, proxy_of, registry_of
from chaos.experiment.tasks import load_tasks
from chaos.mesh.compile.rules import compile_rules

RULES = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "VirtualService",
    "metadata": {"name": "ratings"},
    "spec": {"hosts": ["ratings"], "http": [{"directResponse": {"status": 200}}]},
}
SERVICES = {"ratings:9080": {"endpoints": []}, "db:5432": {"endpoints": [], "protocol": "TCP"}}


def problems(url: str, **proxy: object) -> list[str]:
    spec = {"services": SERVICES, "proxy": proxy, "load": {"tasks": [{"get": url}]}}
    document = {"apiVersion": "chaos/v1alpha1", "kind": "Experiment", "spec": spec}
    text = yaml.safe_dump_all([document, RULES])
    reading = read_experiment([("e.yaml", text)], lambda base, name: (name, ""), [])
    assert not reading.errors
    rules = compile_rules(reading.resources, registry_of(reading, plan_services(reading), {}), proxy_of(reading))
    found = listener_problems(reading, rules, load_tasks(reading.experiment.spec.load.tasks))
    assert all(problem.location.line for problem in found)
    return [problem.message for problem in found]


ASKED = [
    ("http://ratings:9080/", None),
    ("http://ratings.default:9080/", None),
    ("http://ratings/", "ratings has no HTTP on port 80: its port is 9080; ask for http://ratings:9080/"),
    ("http://ratings:81/", "ratings has no HTTP on port 81: its port is 9080; ask for http://ratings:9080/"),
    ("http://db:5432/", "db speaks TCP on port 5432: HTTP rules are never applied there"),
    ("http://nobody.example.com/", None),  # an unknown host is another's to tell
]


@pytest.mark.parametrize(("url", "said"), ASKED)
def test_a_task_that_asks_on_a_port_without_http_is_told_which_has(url: str, said: str | None) -> None:
    assert problems(url) == ([] if said is None else [f"in a mesh nothing responds to {url}: {said}"])


def test_a_proxy_whose_port_is_no_listener_is_told_which_there_are() -> None:
    assert problems("http://ratings/", port=81) == ["listener 81 does not exist: HTTP ports here are 9080"]
    assert problems("http://ratings/", port=9080) == []
