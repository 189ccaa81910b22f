"""Turn a DestinationRule's traffic policy into a Cluster, with Istio's and Envoy's defaults filled in.

Source: istio applyConnectionPool, applyOutlierDetection, applyLoadBalancer
(pilot/pkg/networking/core/cluster_traffic_policy.go)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chaos.mesh.decision import (
    Balancing,
    CircuitBreakers,
    Cluster,
    Endpoint,
    HashKey,
    OutlierDetection,
    RetryBudget,
    Warmup,
)
from chaos.mesh.model.destination_rule import (
    ConnectionPoolSettings,
    ConsistentHashLB,
    LoadBalancerSettings,
    TrafficPolicy,
)
from chaos.mesh.model.destination_rule import OutlierDetection as WrittenOutlierDetection
from chaos.mesh.model.destination_rule import RetryBudget as WrittenRetryBudget

_CONNECT_TIMEOUT = 10.0
_ENVOY_LOCAL_ORIGIN_FAILURES = 5
_BUDGET_PERCENT, _BUDGET_CONCURRENCY = 20.0, 3
_BALANCING = {
    "ROUND_ROBIN": Balancing.ROUND_ROBIN,
    "RANDOM": Balancing.RANDOM,
    # PASSTHROUGH would need the connection's original destination, which a local harness does not have.
}


@dataclass(frozen=True, slots=True)
class Policy:
    """The parts that subsets and ports replace as wholes; None is Istio's default. TLS has no meaning here."""

    load_balancer: LoadBalancerSettings | None = None
    connection_pool: ConnectionPoolSettings | None = None
    outlier_detection: WrittenOutlierDetection | None = None
    retry_budget: WrittenRetryBudget | None = None


DEFAULT_POLICY = Policy()


def read_policy(written: TrafficPolicy | None, port: int, base: Policy) -> Policy:
    """Return `written` over `base`.

    Each field replaces the whole field; settings for this port replace all fields, also those that they leave out, and
    `written`'s retry budget with them (istio MergeSubsetTrafficPolicy)."""
    if written is None:
        return base
    merged = Policy(
        written.load_balancer or base.load_balancer,
        written.connection_pool or base.connection_pool,
        written.outlier_detection or base.outlier_detection,
        written.retry_budget or base.retry_budget,
    )
    for settings in written.port_level_settings:
        if settings.port is not None and settings.port.number == port:
            return Policy(
                settings.load_balancer, settings.connection_pool, settings.outlier_detection, base.retry_budget
            )
    return merged


def endpoints_with(endpoints: tuple[Endpoint, ...], labels: Mapping[str, str]) -> tuple[Endpoint, ...]:
    """Return the endpoints that carry all of the labels; no labels select all."""
    wanted = set(labels.items())
    return tuple(endpoint for endpoint in endpoints if wanted <= set(endpoint.labels))


def make_cluster(name: str, endpoints: tuple[Endpoint, ...], policy: Policy) -> Cluster:
    """Return the cluster that a policy makes of endpoints."""
    balancer = policy.load_balancer
    cluster = Cluster(
        name,
        endpoints,
        balancing=_BALANCING.get((balancer and balancer.simple) or "", Balancing.LEAST_REQUEST),
        breakers=_breakers(policy.connection_pool, policy.retry_budget),
        outlier_detection=_outlier_detection(policy.outlier_detection),
        connect_timeout=_connect_timeout(policy.connection_pool),
        warmup=_warmup(balancer),
    )
    if balancer and balancer.consistent_hash:
        return replace(cluster, balancing=Balancing.CONSISTENT_HASH)
    return cluster


def _warmup(balancer: LoadBalancerSettings | None) -> Warmup | None:
    """Return the warm-up of endpoints, which only ROUND_ROBIN and LEAST_REQUEST have."""
    if balancer is None or balancer.consistent_hash or balancer.simple == "RANDOM":
        return None
    written = balancer.warmup
    if written is None:
        return Warmup(balancer.warmup_duration_secs) if balancer.warmup_duration_secs is not None else None
    minimum = 10.0 if written.minimum_percent is None else written.minimum_percent
    return Warmup(written.duration, minimum / 100, 1.0 if written.aggression is None else written.aggression)


def _breakers(pool: ConnectionPoolSettings | None, budget: WrittenRetryBudget | None) -> CircuitBreakers:
    """Return the limits; 0 and absent are unlimited."""
    tcp, http = pool and pool.tcp, pool and pool.http
    return CircuitBreakers(
        max_connections=_limit(tcp.max_connections if tcp else 0),
        max_pending_requests=_limit(http.http1_max_pending_requests if http else 0),
        max_requests=_limit(http.http2_max_requests if http else 0),
        max_requests_per_connection=_limit(http.max_requests_per_connection if http else 0),
        max_retries=_limit(http.max_retries if http else 0),
        retry_budget=_budget(budget) if budget is not None else None,
    )


def _budget(written: WrittenRetryBudget) -> RetryBudget:
    percent = _BUDGET_PERCENT if written.percent is None else written.percent
    return RetryBudget(percent / 100, written.min_retry_concurrency or _BUDGET_CONCURRENCY)


def _limit(number: int) -> int | None:
    return number if number > 0 else None


def _connect_timeout(pool: ConnectionPoolSettings | None) -> float:
    return (pool and pool.tcp and pool.tcp.connect_timeout) or _CONNECT_TIMEOUT


def _outlier_detection(written: WrittenOutlierDetection | None) -> OutlierDetection | None:
    if written is None:
        return None
    default = OutlierDetection()
    split = written.split_external_local_origin_errors
    local = written.consecutive_local_origin_failures or _ENVOY_LOCAL_ORIGIN_FAILURES
    return OutlierDetection(
        consecutive_5xx=_given(written.consecutive_5xx_errors, default.consecutive_5xx),
        consecutive_gateway_errors=_given(written.consecutive_gateway_errors, default.consecutive_gateway_errors),
        consecutive_local_origin_failures=local if split else 0,
        split_external_local_origin_errors=split,
        interval=written.interval or default.interval,
        base_ejection_time=written.base_ejection_time or default.base_ejection_time,
        max_ejection_percent=written.max_ejection_percent or default.max_ejection_percent,
        min_health_percent=written.min_health_percent,
    )


def _given(number: int | None, default: int) -> int:
    return default if number is None else number


def hash_key(written: ConsistentHashLB) -> HashKey | None:
    """Return what is hashed; None for `useSourceIp: false`, which hashes nothing."""
    if written.http_header_name:
        return HashKey(header=written.http_header_name.lower().encode())
    if (cookie := written.http_cookie) is not None:
        attributes = tuple((each.name.encode(), each.value.encode()) for each in cookie.attributes)
        return HashKey(
            cookie=cookie.name.encode(),
            cookie_path=cookie.path.encode(),
            cookie_ttl=cookie.ttl,
            cookie_attributes=attributes,
        )
    if written.http_query_parameter_name:
        return HashKey(query_parameter=written.http_query_parameter_name.encode())
    return HashKey(source_ip=True) if written.use_source_ip else None
