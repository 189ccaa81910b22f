"""What a test of routing can expect, what passes, and what a failure says came instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chaos.errors import InvalidInput
from chaos.mesh.source.writing import to_yaml_stream
from chaos.runner.route_testing import run_tests

RULES = Path(__file__).with_name("rules.yaml")


def differences(folder: Path, expect: dict[str, Any], request: str, **spec: Any) -> list[str]:
    """Run one test on the rules."""
    headers = spec.pop("headers", {})
    test = {"request": request, "headers": headers, "expect": expect}
    document = {"apiVersion": "chaos/v1alpha1", "kind": "RoutingTest", "spec": {**spec, "tests": [test]}}
    file = folder / "tests.yaml"
    file.write_text(to_yaml_stream([document]))
    (outcome,) = run_tests([str(RULES), str(file)]).outcomes
    return [str(each) for each in outcome.differences]


PASSING: dict[str, tuple[dict[str, Any], str]] = {
    "by name": ({"rule": "late"}, "http://reviews/late"),
    "by index": ({"rule": "reviews[3]"}, "http://reviews/else"),
    "no rule": ({"rule": "none", "status": 404, "destination": "none"}, "http://nowhere/"),
    "the service's own route": ({"rule": "none", "destination": "ratings"}, "http://ratings/"),
    "only destination": ({"destination": "reviews/v2"}, "http://reviews/late"),
    "in full, with its port": ({"destination": "reviews.default.svc.cluster.local:80/v2"}, "http://reviews/late"),
    "several": ({"destinations": {"reviews/v1": "80%", "reviews/v2": 20}}, "http://reviews/else"),
    "thirds": ({"destinations": {"a": "33.33%", "b": "33.33%", "c": "33.33%"}}, "http://reviews/thirds"),
    "an abort": ({"fault": "abort"}, "http://reviews/abort"),
    "its percentage": ({"fault": {"abort": "50%"}}, "http://reviews/abort"),
    "its status": ({"fault": {"abort": {"percentage": 50, "status": 503}}}, "http://reviews/abort"),
    "both": ({"fault": ["abort", "delay"]}, "http://reviews/late"),
    "a duration": (
        {"fault": {"abort": "100%", "delay": {"percentage": "10%", "duration": "5s"}}},
        "http://reviews/late",
    ),
    "always aborted": ({"status": 418}, "http://reviews/late"),
    "a fault of 0 % is none": ({"fault": "none"}, "http://reviews/else"),
    "a rewrite": ({"rewrite": "/y"}, "http://reviews/abort?a=1"),
    "with its query": ({"rewrite": "/y?a=1"}, "http://reviews/abort?a=1"),
    "of the authority": ({"rewrite": {"authority": "other"}}, "http://reviews/abort"),
    "no rewrite": ({"rewrite": "none"}, "http://reviews/else"),
    "a redirect": ({"redirect": "http://reviews/new", "status": 308}, "http://reviews/old"),
    "on the same host": ({"redirect": "/new", "destination": "none"}, "http://reviews/old"),
    "no redirect": ({"redirect": "none"}, "http://reviews/else"),
    "a header for upstream": ({"headers": {"X-Env": "test"}}, "http://reviews/else"),
    "a header of the answer": ({"headers": {"location": "http://reviews/new"}}, "http://reviews/old"),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_comes_as_expected_passes(name: str, tmp_path: Path) -> None:
    expect, request = PASSING[name]
    assert differences(tmp_path, expect, request) == []


FAILING: dict[str, tuple[dict[str, Any], str, str]] = {
    "another rule": ({"rule": "late"}, "/else", "rule: wanted late, came reviews[3]"),
    "no such rule": (
        {"rule": "laet"},
        "/else",
        "rule: wanted laet (no such rule; did you mean late?), came reviews[3]",
    ),
    "a rule": ({"rule": "none"}, "/late", "rule: wanted none, came late"),
    "another subset": ({"destination": "reviews/v1"}, "/late", "destination: wanted reviews/v1, came reviews/v2"),
    "a subset": ({"destination": "reviews"}, "/late", "destination: wanted reviews, came reviews/v2"),
    "another port": ({"destination": "reviews:81/v2"}, "/late", "destination: wanted reviews:81/v2, came reviews/v2"),
    "not the only one": (
        {"destination": "reviews/v1"},
        "/else",
        "destination: wanted reviews/v1, came reviews/v1 80 %, reviews/v2 20 %",
    ),
    "other shares": (
        {"destinations": {"reviews/v1": 79.9, "reviews/v2": 20.1}},
        "/else",
        "destinations: wanted reviews/v1 79.9 %, reviews/v2 20.1 %, came reviews/v1 80 %, reviews/v2 20 %",
    ),
    "one too few": (
        {"destinations": {"reviews/v1": "80%"}},
        "/else",
        "destinations: wanted reviews/v1 80 %, came reviews/v1 80 %, reviews/v2 20 %",
    ),
    "a redirect": ({"destination": "reviews"}, "/old", "destination: wanted reviews, came none: 308 (redirect) to "),
    "a subset that is missing": (
        {"destination": "reviews/v9"},
        "/lost",
        "destination: wanted reviews/v9, came reviews/v9, but its DestinationRule has no subset v9, or the service "
        "is not known: 503",
    ),
    "no fault": ({"fault": "abort"}, "/else", "fault: wanted abort, came none"),
    "a fault": ({"fault": "none"}, "/abort", "fault: wanted none, came abort 50 % with 503"),
    "one more fault": (
        {"fault": "abort"},
        "/late",
        "fault: wanted abort, came delay 10 % of 5s and abort 100 % with 418",
    ),
    "another percentage": (
        {"fault": {"abort": "51%"}},
        "/abort",
        "fault: wanted abort 51 %, came abort 50 % with 503",
    ),
    "another status": (
        {"fault": {"abort": {"status": 500}}},
        "/abort",
        "fault: wanted abort with 500, came abort 50 % with 503",
    ),
    "another path": ({"rewrite": "/z"}, "/abort", "rewrite: wanted /z, came /y"),
    "no rewrite": ({"rewrite": "/z"}, "/else", "rewrite: wanted /z, came none"),
    "a rewrite": ({"rewrite": "none"}, "/abort", "rewrite: wanted none, came /y, other"),
    "another location": ({"redirect": "/newer"}, "/old", "redirect: wanted /newer, came http://reviews/new"),
    "no redirect": ({"redirect": "/newer"}, "/else", "redirect: wanted /newer, came none: forwarded"),
    "an abort that is not certain": ({"status": 503}, "/abort", "status: wanted 503, came none: it is forwarded"),
    "another header": ({"headers": {"x-env": "prod"}}, "/else", 'upstream header x-env: wanted "prod", came "test"'),
}


@pytest.mark.parametrize("name", FAILING)
def test_a_failure_says_what_came_instead(name: str, tmp_path: Path) -> None:
    expect, path, said = FAILING[name]
    (found,) = differences(tmp_path, expect, f"GET http://reviews{path}")
    assert found.startswith(said)


def test_a_test_may_be_about_another_proxy(tmp_path: Path) -> None:
    assert differences(tmp_path, {"rule": "none"}, "http://shop/", proxy={"namespace": "shop"}) != []
    assert differences(tmp_path, {"rule": "shop[0]"}, "http://shop/", proxy={"namespace": "shop"}) == []
    assert (
        differences(tmp_path, {"rule": "public[0]"}, "http://www.example.com/", proxy={"gateway": "edge/public"}) == []
    )


def test_headers_of_the_request_count(tmp_path: Path) -> None:
    for value, rule in (("jason", "jason"), ("bob", "reviews[3]")):
        assert differences(tmp_path, {"rule": rule}, "http://reviews/else", headers={"End-User": value}) == []


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "misspelt key": ({"falt": "abort"}, "expect.falt: unknown field `falt`; did you mean `fault`?"),
    "misspelt inside": (
        {"fault": {"abort": {"stauts": 1}}},
        "expect.fault.abort.stauts: unknown field `stauts`; did you",
    ),
    "misspelt fault": (
        {"fault": "abrot"},
        'expect.fault: "abrot" is not known; expected none, delay or abort; did',
    ),
    "no destination": ({"destinations": {}}, "spec.tests[0].expect.destinations: must not be empty"),
    "nothing": ({}, "spec.tests[0].expect: nothing is expected; give a rule"),
    "both": ({"destination": "a", "destinations": {"a": 100}}, "destination and destinations exclude each other"),
    "no path": ({"rewrite": "y"}, 'expect.rewrite: "y" is no path; write /path, none, or'),
    "no percentage": ({"destinations": {"a": "much"}}, "'much' is not a percentage"),
    "no duration": ({"fault": {"delay": {"duration": 5}}}, "5 is not a duration; write it like 5s"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_a_test_has_its_place(name: str, tmp_path: Path) -> None:
    expect, said = MISTAKES[name]
    with pytest.raises(InvalidInput) as refused:
        differences(tmp_path, expect, "http://reviews/")
    assert said in str(refused.value)
    assert str(tmp_path / "tests.yaml") + ":" in str(refused.value)


@pytest.mark.parametrize(
    ("request_line", "headers", "said"),
    [
        ("GET http://reviews/ x", {}, "spec.tests[0].request: 'GET http://reviews/ x' is not a request"),
        ("ftp://reviews/", {}, "spec.tests[0].request: ftp:// is not served"),
        ("http://reviews/", {"a b": "c"}, "spec.tests[0]: 'a b: c' is not a header"),
    ],
)
def test_a_request_that_cannot_be_sent_is_refused(
    request_line: str, headers: dict[str, str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput) as refused:
        differences(tmp_path, {"rule": "none"}, request_line, headers=headers)
    assert said in str(refused.value)


def test_a_service_has_the_ports_that_tests_name_unless_a_file_says_which(tmp_path: Path) -> None:
    """`ratings` has a Kubernetes Service, `reviews` only rules."""
    assert differences(tmp_path, {"destination": "reviews/v2"}, "http://reviews:9080/late") == []
    assert differences(tmp_path, {"destination": "reviews:9080/v2"}, "http://reviews:9080/late") == []
    assert differences(tmp_path, {"status": 404}, "http://ratings:9080/") == []
