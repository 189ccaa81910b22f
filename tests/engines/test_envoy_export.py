"""The translation for a real Envoy, field by field, where a glance at the output says whether it is right.

That Envoy then does what the rules mean is `tests/conformance`'s to show."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.envoy import available
from support.envoy_binary import envoy_binary
from support.mesh import load_resources

from chaos.engines.envoy.export import as_text, export_envoy
from chaos.mesh.decision import Endpoint
from chaos.mesh.model.resources import Resources
from chaos.mesh.names import Proxy
from chaos.mesh.upstream.registry import Registry

WEB = Registry.of([("web", 80, [Endpoint("127.0.0.1", 9001, (("version", "v1"),))])])
UNLIMITED = 2**32 - 1


def virtual_service(http: str, name: str = "web", hosts: str = "[web]") -> str:
    return (
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
        f"metadata: {{name: {name}}}\nspec: {{hosts: {hosts}, http: [{http}]}}\n---\n"
    )


def destination_rule(spec: str) -> str:
    head = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: web}\n"
    return f"{head}spec: {{host: web, {spec}}}\n"


def exported(text: str, **proxy: Any) -> dict[str, Any]:
    return export_envoy(load_resources(text), WEB, Proxy(**proxy))


def routes(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = hosts(exported(text))[0]["routes"]
    return found


def manager(document: dict[str, Any]) -> dict[str, Any]:
    listener = document["static_resources"]["listeners"][0]
    found: dict[str, Any] = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def hosts(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = manager(document)["route_config"]["virtual_hosts"]
    return found


def clusters(text: str) -> dict[str, dict[str, Any]]:
    return {cluster["name"]: cluster for cluster in exported(text)["static_resources"]["clusters"]}


ROUTE = "route: [{destination: {host: web}}]"


def test_a_service_has_all_its_names() -> None:
    names = ["web.default.svc.cluster.local", "web.default.svc.cluster.local.", "web.default", "web.default.svc", "web"]
    document = virtual_service(f"{{{ROUTE}}}")
    assert hosts(exported(document))[0]["domains"] == [*names, *(f"{name}:80" for name in names)]
    assert hosts(exported(document, port=80))[0]["domains"] == names  # one listener, whatever port Host names


def test_every_listener_has_its_own_names() -> None:
    registry = Registry.of([("web", 80, []), ("api", 9080, [])])
    found = {host["name"]: host["domains"][0] for host in hosts(export_envoy(Resources(), registry))}
    assert found == {
        "web.default.svc.cluster.local:80": "web.default.svc.cluster.local",
        "api.default.svc.cluster.local:9080": "api.default.svc.cluster.local:9080",
    }


def test_a_service_without_rules_has_a_default_route() -> None:
    (host,) = hosts(export_envoy(Resources(), WEB))
    assert host["routes"][0]["name"] == "default"
    assert host["routes"][0]["route"]["cluster"] == "outbound|80||web.default.svc.cluster.local"


def test_nothing_follows_a_rule_that_takes_every_request() -> None:
    http = f"{{match: [{{uri: {{prefix: /a}}}}], {ROUTE}}}, {{{ROUTE}}}, {{match: [{{uri: {{prefix: /b}}}}], {ROUTE}}}"
    assert [route["match"]["prefix"] for route in routes(virtual_service(http))] == ["/a", "/"]


@pytest.mark.parametrize(
    ("match", "translated"),
    [
        ("uri: {exact: /a}", {"path": "/a", "case_sensitive": True}),
        ("uri: {prefix: /a}, ignoreUriCase: true", {"prefix": "/a", "case_sensitive": False}),
        ("uri: {regex: /a.*}", {"safe_regex": {"regex": "/a.*"}, "case_sensitive": True}),
        (
            "headers: {b: {exact: '1'}, a: {}}, method: {exact: GET}",
            {
                "prefix": "/",
                "case_sensitive": True,
                "headers": [
                    {"name": "a", "present_match": True},
                    {"name": "b", "string_match": {"exact": "1"}},
                    {"name": ":method", "string_match": {"exact": "GET"}},
                ],
            },
        ),
        (
            "withoutHeaders: {a: {}, b: {prefix: x}}",
            {
                "prefix": "/",
                "case_sensitive": True,
                "headers": [
                    {"name": "a", "present_match": True, "invert_match": True},
                    {
                        "name": "b",
                        "string_match": {"prefix": "x"},
                        "invert_match": True,
                        "treat_missing_header_as_empty": True,
                    },
                ],
            },
        ),
    ],
)
def test_matches(match: str, translated: dict[str, Any]) -> None:
    assert routes(virtual_service(f"{{match: [{{{match}}}], {ROUTE}}}"))[0]["match"] == translated


@pytest.mark.parametrize(
    ("percentage", "numerator"),
    [("{value: 50}", 500_000), ("{value: 0.57}", 5699), ("{}", 0), ("{value: 100}", 1_000_000)],
)
def test_percentages_are_truncated_to_parts_per_million(percentage: str, numerator: int) -> None:
    http = f"{{fault: {{abort: {{httpStatus: 400, percentage: {percentage}}}}}, {ROUTE}}}"
    fault = routes(virtual_service(http))[0]["typed_per_filter_config"]["envoy.filters.http.fault"]
    assert fault["abort"] == {"http_status": 400, "percentage": {"numerator": numerator, "denominator": "MILLION"}}


def test_an_abort_without_a_percentage_never_happens() -> None:
    http = f"{{fault: {{abort: {{httpStatus: 400}}}}, {ROUTE}}}"
    fault = routes(virtual_service(http))[0]["typed_per_filter_config"]["envoy.filters.http.fault"]
    assert fault["abort"]["percentage"] == {"numerator": 0}


@pytest.mark.parametrize(
    ("retries", "on", "codes", "number"),
    [
        ("", "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes", None, 2),
        ("retries: {attempts: 3, retryOn: 5xx}, ", "5xx", None, 3),
        ("retries: {attempts: 1, retryOn: 'reset,503'}, ", "reset,retriable-status-codes", [503], 1),
    ],
)
def test_retries(retries: str, on: str, codes: list[int] | None, number: int) -> None:
    policy = routes(virtual_service(f"{{{retries}{ROUTE}}}"))[0]["route"]["retry_policy"]
    assert (policy["retry_on"], policy.get("retriable_status_codes"), policy["num_retries"]) == (on, codes, number)


def test_no_attempts_is_no_retry_policy() -> None:
    assert "retry_policy" not in routes(virtual_service(f"{{retries: {{attempts: 0}}, {ROUTE}}}"))[0]["route"]


def test_operations_of_a_single_destination_join_the_rules() -> None:
    rule = (
        "{headers: {request: {set: {a: '1'}}}, "
        "route: [{destination: {host: web}, headers: {request: {set: {b: '2'}, remove: [c]}}}]}"
    )
    route = routes(virtual_service(rule))[0]
    assert [added["header"]["key"] for added in route["request_headers_to_add"]] == ["a", "b"]
    assert route["request_headers_to_remove"] == ["c"]


def test_operations_of_several_destinations_stay_with_them() -> None:
    rule = (
        "{route: [{destination: {host: web}, weight: 1, headers: {response: {remove: [x]}}}, "
        "{destination: {host: web}, weight: 0}]}"
    )
    (cluster,) = routes(virtual_service(rule))[0]["route"]["weighted_clusters"]["clusters"]
    assert cluster["response_headers_to_remove"] == ["x"]


def test_every_subset_is_a_cluster_with_its_endpoints() -> None:
    found = clusters(
        destination_rule("subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]")
    )
    sizes = {name: len(each["load_assignment"]["endpoints"][0]["lb_endpoints"]) for name, each in found.items()}
    assert sizes == {
        "outbound|80||web.default.svc.cluster.local": 1,
        "outbound|80|v1|web.default.svc.cluster.local": 1,
        "outbound|80|v2|web.default.svc.cluster.local": 0,
    }


def test_limits_are_lifted_where_none_is_set() -> None:
    rule = destination_rule("trafficPolicy: {connectionPool: {tcp: {maxConnections: 1}}}")
    (threshold,) = clusters(rule)["outbound|80||web.default.svc.cluster.local"]["circuit_breakers"]["thresholds"]
    assert threshold["max_connections"] == 1
    assert {threshold[name] for name in ("max_pending_requests", "max_requests", "max_retries")} == {UNLIMITED}


SLOW_STARTS = [
    ("simple: ROUND_ROBIN, warmup: {duration: 30s}", "round_robin_lb_config", (1.0, 10.0)),
    ("warmup: {duration: 30s, minimumPercent: 0, aggression: 2}", "least_request_lb_config", (2.0, 0.0)),
]


@pytest.mark.parametrize(("text", "name", "values"), SLOW_STARTS)
def test_a_warm_up_is_slow_start(text: str, name: str, values: tuple[float, float]) -> None:
    """As istiod writes it, runtime key included."""
    rule = destination_rule(f"trafficPolicy: {{loadBalancer: {{{text}}}}}")
    found = clusters(rule)["outbound|80||web.default.svc.cluster.local"]
    assert found[name]["slow_start_config"] == {
        "slow_start_window": "30s",
        "aggression": {"default_value": values[0], "runtime_key": "("},
        "min_weight_percent": {"value": values[1]},
    }


def test_an_old_warm_up_says_its_window_alone_and_random_has_none() -> None:
    old = destination_rule("trafficPolicy: {loadBalancer: {warmupDurationSecs: 10s}}")
    found = clusters(old)["outbound|80||web.default.svc.cluster.local"]
    assert found["least_request_lb_config"] == {"slow_start_config": {"slow_start_window": "10s"}}
    rule = destination_rule("trafficPolicy: {loadBalancer: {simple: RANDOM, warmup: {duration: 30s}}}")
    found = clusters(rule)["outbound|80||web.default.svc.cluster.local"]
    assert not [name for name in found if name.endswith("_lb_config") and name != "common_lb_config"]


def test_a_retry_budget_needs_no_connection_pool() -> None:
    rule = destination_rule("trafficPolicy: {retryBudget: {percent: 30, budgetInterval: 2s}}")
    (threshold,) = clusters(rule)["outbound|80||web.default.svc.cluster.local"]["circuit_breakers"]["thresholds"]
    assert threshold["retry_budget"] == {
        "budget_percent": {"value": 30.0},
        "min_retry_concurrency": 3,
        "budget_interval": "2s",
    }


def test_a_subsets_policy_replaces_the_hosts_field_by_field() -> None:
    rule = destination_rule(
        "trafficPolicy: {loadBalancer: {simple: RANDOM}, outlierDetection: {consecutive5xxErrors: 1}}, "
        "subsets: [{name: v1, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}]"
    )
    subset = clusters(rule)["outbound|80|v1|web.default.svc.cluster.local"]
    assert (subset["lb_policy"], subset["outlier_detection"]["consecutive_5xx"]) == ("ROUND_ROBIN", 1)


def test_a_ports_settings_replace_the_whole_policy() -> None:
    rule = destination_rule(
        "trafficPolicy: {loadBalancer: {simple: RANDOM}, outlierDetection: {consecutive5xxErrors: 1}, "
        "portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: ROUND_ROBIN}}]}"
    )
    cluster = clusters(rule)["outbound|80||web.default.svc.cluster.local"]
    assert cluster["lb_policy"] == "ROUND_ROBIN" and "outlier_detection" not in cluster


def test_a_gateway_trusts_no_client_and_has_another_name() -> None:
    edge = (
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: edge}\n"
        "spec: {servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: ['*']}]}\n"
    )
    found = manager(exported(edge, gateway="edge", port=None))
    assert (found["use_remote_address"], found["server_name"]) == (True, "istio-envoy")


def test_the_gateways_port_is_its_first_servers() -> None:
    text = (
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: edge}\n"
        "spec: {servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: ['*']}]}\n---\n"
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: web}\n"
        "spec: {hosts: [a.test], gateways: [edge], http: [{route: [{destination: {host: web}}]}]}\n"
    )
    assert [host["domains"] for host in hosts(exported(text, gateway="edge", port=None))] == [["a.test"]]
    assert hosts(exported(text, gateway="edge", port=81)) == []


HTTP_2 = {"http2_protocol_options": {}}
SEVEN = {"http2_protocol_options": {"max_concurrent_streams": 7}}
CLIENTS_OWN = {"http_protocol_options": {}, **HTTP_2}


@pytest.mark.parametrize(
    ("protocol", "http", "spoken"),
    [
        ("HTTP", "", None),
        ("GRPC", "", {"explicit_http_config": HTTP_2}),
        ("HTTP2", "maxConcurrentStreams: 7", {"explicit_http_config": SEVEN}),
        ("HTTP", "h2UpgradePolicy: UPGRADE", {"explicit_http_config": HTTP_2}),
        ("HTTP", "useClientProtocol: true", {"use_downstream_protocol_config": CLIENTS_OWN}),
    ],
)  # fmt: skip
def test_a_cluster_speaks_what_its_port_or_policy_says(protocol: str, http: str, spoken: dict[str, Any] | None) -> None:
    """As istiod's setUpstreamProtocol and applyConnectionPool have it."""
    registry = Registry.of(
        [("web", 80, [Endpoint("127.0.0.1", 9001)])], protocols={("web.default.svc.cluster.local", 80): protocol}
    )
    rule = destination_rule(f"trafficPolicy: {{connectionPool: {{http: {{{http}}}}}}}")
    (cluster,) = export_envoy(load_resources(rule), registry)["static_resources"]["clusters"]
    options = cluster.get("typed_extension_protocol_options", {}).get(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {}
    )
    assert {name: value for name, value in options.items() if name != "@type"} == (spoken or {})


