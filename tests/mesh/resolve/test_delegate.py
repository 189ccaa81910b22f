"""Delegation: the delegate's rules in the root's place, matches merged, defaults inherited."""

from __future__ import annotations

import pytest
from support.mesh import decide, forwarded, request, rules_of, taken, virtual_service

from chaos.faults import AbortFault
from chaos.mesh.compile.rules import Rules
from chaos.mesh.compile.summary import RuleInfo
from chaos.mesh.decision import DirectResponse
from chaos.mesh.model.virtual_service import HTTPMatchRequest
from chaos.mesh.resolve.delegate import has_conflict

SERVICES = {"web:80": [{}], "cart.team.svc.cluster.local:80": [{}]}


def delegated(root: str, delegate: str, **changes: str) -> Rules:
    below = virtual_service(delegate, name="d", namespace="team").replace("  hosts: [web]\n", "")
    for old, new in changes.items():
        below = below.replace("spec:\n", f"spec:\n  {old}: {new}\n")
    return rules_of(virtual_service(root, name="root") + below, SERVICES)


TO = "delegate: {name: d, namespace: team}"


def statuses(info: RuleInfo) -> list[int]:
    return [fault.status for fault in info.faults if isinstance(fault, AbortFault)]


def test_the_delegates_rules_stand_in_the_roots_place() -> None:
    rules = delegated(
        f"- match: [{{uri: {{prefix: /shop}}}}]\n  {TO}\n- {{name: rest, directResponse: {{status: 200}}}}",
        "- {name: cart, match: [{uri: {prefix: /shop/cart}}], directResponse: {status: 200}}\n"
        "- {name: shop, directResponse: {status: 200}}",
    )
    assert [taken(rules, path) for path in ("/shop/cart/1", "/shop/x", "/x")] == ["cart", "shop", "rest"]
    assert [info.key for info in rules.rules if not info.is_default] == [
        "virtualservice/default/root/0/team/d/0",
        "virtualservice/default/root/0/team/d/1",
        "virtualservice/default/root/1",
    ]


def test_a_delegate_alone_has_no_effect() -> None:
    rules = delegated("- {name: own, directResponse: {status: 200}}", "- {name: never, directResponse: {status: 200}}")
    assert taken(rules) == "own"


def test_a_missing_delegate_costs_only_its_rule() -> None:
    rules = rules_of(
        virtual_service("- {delegate: {name: nosuch}}\n- {name: rest, directResponse: {status: 200}}"), SERVICES
    )
    assert taken(rules) == "rest"
    (problem,) = rules.problems
    assert str(problem).startswith("rules.yaml:8:") and "no VirtualService default/nosuch" in problem.message


def test_a_hidden_delegate_is_skipped() -> None:
    rules = delegated(
        f"- {TO}\n- {{name: rest, directResponse: {{status: 200}}}}",
        "- {name: never, directResponse: {status: 200}}",
        exportTo="['.']",
    )
    assert taken(rules) == "rest"


def test_names_are_joined() -> None:
    rules = delegated(f"- name: root\n  {TO}", "- {name: leaf, directResponse: {status: 200}}")
    assert taken(rules) == "root-leaf"


def test_fields_are_inherited_as_a_whole_when_they_lack() -> None:
    rules = delegated(
        f"""
- {TO}
  timeout: 3s
  retries: {{attempts: 7}}
  headers: {{request: {{set: {{x-root: "1"}}}}}}
  rewrite: {{uri: /root}}
  mirror: {{host: web}}
  fault: {{abort: {{httpStatus: 418, percentage: {{value: 100}}}}}}
""",
        """
- match: [{uri: {exact: /own}}]
  timeout: 1s
  headers: {request: {set: {x-leaf: "1"}}}
  fault: {abort: {httpStatus: 419, percentage: {value: 0}}}
  route: [{destination: {host: cart}}]
- route: [{destination: {host: cart}}]
""",
    )
    own, inheriting = (info for info in rules.rules if not info.is_default)
    assert (own.timeout, statuses(own), own.retries and own.retries.attempts) == (1.0, [419], 7)
    assert (inheriting.timeout, statuses(inheriting)) == (3.0, [418])
    headers = dict(forwarded(rules, "/own").headwork.upstream_headers(request("/own"), forwarded(rules, "/own")))
    assert b"x-leaf" in headers and b"x-root" not in headers
    assert own.destinations[0].name == "cart.team.svc.cluster.local:80"  # the delegate's namespace
    assert own.mirrors[0][0] == "web.default.svc.cluster.local:80"  # the root's


