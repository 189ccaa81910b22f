"""A service's endpoints and a DestinationRule's policies as Envoy clusters (istiod's cluster_traffic_policy.go)."""

from __future__ import annotations

from collections.abc import Sequence

from chaos.engines.envoy.bootstrap import Message, typed
from chaos.engines.envoy.values import duration
from chaos.mesh.decision import Endpoint
from chaos.mesh.model.destination_rule import (
    ConnectionPoolSettings,
    ConsistentHashLB,
    HTTPSettings,
    LoadBalancerSettings,
    OutlierDetection,
    PortTrafficPolicy,
    Subset,
    TCPSettings,
    TrafficPolicy,
)
from chaos.mesh.names import is_address
from chaos.mesh.resolve.destination_rules import MergedRule
from chaos.mesh.upstream.policy import endpoints_with

_UNLIMITED = 2**32 - 1
_SIMPLE = {"RANDOM": "RANDOM", "ROUND_ROBIN": "ROUND_ROBIN"}


def cluster_name(host: str, port: int, subset: str) -> str:
    """Return Istio's own name for a cluster, which people know."""
    return f"outbound|{port}|{subset}|{host}"


def cluster(
    host: str, port: int, endpoints: Sequence[Endpoint], rule: MergedRule | None, subset: Subset | None
) -> Message:
    """Return the cluster of one port of a service, or of one subset of it."""
    name = cluster_name(host, port, subset.name if subset else "")
    chosen = endpoints_with(tuple(endpoints), subset.labels if subset else {})
    policy = effective_policy(rule.traffic_policy if rule else None, subset.traffic_policy if subset else None, port)
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
    options = _protocol_options(tcp, http)
    if options:
        whole["typed_extension_protocol_options"] = options
    # Istio always sets it: by Envoy's default, ejected endpoints get requests again once half of all are ejected.
    panic = policy.outlier_detection.min_health_percent if policy.outlier_detection is not None else 0
    whole["common_lb_config"] = {"healthy_panic_threshold": {"value": panic}}
    if policy.outlier_detection is not None:
        whole["outlier_detection"] = _outlier_detection(policy.outlier_detection)
    return whole


def effective_policy(host: TrafficPolicy | None, subset: TrafficPolicy | None, port: int) -> TrafficPolicy:
    """Return the host's policy with the subset's fields in their place, after ports are settled
    (MergeSubsetTrafficPolicy)."""
    base, _ = _for_port(host, port)
    if subset is None:
        return base
    over, whole = _for_port(subset, port)
    names = ("connection_pool", "outlier_detection", "load_balancer")
    changes = {name: getattr(over, name) for name in names if whole or getattr(over, name) is not None}
    if over.retry_budget is not None:
        changes["retry_budget"] = over.retry_budget
    return base.model_copy(update=changes)


def _for_port(policy: TrafficPolicy | None, port: int) -> tuple[TrafficPolicy, bool]:
    """Return the policy for a port, and whether the port has settings of its own, which replace all of the policy's
    fields."""
    if policy is None:
        return TrafficPolicy(), False
    for settings in policy.port_level_settings:
        if settings.port is not None and settings.port.number == port:
            return _as_policy(policy, settings), True
    return policy, False


def _as_policy(policy: TrafficPolicy, settings: PortTrafficPolicy) -> TrafficPolicy:
    return TrafficPolicy(
        load_balancer=settings.load_balancer,
        connection_pool=settings.connection_pool,
        outlier_detection=settings.outlier_detection,
        retry_budget=policy.retry_budget,
    )


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


def _thresholds(tcp: TCPSettings, http: HTTPSettings, policy: TrafficPolicy) -> Message:
    """Return the limits. Istio lifts Envoy's own; 0 and absent both mean unlimited."""
    threshold: Message = {
        "max_connections": tcp.max_connections or _UNLIMITED,
        "max_pending_requests": http.http1_max_pending_requests or _UNLIMITED,
        "max_requests": http.http2_max_requests or _UNLIMITED,
        "max_retries": http.max_retries or _UNLIMITED,
    }
    budget = policy.retry_budget
    if budget is not None and policy.connection_pool is not None:
        threshold["retry_budget"] = {
            "budget_percent": {"value": 20.0 if budget.percent is None else budget.percent},
            "min_retry_concurrency": budget.min_retry_concurrency or 3,
        }
    return threshold


def _balancing(settings: LoadBalancerSettings | None) -> Message:
    consistent_hash = settings.consistent_hash if settings else None
    if consistent_hash is not None:
        return _hashing(consistent_hash)
    simple = settings.simple if settings else None
    return {"lb_policy": _SIMPLE.get(simple or "", "LEAST_REQUEST")}


def _hashing(consistent_hash: ConsistentHashLB) -> Message:
    if consistent_hash.maglev is not None:
        size = consistent_hash.maglev.table_size
        return {"lb_policy": "MAGLEV", **({"maglev_lb_config": {"table_size": size}} if size else {})}
    size = consistent_hash.minimum_ring_size or 1024
    if consistent_hash.ring_hash is not None:
        size = consistent_hash.ring_hash.minimum_ring_size
    return {"lb_policy": "RING_HASH", **({"ring_hash_lb_config": {"minimum_ring_size": size}} if size else {})}


def _protocol_options(tcp: TCPSettings, http: HTTPSettings) -> Message:
    common: Message = {}
    idle = http.idle_timeout if http.idle_timeout is not None else tcp.idle_timeout
    if idle is not None:
        common["idle_timeout"] = duration(idle)
    if http.max_requests_per_connection:
        common["max_requests_per_connection"] = http.max_requests_per_connection
    if tcp.max_connection_duration is not None:
        common["max_connection_duration"] = duration(tcp.max_connection_duration)
    if not common:
        return {}
    options = typed(
        "extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config={"http_protocol_options": {}},
        common_http_protocol_options=common,
    )
    return {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}


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
