"""A service's endpoints and a DestinationRule's policies as Envoy clusters (istiod's cluster_traffic_policy.go)."""

from __future__ import annotations

from chaos.engines.envoy.bootstrap import Message, typed
from chaos.engines.envoy.values import duration
from chaos.mesh.decision import Endpoint
from chaos.mesh.model.destination_rule import (
    ConnectionPoolSettings,
    ConsistentHashLB,
    HTTPSettings,
    LoadBalancerSettings,
    OutlierDetection,
    RetryBudget,
    Subset,
    TCPSettings,
)
from chaos.mesh.names import is_address
from chaos.mesh.resolve.destination_rules import MergedRule
from chaos.mesh.upstream.policy import DEFAULT_POLICY, Policy, endpoints_with, read_policy
from chaos.mesh.upstream.registry import Port

_UNLIMITED = 2**32 - 1
_SIMPLE = {"RANDOM": "RANDOM", "ROUND_ROBIN": "ROUND_ROBIN"}
_WITH_SLOW_START = {"ROUND_ROBIN": "round_robin_lb_config", "LEAST_REQUEST": "least_request_lb_config"}

_OVER_HTTP_2 = frozenset(("HTTP2", "GRPC", "GRPC-WEB"))
_HTTP_1: Message = {"explicit_http_config": {"http_protocol_options": {}}}


def cluster_name(host: str, port: int, subset: str) -> str:
    """Return Istio's own name for a cluster, which people know."""
    return f"outbound|{port}|{subset}|{host}"


def cluster(host: str, number: int, port: Port, rule: MergedRule | None, subset: Subset | None) -> Message:
    """Return the cluster of one port of a service, or of one subset of it."""
    name = cluster_name(host, number, subset.name if subset else "")
    chosen = endpoints_with(port.endpoints, subset.labels if subset else {})
    policy = read_policy(rule.traffic_policy, number, DEFAULT_POLICY) if rule else DEFAULT_POLICY
    policy = read_policy(subset.traffic_policy, number, policy) if subset else policy
    pool = policy.connection_pool or ConnectionPoolSettings()
    tcp, http = pool.tcp or TCPSettings(), pool.http or HTTPSettings()
    whole: Message = {
        "name": name,
        "alt_stat_name": f"{name};",  # the value of %UPSTREAM_CLUSTER%
        "type": "STATIC" if all(is_address(point.address) for point in chosen) else "STRICT_DNS",
        "connect_timeout": duration(10.0 if tcp.connect_timeout is None else tcp.connect_timeout),
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [_endpoint(p) for p in chosen]}]},
        "circuit_breakers": {"thresholds": [_thresholds(tcp, http, policy)]},
        **_balancing(policy.load_balancer),
    }
    options = _protocol_options(tcp, http, port.protocol)
    if options:
        whole["typed_extension_protocol_options"] = options
    # Istio always sets it: by Envoy's default, ejected endpoints get requests again once half of all are ejected.
    panic = policy.outlier_detection.min_health_percent if policy.outlier_detection is not None else 0
    whole["common_lb_config"] = {"healthy_panic_threshold": {"value": panic}}
    if policy.outlier_detection is not None:
        whole["outlier_detection"] = _outlier_detection(policy.outlier_detection)
    return whole


def hash_policy(consistent_hash: ConsistentHashLB | None) -> Message | None:
    """Return what a route hashes for a cluster with this consistent hash, or None (ConsistentHashToHashPolicy)."""
    if consistent_hash is None:
        return None
    if consistent_hash.http_header_name is not None:
        return {"header": {"header_name": consistent_hash.http_header_name}}
    if consistent_hash.http_cookie is not None:
        cookie = consistent_hash.http_cookie
        fields: Message = {"name": cookie.name, "path": cookie.path}
        if cookie.ttl is not None:
            fields["ttl"] = duration(cookie.ttl)
        if cookie.attributes:
            fields["attributes"] = [{"name": item.name, "value": item.value} for item in cookie.attributes]
        return {"cookie": fields}
    if consistent_hash.use_source_ip is not None:
        return {"connection_properties": {"source_ip": consistent_hash.use_source_ip}}
    if consistent_hash.http_query_parameter_name is not None:
        return {"query_parameter": {"name": consistent_hash.http_query_parameter_name}}
    return None


def _endpoint(point: Endpoint) -> Message:
    address = {"socket_address": {"address": point.address, "port_value": point.port}}
    return {"endpoint": {"address": address}, "load_balancing_weight": max(point.weight, 1)}


def _thresholds(tcp: TCPSettings, http: HTTPSettings, policy: Policy) -> Message:
    """Return the limits. Istio lifts Envoy's own; 0 and absent both mean unlimited."""
    threshold: Message = {
        "max_connections": tcp.max_connections or _UNLIMITED,
        "max_pending_requests": http.http1_max_pending_requests or _UNLIMITED,
        "max_requests": http.http2_max_requests or _UNLIMITED,
        "max_retries": http.max_retries or _UNLIMITED,
    }
    if policy.retry_budget is not None:
        threshold["retry_budget"] = _retry_budget(policy.retry_budget)
    return threshold


