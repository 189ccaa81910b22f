"""What is looked at before a run, with a small API server: each finding, all at once, and nothing is changed by it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.fake_kubernetes.server import ApiServer, User
from support.in_mesh import HOST, abort, case, engine_at, rules

from chaos.engines.istio.rights import rights, role
from chaos.errors import EnvironmentFailed, InvalidInput
from chaos.runner.istio.preflight import Preflight, preflight_of
from chaos.runner.plan.options import RunOptions
from chaos.runner.plan.planner import plan_run
from chaos.verify.verdict import Verdict

NOWHERE = "http://127.0.0.1:9"
FILE = rules(abort(50))


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with ApiServer() as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path)))
        yield server


def looked(folder: Path, api: ApiServer, *documents: dict[str, Any], file: dict[str, Any] = FILE) -> Preflight:
    """What is found where these documents are; nothing is changed by it."""
    api.apply(*documents)
    before = len(api.objects.events)
    planned = plan_run(case(folder, file), RunOptions(engine=engine_at(NOWHERE)))
    found = asyncio.run(preflight_of(planned))
    assert len(api.objects.events) == before
    return found


def said(found: Preflight) -> list[str]:
    return [problem.message for problem in found.problems]


def test_nothing_stands_in_the_way_of_the_files_rules_without_their_faults(tmp_path: Path, api: ApiServer) -> None:
    found = looked(tmp_path, api, rules())
    assert (said(found), found.notes) == ([], (("info", "context test, namespace shop"),))


def test_the_role_of_export_rbac_is_enough(tmp_path: Path, api: ApiServer) -> None:
    api.users = {"admin-token": User("system:serviceaccount:shop:chaos-run", (role("shop", rights()),))}
    assert said(looked(tmp_path, api, rules())) == []


@pytest.mark.parametrize("lacking", [str(each) for each in rights()][1::5])
def test_a_missing_right_is_told_of_with_the_way_out(tmp_path: Path, api: ApiServer, lacking: str) -> None:
    left = role("shop", [each for each in rights() if str(each) != lacking])
    api.users = {"admin-token": User("somebody", (left,))}
    way = "`chaos export rbac -n shop` prints the Role that lets it"
    assert said(looked(tmp_path, api, rules())) == [f"context test may not {lacking} in namespace shop; {way}"]


def test_a_context_that_there_is_not_is_told_of_with_those_that_there_are(tmp_path: Path, api: ApiServer) -> None:
    planned = plan_run(case(tmp_path, FILE), RunOptions(engine=engine_at(NOWHERE, context="prod")))
    with pytest.raises(InvalidInput, match="there is no context 'prod' in the kubeconfig; there are other and test"):
        asyncio.run(preflight_of(planned))


def test_no_kubeconfig_is_no_reason_to_act_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    planned = plan_run(case(tmp_path, FILE), RunOptions(engine=engine_at(NOWHERE)))
    with pytest.raises(InvalidInput, match="there is no context 'test', because there is no kubeconfig"):
        asyncio.run(preflight_of(planned))


def test_an_expired_token_is_told_of(tmp_path: Path, api: ApiServer) -> None:
    api.users = {"another": User("admin")}
    with pytest.raises(EnvironmentFailed, match=r"context test: .* does not accept its credentials \(401\)"):
        looked(tmp_path, api, rules())


def test_an_api_server_that_does_not_answer_is_told_of(tmp_path: Path, api: ApiServer) -> None:
    planned = plan_run(case(tmp_path, FILE), RunOptions(engine=engine_at(NOWHERE)))
    with api.down(), pytest.raises(EnvironmentFailed, match="the API server of context test does not answer"):
        asyncio.run(preflight_of(planned))


def test_who_keeps_the_rules_is_noted(tmp_path: Path, api: ApiServer) -> None:
    live = rules()
    live["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "shop:web"}
    found = looked(tmp_path, api, live)
    kept = "VirtualService web is kept by Argo CD (annotation argocd.argoproj.io/tracking-id)"
    assert (said(found), found.notes[1]) == ([], ("info", f"{kept}; the overlay does not touch it"))


def test_other_runs_are_noted(tmp_path: Path, api: ApiServer) -> None:
    labels = {"app.kubernetes.io/managed-by": "chaos", "chaos.dev/run": "0123456789ab"}
    metadata = {"name": "chaos-0123456789ab-overlay", "labels": labels}
    other = {"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "metadata": metadata, "spec": {}}
    found = looked(tmp_path, api, rules(), other)
    assert not found.problems and found.notes[-1][0] == "warning"
    assert found.notes[-1][1].startswith("run 0123456789ab has faults in this namespace")


def test_routes_that_a_killed_run_left_are_noted_and_do_not_matter(tmp_path: Path, api: ApiServer) -> None:
    live = rules()
    live["spec"]["http"].insert(0, {"name": "chaos-0123456789ab-0", "match": [{"headers": {"x": {"exact": "1"}}}]})
    found = looked(tmp_path, api, live)
    assert not found.problems and found.notes[-1][0] == "warning"
    assert found.notes[-1][1].startswith("VirtualService web has routes of run 0123456789ab, which nobody else's")


def test_admission_is_asked_and_refuses_in_its_own_words(tmp_path: Path, api: ApiServer) -> None:
    api.apply(rules())
    api.admission.append(lambda each: "nothing of this here" if each["kind"] == "EnvoyFilter" else "")
    refused = 'admission webhook "rev.validation.istio.io" denied the request: nothing of this here'
    assert said(looked(tmp_path, api)) == [f"the API server would refuse the run's EnvoyFilter: {refused}"]


def test_who_writes_meanwhile_is_no_reason_to_refuse(tmp_path: Path, api: ApiServer) -> None:
    """A patch is made anew from what is there then, as in a run."""
    written = 0

    def write_meanwhile(document: dict[str, Any]) -> str:
        nonlocal written
        if document["kind"] in ("Job", "VirtualService") and written < 2:
            written += 1
            key = ("virtualservices.networking.istio.io", "shop", "web")
            there = api.objects.get(key)
            there["metadata"]["annotations"] = {"seen": str(written)}
            api.objects.change(key, there, "somebody")
        return ""

    api.apply(rules())
    api.admission.append(write_meanwhile)
    planned = plan_run(case(tmp_path, FILE), RunOptions(engine=engine_at(NOWHERE, patch=True)))
    assert said(asyncio.run(preflight_of(planned))) == [] and written


SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"ports": [{"name": "http", "port": 80}]},
}
ENTRY = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "ServiceEntry",
    "metadata": {"name": "all"},
    "spec": {"hosts": ["*.cluster.local"], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]},
}
ABOVE = rules(name="above", host="*.cluster.local")
NOT_MADE = f"{HOST} has no VirtualService in namespace shop, and the run cannot make one of its own: "


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        ([], f"neither a VirtualService nor a Service or ServiceEntry of namespace shop has the host {HOST}"),
        ([ENTRY], f"{NOT_MADE}it is no service by itself"),
        ([SERVICE, ABOVE], f"{NOT_MADE}VirtualService above has it under a wildcard"),
        ([rules(), rules(name="web-2")], f"{HOST} has several VirtualServices in the mesh (web and web-2)"),
        (
            [rules(timeout="1s")],
            "the rules of VirtualService web in the mesh are others: http[0].timeout: nothing in the file, 1s in the",
        ),
        ([rules(abort(1))], "VirtualService web has a fault of its own in the mesh, http[0].fault"),
    ],
)
def test_what_the_mesh_has_is_compared_with_the_file(
    tmp_path: Path, api: ApiServer, live: list[dict[str, Any]], expected: str
) -> None:
    (message,) = said(looked(tmp_path, api, *live))
    assert message.startswith(expected)


def test_a_host_without_rules_gets_some_of_the_runs_own(tmp_path: Path, api: ApiServer) -> None:
    """The rights to write them are asked for then alone."""
    unnamed = rules(abort(50))
    del unnamed["spec"]["http"][0]["name"]
    found = looked(tmp_path, api, SERVICE, file=unnamed)
    assert not found.problems and f"{HOST} has no VirtualService: the run makes one while it lasts" in found.notes[1][1]
    api.users = {"admin-token": User("somebody", (role("shop", rights()),))}
    (message,) = said(looked(tmp_path, api, file=unnamed))
    lacking = ", ".join(f"{verb} virtualservices.networking.istio.io" for verb in ("create", "patch", "delete"))
    assert message.startswith(f"context test may not {lacking} in namespace shop, where the run has to make a")
    assert "`chaos export rbac -n shop --patch`" in message


@pytest.mark.parametrize(
    ("settings", "file", "why"),
    [
        ({"everybody": True}, FILE, "with --scope all everybody would get the file's rules, too"),
        ({}, {**FILE, "spec": {**FILE["spec"], "gateways": ["mesh", "door"]}}, "its rules are a Gateway's"),
    ],
)
def test_nobody_elses_requests_are_routed_by_the_file(
    tmp_path: Path, api: ApiServer, settings: dict[str, Any], file: dict[str, Any], why: str
) -> None:
    api.apply(SERVICE)
    planned = plan_run(case(tmp_path, file), RunOptions(engine=engine_at(NOWHERE, **settings)))
    assert f"{NOT_MADE}{why}" in " ".join(said(asyncio.run(preflight_of(planned))))


def test_faults_that_no_task_reaches_are_for_calls_of_applications(tmp_path: Path) -> None:
    deep = rules(abort(50), name="deep", host="deep.shop.svc.cluster.local")
    planned = plan_run(case(tmp_path, FILE, deep), RunOptions(engine=engine_at(NOWHERE)))
    mesh = planned.options.engine.mesh
    assert mesh is not None and list(mesh.deeper) == ["virtualservice/shop/deep/0"]
    assert mesh.line() in planned.options.engine.program
    (finding,) = planned.silent
    assert finding.verdict is Verdict.NOT_JUDGED and "calls of applications that pass on" in finding.sentence
    tasks = {"tasks": [{"get": f"http://{HOST}/"}]}
    (route,) = (
        each
        for each in plan_run(case(tmp_path, deep, load=tasks), RunOptions(engine=engine_at(NOWHERE))).expected
        if each.kind == "route"
    )
    assert route.unseen.startswith("no VirtualService of the file has this host"), "and it is never called wrong"
    (finding,) = plan_run(case(tmp_path, FILE, deep), RunOptions()).silent
    assert finding.verdict is Verdict.NO_TRAFFIC


def test_a_short_host_of_the_mesh_is_the_same(tmp_path: Path, api: ApiServer) -> None:
    live = rules(host="web")
    assert "hosts[0]" in " ".join(said(looked(tmp_path, api, live)))


def test_everything_is_told_at_once(tmp_path: Path, api: ApiServer) -> None:
    unnamed = rules(abort(50))
    del unnamed["spec"]["http"][0]["name"]
    api.apply(rules(abort(1), timeout="1s"))
    api.admission.append(lambda each: f"no {each['kind']}")
    messages = said(looked(tmp_path, api, file=unnamed))
    for part in (
        "selects routes by name",
        "http[0].timeout",
        "http[0].name",
        "http[0].fault",
        "no Job",
        "no EnvoyFilter",
    ):
        assert any(part in message for message in messages), (part, messages)