def test_redirect_and_route_are_not_inherited_but_direct_response_is() -> None:
    rules = delegated(f"- {TO}\n  directResponse: {{status: 201}}", "- {name: leaf, match: [{uri: {prefix: /}}]}")
    action = decide(rules).action
    assert isinstance(action, DirectResponse) and action.reply.status == 201


def test_every_pair_of_entries_without_conflict_is_one_entry() -> None:
    rules = delegated(
        f"- match: [{{uri: {{prefix: /a}}}}, {{uri: {{prefix: /b}}}}]\n  {TO}",
        "- {name: leaf, match: [{headers: {x: {exact: '1'}}}, {uri: {exact: /b/x}}], directResponse: {status: 200}}",
    )
    rows = [
        ("/a", {"x": "1"}, True),
        ("/b", {"x": "1"}, True),
        ("/b/x", {}, True),
        ("/b", {}, False),
        ("/c", {"x": "1"}, False),
    ]
    assert [taken(rules, request(path, headers)) == "leaf" for path, headers, _ in rows] == [row[2] for row in rows]


def test_an_entry_that_conflicts_with_all_of_the_root_drops_the_whole_rule() -> None:
    rules = delegated(
        f"- match: [{{uri: {{prefix: /a}}}}]\n  {TO}\n- {{name: rest, directResponse: {{status: 200}}}}",
        "- {name: leaf, match: [{uri: {prefix: /a/1}}, {uri: {prefix: /z}}], directResponse: {status: 200}}",
    )
    assert taken(rules, "/a/1") == "rest"
    assert "conflicts" in rules.problems[0].message


CONFLICTS = [
    ({"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/a/b"}}, False),
    ({"uri": {"prefix": "/a"}}, {"uri": {"exact": "/a/b"}}, False),
    ({"uri": {"prefix": "/a"}}, {"uri": {"exact": "/b"}}, True),
    ({"uri": {"exact": "/a"}}, {"uri": {"exact": "/a"}}, False),
    ({"uri": {"exact": "/a"}}, {"uri": {"prefix": "/a"}}, True),
    ({"uri": {"regex": "/a"}}, {"uri": {"exact": "/a"}}, True),
    ({"uri": {"prefix": "/a"}}, {"uri": {"regex": "/a"}}, True),
    ({"uri": {"prefix": "/a"}}, {}, False),
    ({}, {"uri": {"regex": "/a"}}, False),
    ({"method": {"exact": "GET"}}, {"method": {"exact": "PUT"}}, True),
    ({"headers": {"x": {"prefix": "a"}}}, {"headers": {"x": {"exact": "ab"}}}, False),
    ({"headers": {"x": {"exact": "a"}}}, {"headers": {"y": {"exact": "b"}}}, False),
    ({"query_params": {"q": {"exact": "a"}}}, {"query_params": {"q": {"exact": "b"}}}, True),
    ({"without_headers": {"x": {"exact": "a"}}}, {"without_headers": {"x": {"exact": "b"}}}, True),
    ({"ignore_uri_case": True}, {}, True),
    ({"port": 80}, {"port": 81}, True),
    ({"port": 80}, {}, False),
    ({"source_namespace": "a"}, {}, True),
    ({"source_namespace": "a"}, {"source_namespace": "a"}, False),
    ({"source_labels": {"a": "1"}}, {"source_labels": {"a": "2"}}, True),
    ({"source_labels": {"a": "1"}}, {"source_labels": {"b": "2"}}, False),
    ({"gateways": ["mesh"]}, {"gateways": ["mesh", "gw"]}, True),
    ({"gateways": ["mesh", "gw"]}, {"gateways": ["gw"]}, False),
]


@pytest.mark.parametrize(("root", "delegate", "conflict"), CONFLICTS)
def test_conflicts(root: dict[str, object], delegate: dict[str, object], conflict: bool) -> None:
    assert has_conflict(HTTPMatchRequest.model_validate(root), HTTPMatchRequest.model_validate(delegate)) is conflict