def _retry_budget(budget: RetryBudget) -> Message:
    found: Message = {
        "budget_percent": {"value": 20.0 if budget.percent is None else budget.percent},
        "min_retry_concurrency": budget.min_retry_concurrency or 3,
    }
    if budget.budget_interval:
        found["budget_interval"] = duration(budget.budget_interval)
    return found


def _balancing(settings: LoadBalancerSettings | None) -> Message:
    consistent_hash = settings.consistent_hash if settings else None
    if consistent_hash is not None:
        return _hashing(consistent_hash)
    policy = _SIMPLE.get((settings.simple if settings else None) or "", "LEAST_REQUEST")
    found: Message = {"lb_policy": policy}
    slow_start = _slow_start(settings) if settings else None
    if slow_start is not None and policy in _WITH_SLOW_START:
        found[_WITH_SLOW_START[policy]] = {"slow_start_config": slow_start}
    return found


def _slow_start(settings: LoadBalancerSettings) -> Message | None:
    """Return the warm-up of new endpoints, or None (setWarmup)."""
    warmup = settings.warmup
    if warmup is None:
        old = settings.warmup_duration_secs
        return {"slow_start_window": duration(old)} if old is not None else None
    return {
        "slow_start_window": duration(warmup.duration),
        "aggression": {"default_value": 1.0 if warmup.aggression is None else warmup.aggression, "runtime_key": "("},
        "min_weight_percent": {"value": 10.0 if warmup.minimum_percent is None else warmup.minimum_percent},
    }


def _hashing(consistent_hash: ConsistentHashLB) -> Message:
    if consistent_hash.maglev is not None:
        size = consistent_hash.maglev.table_size
        return {"lb_policy": "MAGLEV", **({"maglev_lb_config": {"table_size": size}} if size else {})}
    size = consistent_hash.minimum_ring_size or 1024
    if consistent_hash.ring_hash is not None:
        size = consistent_hash.ring_hash.minimum_ring_size
    return {"lb_policy": "RING_HASH", **({"ring_hash_lb_config": {"minimum_ring_size": size}} if size else {})}


def _protocol_options(tcp: TCPSettings, http: HTTPSettings, protocol: str) -> Message:
    """Return what a cluster speaks, and for how long; empty for HTTP/1.1 without limits (setUpstreamProtocol)."""
    common: Message = {}
    idle = http.idle_timeout if http.idle_timeout is not None else tcp.idle_timeout
    if idle is not None:
        common["idle_timeout"] = duration(idle)
    if http.max_requests_per_connection:
        common["max_requests_per_connection"] = http.max_requests_per_connection
    if tcp.max_connection_duration is not None:
        common["max_connection_duration"] = duration(tcp.max_connection_duration)
    spoken = _spoken(http, protocol)
    if not common and spoken == _HTTP_1:
        return {}
    options = typed("extensions.upstreams.http.v3.HttpProtocolOptions", **spoken)
    if common:
        options["common_http_protocol_options"] = common
    return {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}


def _spoken(http: HTTPSettings, protocol: str) -> Message:
    """Return the protocol towards upstream: the client's own, or HTTP/2 where the port says so or the policy asks."""
    if http.use_client_protocol:
        return {"use_downstream_protocol_config": {"http_protocol_options": {}, "http2_protocol_options": {}}}
    upgraded = http.h2_upgrade_policy == "UPGRADE" and protocol == "HTTP"
    if upgraded or protocol in _OVER_HTTP_2:
        streams = {"max_concurrent_streams": http.max_concurrent_streams} if http.max_concurrent_streams > 0 else {}
        return {"explicit_http_config": {"http2_protocol_options": streams}}
    return _HTTP_1


def _outlier_detection(outlier: OutlierDetection) -> Message:
    """Return the outlier detection. Ejection by success rate is always off in Istio (applyOutlierDetection)."""
    config: Message = {"enforcing_success_rate": 0}
    if outlier.consecutive_5xx_errors is not None:
        config["consecutive_5xx"] = outlier.consecutive_5xx_errors
        config["enforcing_consecutive_5xx"] = 100 if outlier.consecutive_5xx_errors else 0
    if outlier.consecutive_gateway_errors is not None:
        config["consecutive_gateway_failure"] = outlier.consecutive_gateway_errors
        config["enforcing_consecutive_gateway_failure"] = 100 if outlier.consecutive_gateway_errors else 0
    if outlier.interval is not None:
        config["interval"] = duration(outlier.interval)
    if outlier.base_ejection_time is not None:
        config["base_ejection_time"] = duration(outlier.base_ejection_time)
    if outlier.max_ejection_percent > 0:
        config["max_ejection_percent"] = outlier.max_ejection_percent
    if outlier.split_external_local_origin_errors:
        config["split_external_local_origin_errors"] = True
        config["enforcing_local_origin_success_rate"] = 0
        if outlier.consecutive_local_origin_failures:
            config["consecutive_local_origin_failure"] = outlier.consecutive_local_origin_failures
            config["enforcing_consecutive_local_origin_failure"] = 100
    return config