@pytest.mark.envoy
@pytest.mark.skipif(not available(), reason="no Envoy here")
def test_envoy_accepts_a_policy_of_every_kind(tmp_path: Path) -> None:
    policies = [
        "loadBalancer: {consistentHash: {httpCookie: {name: c, ttl: 1s, path: /}}}",
        "loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 101}}}",
        "loadBalancer: {consistentHash: {httpQueryParameterName: q, ringHash: {minimumRingSize: 64}}}",
        "connectionPool: {tcp: {maxConnections: 1, connectTimeout: 1s, idleTimeout: 5s, maxConnectionDuration: 1m}, "
        "http: {http1MaxPendingRequests: 1, http2MaxRequests: 2, maxRequestsPerConnection: 3, maxRetries: 4}}",
        "outlierDetection: {consecutive5xxErrors: 0, consecutiveGatewayErrors: 1, interval: 1s, baseEjectionTime: 2s, "
        "maxEjectionPercent: 50, minHealthPercent: 10, splitExternalLocalOriginErrors: true, "
        "consecutiveLocalOriginFailures: 3}",
        "connectionPool: {http: {h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 9, idleTimeout: 5s}}",
        "connectionPool: {http: {useClientProtocol: true}}",
        "retryBudget: {percent: 10}, connectionPool: {tcp: {maxConnections: 9}}",
    ]  # fmt: skip
    subsets = ", ".join(f"{{name: s{index}, trafficPolicy: {{{policy}}}}}" for index, policy in enumerate(policies))
    document = exported(destination_rule(f"subsets: [{subsets}]"))
    file = tmp_path / "bootstrap.json"
    file.write_text(as_text(document))
    assert json.loads(file.read_text()) == document
    command = [envoy_binary(), "--mode", "validate", "-c", file, "--disable-hot-restart", "--log-level", "error"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stderr
