"""The rules of one gateway: from its plan, from a file that changes, and from a text sent to its admin API."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.experiments import experiment, virtual_service, write
from support.mesh import forwarded
from support.plans import FILE, prepared, text_of

from chaos.errors import InvalidInput
from chaos.mesh.compile.rules import Rules
from chaos.protocol.gateway_plan import GatewayPlan
from chaos.runner.plan.checked import prepare
from chaos.runner.plan.gateway_rules import GatewayRules, gateway_plan
from chaos.units import Percent

OWN = text_of(experiment(), virtual_service(abort=50))


def aborts(rules: Rules) -> list[Percent]:
    return [fault.percent for info in rules.rules for fault in info.faults]


def gateway(text: str = OWN, **settings: object) -> GatewayRules:
    return GatewayRules(gateway_plan(prepared(text), **settings))  # type: ignore[arg-type]


def ports(rules: Rules) -> list[int]:
    """Where requests for `web` go."""
    cluster = forwarded(rules).cluster
    assert cluster is not None
    return [endpoint.port for endpoint in cluster.endpoints]


def key_of(text: str = OWN) -> str:
    (instance,) = prepared(text).services.instances()
    return instance.key


def test_a_plan_has_every_text_and_watches_them_when_asked_to() -> None:
    found = prepared(OWN)
    plan = gateway_plan(found, watched=found.reading.texts, seed=3, tags=False)
    assert plan == GatewayPlan((FILE,), {FILE: OWN}, watched=(FILE,), seed=3, tags=False)
    assert gateway_plan(prepared(OWN)).watched == ()


def test_services_have_the_addresses_of_the_plan() -> None:
    assert ports(gateway(addresses={key_of(): ("127.0.0.1", 4711)}).compiled()) == [4711]


def test_a_text_replaces_the_rules_and_keeps_the_services() -> None:
    found = gateway(addresses={key_of(): ("127.0.0.1", 4711)})
    rules = found.parse(text_of(virtual_service(abort=5)))
    assert (aborts(rules), ports(rules)) == ([Percent.of(5)], [4711])
    assert aborts(found.compiled()) == [Percent.of(50)], "until the gateway takes them, the plan's are in force"


def test_an_experiment_in_the_text_replaces_the_services_too() -> None:
    listed = experiment(services={"web": {"endpoints": [{"address": "127.0.0.1:9001"}]}})
    assert ports(gateway().parse(text_of(listed, virtual_service(abort=5)))) == [9001]


REFUSED = [
    ("hello", "rules:1:1: "),
    (text_of(virtual_service(abort=101)), "rules:12:18: spec.http[0].fault.abort.percentage.value: 101"),
    (
        text_of(experiment(services={"web": {"endpoints": [{"address": "192.0.2.1:80"}]}})),
        "192.0.2.1 is not on this machine",
    ),
]


@pytest.mark.parametrize(("text", "problem"), REFUSED)
def test_a_text_that_is_wrong_is_refused_and_changes_nothing(text: str, problem: str) -> None:
    found = gateway()
    with pytest.raises(InvalidInput) as refused:
        found.parse(text)
    assert problem in str(refused.value)
    assert aborts(found.compiled()) == [Percent.of(50)]


def test_a_host_that_comes_with_a_change_is_answered_by_an_instance_of_its_version() -> None:
    """Nothing is started for it, and nobody listed it."""
    plan = prepared(text_of(virtual_service("web", abort=50), virtual_service("shop-v2", abort=50)))
    addresses = {each.key: ("127.0.0.1", 4700 + n) for n, each in enumerate(plan.services.instances())}
    found = GatewayRules(gateway_plan(plan, addresses=addresses))
    of_version = {each.version: addresses[each.key][1] for each in plan.services.instances()}
    assert set(of_version) == {"v1", "v2"}
    for host, version in (("web-v2", "v2"), ("web-v1", "v1"), ("web-v7", "v1")):
        rules = found.parse(text_of(virtual_service("web", route=[{"destination": {"host": host}}])))
        assert ports(rules) == [of_version[version]], host


def test_the_documents_in_force_are_one_stream_of_yaml() -> None:
    assert gateway(OWN + "\n\n").text() == OWN
    texts = {"a.yaml": "spec: 1\n\n", "b.yaml": "spec: 2"}
    assert GatewayRules(GatewayPlan(("a.yaml", "b.yaml"), texts)).text() == "spec: 1\n---\nspec: 2\n"


def test_a_watched_file_that_has_become_wrong_leaves_the_rules_as_they_were(tmp_path: Path) -> None:
    file = Path(write(tmp_path, experiment(), virtual_service(abort=50)))
    found = GatewayRules(gateway_plan(prepare([str(file)]).require(), watched=[str(file)]))
    file.write_text(text_of(virtual_service(abort=101)))
    with pytest.raises(InvalidInput, match="101 is not between 0 and 100"):
        found.reload()
    assert aborts(found.compiled()) == [Percent.of(50)]
    file.write_text(text_of(experiment(), virtual_service(abort=7)))
    assert aborts(found.reload()) == aborts(found.compiled()) == [Percent.of(7)]


def test_a_text_may_not_allow_hosts_that_the_gateway_was_not_started_with() -> None:
    own = gateway(text_of(experiment(allowHosts=["*.example.com"]), virtual_service(abort=50)))
    more = [text_of(experiment(allowHosts=[host]), virtual_service()) for host in ("api.example.com", "10.1.2.3")]
    assert aborts(own.parse(more[0])) == []
    with pytest.raises(
        InvalidInput, match=r"rules:\d+:\d+: spec.allowHosts\[0\]: 10.1.2.3 is not among the allowHosts"
    ):
        own.parse(more[1])
