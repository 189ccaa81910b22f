"""What a run puts into a mesh, as documents: the overlay, its lease, patches and their undoing, rights."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from support.in_mesh import NO_PLAN

from chaos.engines.istio.create import created
from chaos.engines.istio.lease import SECONDS, lease, owner, renewal
from chaos.engines.istio.live import differences
from chaos.engines.istio.marks import Marks
from chaos.engines.istio.overlay import Generation, overlay
from chaos.engines.istio.owners import last_writer, owner_of
from chaos.engines.istio.patch import Copied, patch, runs_in, undo, without_runs
from chaos.engines.istio.rights import rights, role
from chaos.engines.istio.targets import asked, targets
from chaos.experiment.read import read_experiment
from chaos.mesh.compile.rules import Rules
from chaos.runner.plan.checked import check
from chaos.runner.plan.gateway_rules import compiled

MARKS = Marks("0123456789abcdef0123456789abcdef", "shop")
OWNER = owner({"metadata": {"name": "chaos-0123456789ab-lease", "uid": "u"}})

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http:
    - name: slow
      match: [{uri: {prefix: /slow}, name: path}, {headers: {x: {exact: "1"}}}]
      fault: {delay: {percentage: {value: 12.5}, fixedDelay: 2s}}
      route: [{destination: {host: web}}]
    - name: rest
      fault: {abort: {percentage: {value: 0.0001}, grpcStatus: UNAVAILABLE}}
      route: [{destination: {host: web}}]
"""


def rules_of(text: str) -> Rules:
    return compiled(check(read_experiment([("web.yaml", text)]), thorough=False), NO_PLAN)


def faulted(rules: Rules) -> list[str]:
    return [info.key for info in rules.rules if info.faults]


def generation(rules: Rules, number: int = 1, **more: Any) -> Generation:
    return Generation(number, "fault", {info.key: info.faults for info in rules.rules}, **more)


def test_routes_are_selected_by_the_names_that_istiod_gives_them() -> None:
    rules = rules_of(RULES)
    found, problems = targets(rules, faulted(rules))
    host = "web.default.svc.cluster.local:80"
    assert [(each.virtual_host, each.route) for each in found] == [(host, "slow.path"), (host, "slow"), (host, "rest")]
    assert not problems


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("- name: slow\n      match", "- match"), "web.yaml:8:7: name: an Istio overlay selects routes by name"),
        (("name: rest", "name: slow"), "another rule of this host is called 'slow', too"),
    ],
)
def test_a_route_that_cannot_be_selected_alone_is_told_of(change: tuple[str, str], said: str) -> None:
    rules = rules_of(RULES.replace(*change))
    _, problems = targets(rules, faulted(rules))
    assert any(said in str(problem) for problem in problems)
    assert not targets(rules, ())[1], "without a fault on it, nothing is wrong with it"


WILD = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: wild, namespace: shop}
spec:
  hosts: ["*.shop.example"]
  http:
    - name: all
      route: [{destination: {host: web}}]
