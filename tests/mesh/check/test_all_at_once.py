# ruff: noqa: E501 - a row of a table stays together
"""One pass shows every mistake: none hides another, none is reported twice, and none is made up from another."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chaos.mesh.check.report import check

SETTINGS = settings(max_examples=200, deadline=None, derandomize=True, database=None)


def resource(kind: str, name: str, spec: dict[str, Any], version: str = "networking.istio.io/v1") -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def to(host: str) -> dict[str, Any]:
    return {"destination": {"host": host}}


SOUND: list[dict[str, Any]] = [
    resource(
        "VirtualService",
        "rules",
        {
            "hosts": ["web"],
            "gateways": ["mesh", "edge"],
            "http": [
                {"name": "a", "match": [{"uri": {"prefix": "/a"}, "method": {"exact": "GET"}}], "route": [to("web")]},
                {"name": "b", "match": [{"uri": {"regex": "/b.*"}}], "timeout": "1s", "route": [to("web") | {"weight": 1}, to("api.example.com") | {"weight": 1}]},
                {"name": "c", "retries": {"attempts": 1, "retryOn": "5xx"}, "route": [to("web")]},
            ],
        },
    ),
    resource("DestinationRule", "policy", {"host": "web", "subsets": [{"name": "v1", "labels": {"version": "v1"}}], "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}}}),
    resource("ServiceEntry", "entry", {"hosts": ["api.example.com"], "resolution": "DNS", "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]}),
    resource("Gateway", "edge", {"selector": {"a": "b"}, "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["web.example.com"]}]}),
    resource("Service", "web", {"ports": [{"port": 80, "name": "http"}]}, "v1"),
]  # fmt: skip

GONE = object()
RULE, POLICY, ENTRY, GATEWAY = range(4)

# Where, what stands there instead, and the path of the one error that follows.
MISTAKES: list[tuple[tuple[Any, ...], Any, str]] = [
    ((RULE, "hosts", 0), 5, "spec.hosts[0]"),
    ((RULE, "http", 0, "route", 0, "destination"), GONE, "spec.http[0].route[0].destination"),
    ((RULE, "http", 0, "match", 0, "uri", "prefix"), 5, "spec.http[0].match[0].uri.prefix"),
    ((RULE, "http", 0, "match", 0, "methd"), {}, "spec.http[0].match[0].methd"),
    ((RULE, "http", 1, "match", 0, "uri", "regex"), "(", "spec.http[1].match[0].uri.regex"),
    ((RULE, "http", 1, "timeout"), 5, "spec.http[1].timeout"),
    ((RULE, "http", 1, "route", 0, "destination", "host"), GONE, "spec.http[1].route[0].destination.host"),
    ((RULE, "http", 1, "route", 1, "destination", "host"), "nowhere", "spec.http[1].route[1].destination.host"),
    ((RULE, "http", 2, "retries", "retryOn"), "5x", "spec.http[2].retries.retryOn"),
    ((RULE, "http", 2, "retries", "atempts"), 5, "spec.http[2].retries.atempts"),
    ((RULE, "http", 2, "route", 0, "destination", "subset"), "v2", "spec.http[2].route[0].destination.subset"),
    ((POLICY, "host"), GONE, "spec.host"),
    ((POLICY, "trafficPolicy", "loadBalancer", "simple"), "RAMDOM", "spec.trafficPolicy.loadBalancer.simple"),
    ((POLICY, "trafficPolicy", "connectionPool"), {}, "spec.trafficPolicy.connectionPool"),
    ((ENTRY, "ports", 0, "name"), GONE, "spec.ports[0].name"),
    ((ENTRY, "ports", 0, "protocol"), "HTPT", "spec.ports[0].protocol"),
    ((ENTRY, "resolution"), "DSN", "spec.resolution"),
    ((GATEWAY, "servers", 0, "port", "name"), GONE, "spec.servers[0].port.name"),
    ((GATEWAY, "servers", 0, "port", "number"), "80", "spec.servers[0].port.number"),
    ((GATEWAY, "servers", 0, "hosts", 0), "a_b", "spec.servers[0].hosts[0]"),
]  # fmt: skip


def with_mistakes(chosen: list[tuple[tuple[Any, ...], Any, str]]) -> list[dict[str, Any]]:
    documents = copy.deepcopy(SOUND)
    for (number, *inner, last), wrong, _ in chosen:
        holder: Any = documents[number]["spec"]
        for step in inner:
            holder = holder[step]
        if wrong is GONE:
            del holder[last]
        else:
            holder[last] = wrong
    return documents


def text_of(documents: list[dict[str, Any]]) -> str:
    return "\n---\n".join(json.dumps(each, indent=1) for each in documents)


@SETTINGS
@given(
    st.lists(st.sampled_from(MISTAKES), unique_by=lambda mistake: mistake[0]).filter(
        lambda chosen: all(one[0] != other[0][: len(one[0])] for one in chosen for other in chosen if one is not other)
    )
)
def test_every_mistake_is_one_error_whatever_the_others_are(chosen: list[tuple[tuple[Any, ...], Any, str]]) -> None:
    if any(mistake[0] == (POLICY, "host") for mistake in chosen):  # then nobody knows which subsets there are
        chosen = [mistake for mistake in chosen if mistake[0][-1] != "subset"]
    (report,) = check([("f.yaml", text_of(with_mistakes(chosen)))])
    assert sorted(problem.path for problem in report.errors) == sorted(path for _, _, path in chosen), report.errors


HOSTS = st.sampled_from(
    ["web", "api", "api.example.com", "*.example.com", "x.shop.svc.cluster.local", "a_b", "*", "web.default", ""]
)
NAMES = st.sampled_from(["a", "b", "v1", "v2", "edge", "mesh", "shop/edge", "A", ""])
ODD = st.sampled_from([None, 0, -1, 80, 99999, "80", "x", "1s", True, [], {}, [[]], 2.5])
PORTS = st.fixed_dictionaries(
    {"number": st.sampled_from([80, 443, 9080])},
    optional={"name": NAMES, "protocol": st.sampled_from(["HTTP", "TCP", "", "HTPT"])},
)
URIS = st.dictionaries(
    st.sampled_from(["exact", "prefix", "regex"]),
    st.sampled_from(["/", "/a", "/a/b", "a", "(", "/a?b", ""]),
    max_size=2,
)
MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "uri": URIS,
        "headers": st.dictionaries(NAMES, URIS, max_size=2),
        "port": st.sampled_from([0, 80, 99999]),
        "gateways": st.lists(NAMES, max_size=2),
        "urii": ODD,
    },
)
DESTINATIONS = st.fixed_dictionaries(
    {},
    optional={
        "destination": st.fixed_dictionaries({}, optional={"host": HOSTS, "subset": NAMES, "port": PORTS}),
        "weight": st.sampled_from([0, 1, 50, -1]),
    },
)
ROUTES = st.fixed_dictionaries(
    {}, optional={
        "name": NAMES, "match": st.lists(MATCHES, max_size=3), "route": st.lists(DESTINATIONS, max_size=3) | ODD, "timeout": ODD,
        "fault": st.fixed_dictionaries({}, optional={"abort": st.fixed_dictionaries({}, optional={"httpStatus": st.sampled_from([200, 503, 600, 99]), "percentage": st.sampled_from([{}, {"value": 0.5}, {"value": 101}])})}),
        "mirror": st.fixed_dictionaries({"host": HOSTS}), "delegate": st.fixed_dictionaries({"name": NAMES}),
        "redirect": st.fixed_dictionaries({}, optional={"uri": NAMES, "redirectCode": st.sampled_from([200, 300, 301])}),
        "retries": st.fixed_dictionaries({}, optional={"attempts": st.sampled_from([-1, 0, 2]), "retryOn": st.sampled_from(["5xx", "5x,5x", "503, 500"])}),
        "rout": ODD,
    },
)  # fmt: skip
SPECS = {
    "VirtualService": st.fixed_dictionaries({}, optional={"hosts": st.lists(HOSTS, max_size=3) | ODD, "http": st.lists(ROUTES, max_size=4) | ODD, "gateways": st.lists(NAMES, max_size=2), "exportTo": st.lists(NAMES, max_size=2), "tls": ODD}),
    "DestinationRule": st.fixed_dictionaries({}, optional={"host": HOSTS | ODD, "subsets": st.lists(st.fixed_dictionaries({}, optional={"name": NAMES, "labels": st.just({"version": "v1"})}), max_size=3), "trafficPolicy": st.just({}) | ODD}),
    "ServiceEntry": st.fixed_dictionaries({}, optional={"hosts": st.lists(HOSTS, max_size=2) | ODD, "ports": st.lists(PORTS, max_size=2), "resolution": st.sampled_from(["DNS", "STATIC", "NONE", "DSN"]), "exportTo": st.lists(NAMES, max_size=2)}),
    "Gateway": st.fixed_dictionaries({}, optional={"servers": st.lists(st.fixed_dictionaries({}, optional={"port": PORTS | ODD, "hosts": st.lists(HOSTS, max_size=2)}), max_size=2), "selector": ODD}),
    "Service": st.fixed_dictionaries({}, optional={"ports": st.lists(st.fixed_dictionaries({}, optional={"port": st.sampled_from([80, 9080, 0]), "name": NAMES}), max_size=2), "type": NAMES}),
}  # fmt: skip
DOCUMENTS = st.one_of(
    [
        st.builds(
            lambda kind, name, spec, namespace: resource(kind, name, spec, "v1" if kind == "Service" else "networking.istio.io/v1") | {"metadata": {"name": name, "namespace": namespace}},
            st.just(kind), NAMES, spec, st.sampled_from(["default", "shop"]),
        )
        for kind, spec in SPECS.items()
    ]
)  # fmt: skip


@SETTINGS
@given(st.lists(DOCUMENTS, min_size=1, max_size=5))
def test_every_finding_is_located_and_none_is_there_twice(documents: list[dict[str, Any]]) -> None:
    text = text_of(documents)
    lines = text.split("\n")
    (report,) = check([("f.yaml", text)])
    found = [*report.errors, *report.warnings, *report.infos]
    for problem in found:
        assert problem.location.file == "f.yaml" and problem.path and problem.message
        assert 1 <= problem.location.line <= len(lines)
        assert 1 <= problem.location.column <= len(lines[problem.location.line - 1])
        assert problem.fix is None or problem.fix in problem.message
        assert problem.fix is None or f"no service {problem.fix} is" not in problem.message
    said = [(problem.location, problem.path, problem.message) for problem in found]
    assert len(said) == len(set(said))
