"""Policies as Envoy's fault filters: what it is told, what it then does, and what is refused where it stands."""

from __future__ import annotations

import time
from typing import Any

import pytest
from support.envoy import Envoy, available
from support.mesh import virtual_service
from support.policies import policy, reading
from support.raw_client import send
from support.scripted import Server, always, get, upstream

from chaos.engines.envoy.export import export_envoy
from chaos.errors import InvalidInput
from chaos.mesh.decision import Endpoint
from chaos.mesh.upstream.registry import Registry

ROUTE = virtual_service("- match: [{uri: {prefix: /}}]\n  route: [{destination: {host: web}}]")
NARROW = virtual_service("- match: [{uri: {prefix: /a}}]\n  route: [{destination: {host: web}}]")
FILTER = "envoy.filters.http.fault"


def exported(*documents: str, port: int = 80, listen: int = 8080) -> dict[str, Any]:
    read = reading(*documents).require()
    registry = Registry.of([("web", 80, [Endpoint("127.0.0.1", port)])])
    admin = ("127.0.0.1", 0)
    return export_envoy(read.resources, registry, listen=("127.0.0.1", listen), admin=admin, policies=read.policies)


def manager(document: dict[str, Any]) -> dict[str, Any]:
    (listener,) = document["static_resources"]["listeners"]
    found: dict[str, Any] = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def setting(*documents: str, name: str = "p") -> dict[str, Any]:
    """What the policy's filter is told for its host."""
    (host,) = manager(exported(ROUTE, *documents))["route_config"]["virtual_hosts"]
    found: dict[str, Any] = host["typed_per_filter_config"][f"{FILTER}.{name}"]
    return {key: value for key, value in found.items() if key != "@type"}


def with_match(fault: str, *matches: str) -> str:
    targets = ", ".join(f"{{host: web, match: {match}}}" for match in matches)
    return policy(fault).replace("{host: web}", targets)


def share(per_million: int) -> dict[str, Any]:
    return {"numerator": per_million, "denominator": "MILLION"}


def test_each_policy_is_a_filter_that_is_off_but_for_its_hosts() -> None:
    slow, late = (
        policy("{bandwidth: {rate: 64KiB/s, direction: answer}}", name="slow"),
        policy("{delay: {fixed: 100ms}}", name="late", percentage=30),
    )
    document = exported(ROUTE, policy("{status: {code: 429}}"), late, slow)
    names = [each["name"] for each in manager(document)["http_filters"]]
    assert names[:4] == [f"{FILTER}.slow", f"{FILTER}.late", f"{FILTER}.p", FILTER]
    assert all(each["typed_config"].keys() == {"@type"} for each in manager(document)["http_filters"][:3])
    assert setting(policy("{status: {code: 429}}")) == {"abort": {"http_status": 429, "percentage": share(1_000_000)}}
    assert setting(late, name="late") == {"delay": {"fixed_delay": "0.1s", "percentage": share(300_000)}}
    limit = {"fixed_limit": {"limit_kbps": "64"}, "percentage": share(1_000_000)}
    assert setting(slow, name="slow") == {"response_rate_limit": limit}


def test_without_policies_it_is_as_ever() -> None:
    document = exported(ROUTE)
    (host,) = manager(document)["route_config"]["virtual_hosts"]
    assert len(manager(document)["http_filters"]) == 3 and "typed_per_filter_config" not in host


def test_its_match_is_that_of_the_filter() -> None:
    match = "{uri: {exact: /a.b}, ignoreUriCase: true, method: {exact: GET}, headers: {x-a: {prefix: b}}}"
    assert setting(with_match("{status: {code: 503}}", match))["headers"] == [
        {"name": ":path", "string_match": {"safe_regex": {"regex": r"(?i)/a\.b(?:\?.*)?"}}},
        {"name": "x-a", "string_match": {"prefix": "b"}},
        {"name": ":method", "string_match": {"exact": "GET"}},
    ]