"""


def test_a_wildcards_rules_are_found_under_each_service_of_the_mesh() -> None:
    """Virtual hosts as a real istiod (1.32-dev) has made them of such documents."""
    rules = rules_of(WILD)
    served = {"*.shop.example": [("a.shop.example", 80), ("b.shop.example", 8080)]}
    found = {each.virtual_host: each.route for each in targets(rules, (), served)[0]}
    assert found == {"*.shop.example:80": "all", "a.shop.example:80": "all"}
    assert asked(found) == ["a.shop.example:80"]
    assert asked(["*.shop.example:80", "web:80"]) == ["web:80", "chaos-probe.shop.example:80"]


def test_the_faults_of_an_overlay_meet_only_who_has_the_runs_header() -> None:
    rules = rules_of(RULES)
    found, _ = targets(rules, ())
    made = overlay(MARKS, OWNER, found, generation(rules, deeper=frozenset([found[-1].key])), everybody=False)
    assert made["metadata"]["ownerReferences"] == [OWNER]
    probe, *patches = made["spec"]["configPatches"]
    assert probe["patch"]["operation"] == "INSERT_FIRST"
    assert probe["patch"]["value"]["direct_response"] == {"status": 299, "body": {"inline_string": "1"}}
    slow, rest = (each["patch"]["value"]["typed_per_filter_config"]["envoy.filters.http.fault"] for each in patches[1:])
    assert slow["delay"] == {"fixed_delay": "2s", "percentage": {"numerator": 125_000, "denominator": "MILLION"}}
    assert slow["headers"] == [{"name": "x-chaos-run", "string_match": {"exact": MARKS.id}}]
    assert rest["abort"]["grpc_status"] == 14 and rest["abort"]["percentage"]["numerator"] == 1
    assert rest["headers"][0]["name"] == "baggage"
    for_all = overlay(MARKS, OWNER, found, generation(rules), everybody=True)["spec"]["configPatches"]
    assert "headers" not in for_all[1]["patch"]["value"]["typed_per_filter_config"]["envoy.filters.http.fault"]


@pytest.mark.parametrize(
    ("baggage", "meets"),
    [
        ("chaos.run=ID", True),
        ("user=1,chaos.run=ID;ttl=5, other=2", True),
        ("user=1, chaos.run = ID", True),
        ("chaos.run=ID0", False),
        ("notchaos.run=ID", False),
        ("chaosxrun=ID", False),
        ("user=chaos.run", False),
    ],
)
def test_the_run_is_found_among_the_members_of_a_baggage_header(baggage: str, meets: bool) -> None:
    assert bool(re.fullmatch(MARKS.baggage_pattern, baggage.replace("ID", MARKS.id))) is meets


def test_a_lease_makes_no_pod_and_lasts_a_minute_from_its_renewal() -> None:
    spec = lease(MARKS)["spec"]
    assert (spec["completions"], spec["parallelism"], spec["ttlSecondsAfterFinished"]) == (0, 0, SECONDS)
    assert renewal(30.2) == {"spec": {"ttlSecondsAfterFinished": 31 + SECONDS}}


# ---------------------------------------------------------------------------------------------- patches

LIVE = {
    "metadata": {"name": "web", "resourceVersion": "7"},
    "spec": {
        "hosts": ["web"],
        "http": [
            {"name": "a", "match": [{"uri": {"prefix": "/a"}}], "route": [{"destination": {"host": "web"}}]},
            {"name": "b", "route": [{"destination": {"host": "web"}}], "headers": {"response": {"set": {"own": "1"}}}},
        ],
    },
}


def applied(live: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """Apply a JSON Patch (RFC 6902) of the operations that are used; AssertionError where a test fails."""
    made = copy.deepcopy(live)
    for each in operations:
        *way, last = each["path"].strip("/").split("/")
        place: Any = made
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place[step]
        key = int(last) if isinstance(place, list) else last
        if each["op"] == "test":
            assert place[key] == each["value"]
        elif each["op"] == "remove":
            del place[key]
        else:
            place.insert(key, each["value"])
    return made


def test_copies_stand_before_their_originals_and_are_for_the_run_alone() -> None:
    abort = {"abort": {"httpStatus": 503, "percentage": {"value": 50}}}
    copied = [Copied(1, "b", abort), Copied(0, "a", {})]
    made = applied(LIVE, patch(LIVE, MARKS, copied, 1, "fault"))["spec"]["http"]
    own = "chaos-0123456789ab"
    assert [route["name"] for route in made] == [f"{own}-probe", f"{own}-0", "a", f"{own}-1", "b"]
    condition = {"x-chaos-run": {"exact": MARKS.id}}
    assert all(entry["headers"].items() >= condition.items() for each in (0, 1, 3) for entry in made[each]["match"])
    assert made[1]["match"][0]["uri"] == {"prefix": "/a"}
    assert made[3]["fault"] == abort and "fault" not in made[1]
    assert made[3]["headers"]["response"]["set"].items() >= {"own": "1", "x-chaos-route": "b"}.items()


def test_copies_of_deeper_rules_are_for_calls_with_the_runs_baggage() -> None:
    (route,) = [
        each
        for each in applied(LIVE, patch(LIVE, MARKS, [Copied(1, "b", {"abort": {}}, True)], 1, ""))["spec"]["http"]
        if "fault" in each
    ]
    assert route["match"] == [{"headers": {"baggage": {"regex": MARKS.baggage_pattern}}}]


def test_a_next_generation_takes_the_place_of_the_last() -> None:
    first = applied(LIVE, patch(LIVE, MARKS, [Copied(1, "b", {"delay": {}})], 1, ""))
    second = applied(first, patch(first, MARKS, [Copied(0, "a", {"abort": {}})], 2, ""))
    names = [route["name"] for route in second["spec"]["http"]]
    assert names == ["chaos-0123456789ab-probe", "chaos-0123456789ab-0", "a", "b"]
    assert second["spec"]["http"][0]["directResponse"]["body"]["string"] == "2"


def test_copies_are_of_the_same_routes_whatever_other_runs_have_there() -> None:
    others = Marks("f" * 32, "shop")
    there = applied(LIVE, patch(LIVE, others, [Copied(0, "a", {"abort": {}}), Copied(1, "b", {})], 1, ""))
    both = applied(there, patch(there, MARKS, [Copied(1, "b", {"delay": {}})], 1, ""))
    own = next(route for route in both["spec"]["http"] if route["name"] == "chaos-0123456789ab-0")
    assert own["fault"] == {"delay": {}} and own["headers"]["response"]["set"]["own"] == "1"
    assert runs_in(both) == ["0123456789ab", "f" * 12] and runs_in(LIVE) == []
    assert without_runs(both)["spec"] == LIVE["spec"]


def test_undoing_leaves_what_others_have_done_meanwhile() -> None:
    there = applied(LIVE, patch(LIVE, MARKS, [Copied(1, "b", {"delay": {}})], 1, ""))
    there["spec"]["http"].insert(0, {"name": "new", "route": []})
    there["spec"]["http"][-1]["timeout"] = "3s"
    left = applied(there, undo(there, MARKS))["spec"]["http"]
    assert [route["name"] for route in left] == ["new", "a", "b"] and left[-1]["timeout"] == "3s"
    assert undo(LIVE, MARKS) == []
    other = Marks("f" * 32, "shop")
    assert undo(there, other) == [] and undo(there) == undo(there, MARKS)


def test_nothing_is_written_over_a_change_of_somebody_elses() -> None:
    moved = {**LIVE, "metadata": {"name": "web", "resourceVersion": "8"}}
    with pytest.raises(AssertionError):
        applied(moved, patch(LIVE, MARKS, [], 1, ""))


def test_a_host_without_rules_gets_the_files_for_the_runs_requests_alone() -> None:
    abort = {"abort": {"httpStatus": 503, "percentage": {"value": 50}}}
    own, host = "chaos-0123456789ab", "web.shop.svc.cluster.local"
    routes = LIVE["spec"]["http"]
    made = created(MARKS, OWNER, "rules-0", host, routes, [Copied(0, "a", abort), Copied(1, "b", {})], 3, "fault")
    assert made["metadata"]["name"] == f"{own}-rules-0" and made["metadata"]["ownerReferences"] == [OWNER]
    assert (made["spec"]["hosts"], made["spec"]["exportTo"]) == ([host], ["."])
    *ours, last = made["spec"]["http"]
    assert [route["name"] for route in ours] == [f"{own}-probe", f"{own}-0", f"{own}-1", f"{own}-none"]
    assert all(entry["headers"]["x-chaos-run"] == {"exact": MARKS.id} for route in ours for entry in route["match"])
    assert ours[1]["fault"] == abort and ours[0]["directResponse"]["body"] == {"string": "3"}
    assert ours[-1]["directResponse"] == {"status": 404}, "as without a route"
    assert last == {"name": "default", "route": [{"destination": {"host": host}}]}


# ---------------------------------------------------------------------------------------------- what is there


def test_what_differs_beyond_faults_is_named() -> None:
    file = {
        "hosts": ["web"],
        "http": [{"name": "a", "fault": {"abort": {}}, "timeout": "5s", "route": [{"weight": 0}]}],
    }
    live = {"hosts": ["web"], "http": [{"name": "a", "timeout": "1s", "route": [{}], "retries": {"attempts": 3}}]}
    assert differences(file, live) == [
        "http[0].timeout: 5s in the file, 1s in the mesh",
        "http[0].retries: nothing in the file, {'attempts': 3} in the mesh",
    ]
    assert differences(file, {**file, "http": [{**file["http"][0], "fault": {"delay": {}}}]}) == []


@pytest.mark.parametrize(
    ("metadata", "keeper"),
    [
        ({}, ""),
        ({"managedFields": [{"manager": "kubectl-client-side-apply"}]}, ""),
        ({"managedFields": [{"manager": "argocd-controller"}]}, "Argo CD (field manager argocd-controller)"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}, "Flux (label kustomize.toolkit.fluxcd.io/name)"),
        ({"annotations": {"meta.helm.sh/release-name": "x"}}, "Helm (annotation meta.helm.sh/release-name)"),
        ({"ownerReferences": [{"kind": "Canary", "name": "web", "controller": True}]}, "Canary web (its controller)"),
    ],
)
def test_who_keeps_an_object_is_known_by_its_marks(metadata: dict[str, Any], keeper: str) -> None:
    assert owner_of({"metadata": metadata}) == keeper


def test_the_last_writer_is_the_latest_manager() -> None:
    fields = [{"manager": "a", "time": "2026-11-30T10:00:00Z"}, {"manager": "b", "time": "2026-11-30T11:00:00Z"}]
    assert last_writer({"metadata": {"managedFields": fields}}) == "b"


def test_the_role_has_what_the_preflight_asks_for_and_no_more() -> None:
    made = role("shop", rights())
    asked = {(each.group, each.resource, each.verb) for each in rights()}
    given = {(rule["apiGroups"][0], rule["resources"][0], verb) for rule in made["rules"] for verb in rule["verbs"]}
    assert given == asked
    assert not any(each.resource == "virtualservices" and each.verb == "patch" for each in rights())
    assert any(each.resource == "virtualservices" and each.verb == "patch" for each in rights(patch=True))
