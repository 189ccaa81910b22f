"""What cannot happen in a cluster is found before anything is sent there, each at its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.experiments import virtual_service
from support.plans import text_of

from chaos.errors import InvalidInput
from chaos.runner.plan.in_cluster import InCluster, plan_in_cluster
from chaos.runner.plan.load_hosts import LoadHosts
from chaos.runner.plan.options import RunOptions

HEAD = "apiVersion: chaos/v1alpha1\nkind: Experiment\nspec:\n"
RULES = "\n---\n" + text_of(virtual_service(abort=50))
WEB = "  services: {web: {builtin: webserver}, api: {builtin: webserver}}\n"


def plan(
    folder: Path,
    spec: str,
    *,
    secret: str = "",
    in_secret: bool = False,
    gateway: str | None = None,
    workers: int | None = None,
) -> InCluster:
    (folder / "case.yaml").write_text(HEAD + spec + RULES)
    options = RunOptions(gateway=gateway, hosts=LoadHosts(workers=workers))
    file = str(folder / "case.yaml")
    return plan_in_cluster(file, options, environment_secret=secret, files_in_secret=in_secret)


def told(folder: Path, found: InCluster) -> list[str]:
    return [f"{each.severity}: {each}".replace(f"{folder}/", "") for each in found.problems]


FOUND = [
    (
        "  services: {web: {endpoints: [{address: '127.0.0.1:9001'}]}}",
        "error: case.yaml:4:42: spec.services.web.endpoints[0].address: 127.0.0.1 is the pod itself in a cluster",
    ),
    (
        "  services: {web: {command: [python, app.py]}}",
        "warning: case.yaml:4:20: spec.services.web.command: the program and its files have to be in the image",
    ),
    (
        WEB + "  load: {tasks: [{get: 'http://web/'}, {get: 'http://localhost:8080/'}]}",
        "error: case.yaml:5:40: spec.load.tasks[1]: localhost is the pod itself in a cluster",
    ),
    (
        WEB + "  load: {tasks: [{get: 'http://web/', headers: {x-user: '${SHOP_USER}'}}]}",
        "error: case.yaml:5:58: SHOP_USER is a variable of this environment, which a pod does not have",
    ),
    (
        WEB + "  load: {tasks: [{get: 'http://web/', headers: {authorization: Bearer abcdef123456}}]}",
        "error: case.yaml:5:64: spec.load.tasks[0].headers.authorization: a credential, which everybody could read",
    ),
    (WEB + "  load: {locustfile: load.py}", "warning: load.py:2:1: mine is not shipped: only files that"),
]


@pytest.fixture(autouse=True)
def others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_USER", "jason")
    (tmp_path / "load.py").write_text("from locust import task\nimport mine.users, json\n")
    (tmp_path / "mine").mkdir()


@pytest.mark.parametrize(("spec", "finding"), FOUND)
def test_what_a_pod_does_not_have_is_said_at_its_line(tmp_path: Path, spec: str, finding: str) -> None:
    (said,) = told(tmp_path, plan(tmp_path, spec))
    assert said.startswith(finding)


def test_a_service_entry_that_leads_here_is_said(tmp_path: Path) -> None:
    entry = (
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: ext}\nspec:\n"
        "  hosts: [api.example]\n  ports: [{number: 80, name: http, protocol: HTTP}]\n  resolution: STATIC\n"
        "  endpoints: [{address: 127.0.0.1}]\n"
    )
    (tmp_path / "entry.yaml").write_text(entry)
    (said,) = told(tmp_path, plan(tmp_path, f"{WEB}  resources: [entry.yaml]"))
    assert said.startswith("error: entry.yaml:8:25: spec.endpoints[0].address: 127.0.0.1 is the pod itself")


def test_an_absolute_path_is_said(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(text_of(virtual_service("api")))
    (said,) = told(tmp_path, plan(tmp_path, f"{WEB}  resources: [{tmp_path}/rules.yaml]"))
    assert said.startswith("error: case.yaml:5:15: spec.resources[0]:") and "is a path of this machine" in said


def test_secrets_have_a_way_out(tmp_path: Path) -> None:
    assert told(tmp_path, plan(tmp_path, FOUND[3][0], secret="shop")) == []
    assert told(tmp_path, plan(tmp_path, FOUND[4][0], in_secret=True)) == []


def test_a_gateway_of_the_cluster_has_its_own_endpoints(tmp_path: Path) -> None:
    spec = FOUND[0][0] + "\n  allowHosts: [gateway.istio-ingress]"
    assert told(tmp_path, plan(tmp_path, spec, gateway="http://gateway.istio-ingress")) == []
    (said,) = told(tmp_path, plan(tmp_path, WEB, gateway="http://127.0.0.1:15000"))
    assert said.startswith("error: --gateway: 127.0.0.1 is the pod itself")


def test_whatever_would_be_refused_here_is_refused_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"spec\.load\.users: 0 is less than 1"):
        plan(tmp_path, f"{WEB}  load: {{users: 0}}")


def test_every_file_that_is_named_goes_along(tmp_path: Path) -> None:
    folder = tmp_path / "exp"
    (folder / "data").mkdir(parents=True)
    (tmp_path / "rules.yaml").write_text(text_of(virtual_service("api")))
    (folder / "calm.yaml").write_text(text_of(virtual_service(abort=1)))
    (folder / "data/order.json").write_text("{}")
    (folder / "data/users.csv").write_text("user\njason\n")
    tasks = "[{post: 'http://web/${user}', body: {file: data/order.json}}]"
    found = plan(
        folder,
        f"{WEB}  resources: [../rules.yaml]\n  phases: [{{name: a}}, {{name: b, rules: [calm.yaml]}}]\n"
        f"  load: {{feeder: data/users.csv, tasks: {tasks}}}",
    )
    assert found.problems == () and not found.code
    assert {each.path: each.text for each in found.files.files} == {
        "exp/case.yaml": (folder / "case.yaml").read_text(),
        "rules.yaml": (tmp_path / "rules.yaml").read_text(),
        "exp/calm.yaml": (folder / "calm.yaml").read_text(),
        "exp/data/order.json": "{}",
        "exp/data/users.csv": "user\njason\n",
    }


def test_a_locustfile_goes_along_and_workers_may_run_it(tmp_path: Path) -> None:
    found = plan(tmp_path, f"{WEB}  load: {{locustfile: load.py}}")
    assert found.code and [each.path for each in found.files.files] == ["case.yaml", "load.py"]


def test_workers_are_those_of_the_file_unless_others_are_asked_for(tmp_path: Path) -> None:
    spec = f"{WEB}  load: {{users: 8, workers: 4}}"
    assert (plan(tmp_path, WEB).workers, plan(tmp_path, spec).workers) == (0, 4)
    assert plan(tmp_path, spec, workers=6).workers == 6
    with pytest.raises(InvalidInput, match="8 users are too few for 9 load workers"):
        plan(tmp_path, spec, workers=9)