REFUSED = [
    (policy("{delay: {lognormal: {p50: 1s, p99: 2s}}}"), "7:19: spec.fault.delay.lognormal: an Envoy's delays are all"),
    (policy("{delay: {fixed: 1s, at: answer}}"), "7:34: spec.fault.delay.at: an Envoy delays requests; leave at out"),
    (policy("{bandwidth: {rate: 64KiB/s}}"), "7:11: spec.fault.bandwidth: an Envoy slows responses alone; write"),
    (
        policy("{bandwidth: {rate: 64KB/s, direction: answer}}"),
        "7:29: spec.fault.bandwidth.rate: an Envoy's rates are whole KiB/s; write 62KiB/s or 63KiB/s",
    ),
    (policy("{status: {code: 429, headers: {a: b}}}"), "7:31: spec.fault.status.headers: an Envoy's abort has no"),
    (policy("{status: {code: 429, body: b}}"), "7:31: spec.fault.status.body: an Envoy's abort has no body"),
    (
        policy("{reset: {}}"),
        "7:11: spec.fault.reset: an Envoy has no fault like reset; it has bandwidth,",
    ),
    (policy("{quota: {rate: 1}}"), "7:11: spec.fault.quota: an Envoy has no fault like quota"),
    (policy("{status: {code: 429}}", more="scope: upstream"), "8:3: spec.scope: an Envoy's faults are in front of its"),
    (policy("{status: {code: 429}}", more="when: {after: 5s}"), "8:3: spec.when: an Envoy's faults are always in"),
    (policy("{status: {code: 429}}", more="maxActive: 3"), "8:3: spec.maxActive: an Envoy counts the active faults of"),
    (
        with_match("{status: {code: 429}}", "{uri: {regex: /a.*}}"),
        "5:13: spec.targets[0].match.uri.regex: an Envoy's fault filter compares the path together with its query",
    ),
    (
        with_match("{status: {code: 429}}", "{queryParams: {a: {exact: b}}}"),
        "5:13: spec.targets[0].match.queryParams: an Envoy's fault filter compares no parameters; match",
    ),
    (
        with_match("{status: {code: 429}}", "{method: {exact: GET}}", "{method: {exact: PUT}}"),
        "5:13: spec.targets[1].match: an Envoy's fault filter has one match for a host; write a policy of its own",
    ),
]


@pytest.mark.parametrize(("written", "said"), REFUSED)
def test_what_an_envoy_cannot_do_is_refused_where_it_stands(written: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        exported(written, ROUTE)
    (problem,) = refused.value.problems
    line, _, rest = said.partition(":")
    assert problem.location.line == int(line)
    assert f"{problem.path}: {problem.message}".startswith(rest.partition(": ")[2])


def on_envoy(web: Server, *documents: str) -> Envoy:
    return Envoy(exported(*documents, port=web.port, listen=0))


@pytest.mark.skipif(not available(), reason="no Envoy")
async def test_a_real_envoy_does_it() -> None:
    """A status for some paths, whether or not a route takes them; the rest waits, and its response is slow."""
    status = with_match("{status: {code: 429}}", "{uri: {exact: /busy}}")
    late = policy("{delay: {fixed: 50ms}}", name="late")
    slow = policy("{bandwidth: {rate: 64KiB/s, direction: answer}}", name="slow")
    body = bytes(16 * 1024)
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    async with upstream(always(answer)) as web, on_envoy(web, NARROW, status, late, slow) as envoy:
        assert (await send(envoy.port, get("/busy?x=1"))).status == 429
        assert (await send(envoy.port, get("/busyish"))).status == 404
        began = time.monotonic()
        found = await send(envoy.port, get("/a"))
        assert (found.status, found.body) == (200, body)
        assert time.monotonic() - began >= 0.05 + 0.15  # 16 KiB at 64 KiB/s, the first piece of which passes at once
