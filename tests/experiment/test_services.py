"""Who answers for which host: listed services, programs to start, and hosts that only the rules name."""

from __future__ import annotations

import pytest
import yaml

from chaos.experiment.read import Reading, read_experiment
from chaos.experiment.services import fixed_addresses, plan_services, registry_of, without_address
from chaos.mesh.upstream.registry import Port

SUFFIX = ".default.svc.cluster.local"


def read(spec: dict | None = None, *, routes: list | None = None, rules: list | None = None, hosts=("web",)) -> Reading:
    documents: list[dict] = [] if spec is None else [
        {"apiVersion": "chaos/v1alpha1", "kind": "Experiment", "spec": spec}
    ]  # fmt: skip
    http = routes or [{"route": [{"destination": {"host": "web"}}]}]
    documents.append(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "web"},
            "spec": {"hosts": list(hosts), "http": http},
        }
    )
    reading = read_experiment([("e.yaml", yaml.safe_dump_all([*documents, *(rules or [])]))])
    assert not reading.errors, reading.errors
    return reading


def names(reading: Reading) -> dict[str, list[str]]:
    plan = plan_services(reading)
    assert not plan.problems
    return {str(place).replace(SUFFIX, ""): [each.name for each in found] for place, found in plan.places.items()}


def test_short_and_long_names_mean_the_same_service():
    for key in ("web", f"web{SUFFIX}", f"web{SUFFIX}:80", "web:80"):
        assert names(read({"services": {key: {"builtin": "webserver"}}})) == {"web:80": ["webv1-1"]}


def test_versions_and_instances_multiply():
    services = {"web": {"builtin": "webserver", "versions": ["v1", "v2"], "instances": 2}}
    plan = plan_services(read({"services": services}))
    (found,) = plan.places.values()
    assert [(each.name, dict(each.labels)["version"]) for each in found] == [
        ("webv1-1", "v1"), ("webv1-2", "v1"), ("webv2-1", "v2"), ("webv2-2", "v2"),
    ]  # fmt: skip
    assert len({each.key for each in plan.instances()}) == 4


def test_a_name_that_says_its_version_has_it():
    assert names(read({"services": {"webv2": {"builtin": "webserver", "instances": 2}}})) == {
        "webv2:80": ["webv2-1", "webv2-2"]
    }


@pytest.mark.parametrize("key", ["a b", "http://web", "web:port", "web:70000", "*.web", ""])
def test_a_key_that_is_no_host_is_a_problem_at_its_line(key):
    (problem,) = plan_services(read({"services": {key: {"builtin": "webserver"}}})).problems
    assert problem.path.startswith("spec.services")


def test_one_host_twice_is_a_problem():
    services = {"web": {"builtin": "webserver"}, f"web{SUFFIX}:80": {"builtin": "webserver"}}
    (problem,) = plan_services(read({"services": services})).problems
    assert "is listed twice" in problem.message


def test_without_services_every_host_in_the_rules_is_answered_and_it_is_said():
    routes = [
        {"route": [{"destination": {"host": "webv1"}}], "mirror": {"host": "shadow"}},
        {"route": [{"destination": {"host": "other.prod.svc.cluster.local", "port": {"number": 8080}}}]},
    ]
    reading = read(routes=routes)
    assert set(names(reading)) == {"web:80", "webv1:80", "shadow:80", "other.prod.svc.cluster.local:8080"}
    note = plan_services(reading).note
    assert note is not None and note.startswith("web, webv1, shadow, other: no endpoint is listed")


def test_without_services_each_subset_has_someone():
    subsets = [{"name": name, "labels": {"version": name}} for name in ("v1", "v3")]
    rule = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": "web"},
        "spec": {"host": "web", "subsets": subsets},
    }
    assert names(read(rules=[rule])) == {"web:80": ["webv1-1", "webv3-1"]}


def test_with_services_the_registry_is_complete():
    """What is not listed is unknown, as it would be in the cluster: an empty mapping knows nobody."""
    assert names(read({"services": {}})) == {}
    assert plan_services(read({"services": {}})).note is None


def test_a_service_without_endpoints_is_known_and_has_none():
    reading = read({"services": {"web:80": {"endpoints": []}}})
    service = registry_of(reading, plan_services(reading), {}).get(f"web{SUFFIX}")
    assert service is not None and service.ports == {80: Port()}


def test_addresses_of_what_was_started_fill_the_registry():
    reading = read({"services": {"web": {"builtin": "webserver"}}})
    plan = plan_services(reading)
    (instance,) = plan.instances()
    service = registry_of(reading, plan, {instance.key: ("127.0.0.1", 4000)}).get(f"web{SUFFIX}")
    assert service is not None
    (endpoint,) = service.ports[80].endpoints
    assert (endpoint.address, endpoint.port, endpoint.labels) == ("127.0.0.1", 4000, (("version", "v1"),))


def test_services_with_ports_of_their_own_have_an_address_before_a_run():
    fixed = read({"services": {"web": {"builtin": "webserver", "instances": 2, "port": 9000}}})
    assert sorted(fixed_addresses(plan_services(fixed)).values()) == [("127.0.0.1", 9000), ("127.0.0.1", 9001)]
    loose = read({"services": {"web": {"builtin": "webserver"}}})
    assert fixed_addresses(plan_services(loose)) == {} and without_address(fixed, plan_services(fixed)) is None
    found = without_address(loose, plan_services(loose))
    assert found is not None and "webv1-1" in found.message and "give the service a port" in found.message


DEPLOYMENT = (
    "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web-v2}\n"
    "spec: {template: {metadata: {labels: {app: web, version: v2}}}}\n"
)


def test_an_endpoint_has_the_labels_of_the_workload_that_it_names():
    endpoint = "{address: '127.0.0.1:9001', workload: web-v2, labels: {app: other}}"
    text = f"apiVersion: chaos/v1alpha1\nkind: Experiment\nspec: {{services: {{web: {{endpoints: [{endpoint}]}}}}}}\n"
    plan = plan_services(read_experiment([("e.yaml", text + DEPLOYMENT)]))
    (instance,) = plan.instances()
    assert dict(instance.labels) == {"app": "other", "version": "v2"}


def test_a_workload_that_is_not_there_is_located():
    endpoint = "{address: '127.0.0.1:9001', workload: web-v3}"
    text = f"apiVersion: chaos/v1alpha1\nkind: Experiment\nspec: {{services: {{web: {{endpoints: [{endpoint}]}}}}}}\n"
    (problem,) = plan_services(read_experiment([("e.yaml", text + DEPLOYMENT)])).problems
    assert str(problem).startswith("e.yaml:3:")
    assert "web.endpoints[0].workload: no Pod, Deployment or the like is called web-v3; did you mean web-v2?" in str(
        problem
    )
