"""Admission checks of a DestinationRule: host, subsets and the required parts of a traffic policy.

Balancing and localities are in `load_balancer.py`. Source: istio pkg/config/validation/validation.go,
ValidateDestinationRule; agent/validation.go, ValidateTLS."""

from __future__ import annotations

from chaos.mesh.check.admission import values
from chaos.mesh.check.admission.load_balancer import validate_load_balancer
from chaos.mesh.check.admission.virtual_service import validate_export_to
from chaos.mesh.check.cursor import At
from chaos.mesh.model.destination_rule import (
    ClientTLSSettings,
    ConnectionPoolSettings,
    DestinationRule,
    HTTPSettings,
    OutlierDetection,
    PortTrafficPolicy,
    Subset,
    TCPSettings,
    TrafficPolicy,
    TunnelSettings,
)
from chaos.mesh.read.shape import Wording, shown

_CONFIG_MAP = "configmap://"
_POLICIES = ("load_balancer", "connection_pool", "outlier_detection", "tls")


def validate_destination_rule(at: At, rule: DestinationRule, namespace: str) -> None:
    at.into("host").unless(values.wildcard_domain(rule.host))
    _policy(at.into("trafficPolicy"), rule.traffic_policy)
    _subsets(at.into("subsets"), rule.subsets)
    validate_export_to(at.into("exportTo"), rule.export_to, namespace)
    _selector(at, rule, namespace)


def _selector(at: At, rule: DestinationRule, namespace: str) -> None:
    if rule.workload_selector is None:
        return
    labels = rule.workload_selector.match_labels
    for name, problem in values.selector(labels):
        at.into("workloadSelector", "matchLabels", name).error(problem)
    if not labels:
        at.into("workloadSelector").warn("selects nothing without matchLabels")
    if rule.export_to and set(rule.export_to) - {".", namespace}:
        at.into("exportTo").error("a rule with a workloadSelector stays in its own namespace; write `.`")


def _subsets(at: At, subsets: tuple[Subset, ...]) -> None:
    seen: set[str] = set()
    for index, subset in enumerate(subsets):
        here = at.into(index)
        if subset.name in seen:
            here.into("name").error(f"a second subset named {subset.name}")
        seen.add(subset.name)
        if not values.is_label(subset.name):
            here.into("name").error(f"{shown(subset.name)} is not a subset name; use letters, digits and -")
        for name, problem in values.labels(subset.labels):
            here.into("labels", name).error(problem)
        _policy(here.quietly("trafficPolicy"), subset.traffic_policy)


def _policy(at: At, policy: TrafficPolicy | None) -> None:
    if policy is None:
        return
    if all(getattr(policy, name) is None for name in (*_POLICIES, "tunnel", "proxy_protocol", "retry_budget")):
        if not policy.port_level_settings:
            at.error("an empty traffic policy is refused; set a field, or leave it out")
        elif len(policy.port_level_settings) > 4096:
            at.into("portLevelSettings").error("more than 4096 ports")
    if policy.tunnel is not None and policy.proxy_protocol is not None:
        at.into("proxyProtocol").error("tunnel and proxyProtocol cannot be used together")
    _policies(at, policy)
    for index, port in enumerate(policy.port_level_settings):
        _port_policy(at.quietly("portLevelSettings", index), port)
    _tunnel(at.into("tunnel"), policy.tunnel)


def _policies(at: At, policy: TrafficPolicy | PortTrafficPolicy) -> None:
    _outlier(at.into("outlierDetection"), policy.outlier_detection)
    validate_connection_pool(at.into("connectionPool"), policy.connection_pool)
    validate_load_balancer(at.into("loadBalancer"), policy.load_balancer, policy.outlier_detection)
    _tls(at.into("tls"), policy.tls)


def _port_policy(at: At, policy: PortTrafficPolicy) -> None:
    if policy.port is None:
        at.into("port").error("required, but missing: which port the policy is for")
    if all(getattr(policy, name) is None for name in _POLICIES):
        at.error("a port's policy needs one of loadBalancer, connectionPool, outlierDetection and tls")
    _policies(at, policy)


def _outlier(at: At, outlier: OutlierDetection | None) -> None:
    if outlier is None:
        return
    _duration(at.into("interval"), outlier.interval)
    _duration(at.into("baseEjectionTime"), outlier.base_ejection_time)
    if outlier.consecutive_errors:
        at.into("consecutiveErrors").warn("deprecated; use consecutive5xxErrors or consecutiveGatewayErrors")
    if outlier.consecutive_local_origin_failures and not outlier.split_external_local_origin_errors:
        at.into("consecutiveLocalOriginFailures").error("needs splitExternalLocalOriginErrors: true")
    at.into("maxEjectionPercent").unless(_percent(outlier.max_ejection_percent))
    at.into("minHealthPercent").unless(_percent(outlier.min_health_percent))


def _percent(value: int) -> str | None:
    return None if 0 <= value <= 100 else f"{value} is not between 0 and 100"


def validate_connection_pool(at: At, pool: ConnectionPoolSettings | None) -> None:
    """Report on limits; `at` points at them."""
    if pool is None:
        return
    if pool.http is None and pool.tcp is None:
        at.error("an empty connectionPool is refused; set http or tcp, or leave it out")
    if pool.http is not None:
        _http(at.into("http"), pool.http)
    if pool.tcp is not None:
        _tcp(at.into("tcp"), pool.tcp)


def _http(at: At, http: HTTPSettings) -> None:
    for field, number in (
        ("http1MaxPendingRequests", http.http1_max_pending_requests),
        ("http2MaxRequests", http.http2_max_requests),
        ("maxRequestsPerConnection", http.max_requests_per_connection),
        ("maxRetries", http.max_retries),
        ("maxConcurrentStreams", http.max_concurrent_streams),
    ):
        _not_negative(at.into(field), number)
    _duration(at.into("idleTimeout"), http.idle_timeout)
    if http.h2_upgrade_policy == "UPGRADE" and http.use_client_protocol:
        at.into("useClientProtocol").error("cannot be true beside h2UpgradePolicy: UPGRADE")
    keep_alive = http.http2_keep_alive
    for field in ("interval", "timeout") if keep_alive is not None else ():
        if getattr(keep_alive, field) is None:
            at.into("http2KeepAlive", field).error("required, but missing")
        _duration(at.into("http2KeepAlive", field), getattr(keep_alive, field))


def _tcp(at: At, tcp: TCPSettings) -> None:
    _not_negative(at.into("maxConnections"), tcp.max_connections)
    _duration(at.into("connectTimeout"), tcp.connect_timeout)
    _duration(at.into("maxConnectionDuration"), tcp.max_connection_duration)
    if tcp.idle_timeout is not None and abs(tcp.idle_timeout) >= 0.001:  # 0s switches the timeout off
        _duration(at.into("idleTimeout"), tcp.idle_timeout)
    if tcp.tcp_keepalive is not None:
        _duration(at.into("tcpKeepalive", "time"), tcp.tcp_keepalive.time)
        _duration(at.into("tcpKeepalive", "interval"), tcp.tcp_keepalive.interval)


def _not_negative(at: At, number: int) -> None:
    if number < 0:
        at.error(f"{number} is less than 0")


def _duration(at: At, seconds: float | None) -> None:
    if seconds is not None:
        at.unless(values.duration(seconds))


def _tls(at: At, tls: ClientTLSSettings | None) -> None:
    if tls is None:
        return
    _tls_files(at, tls)
    if not tls.insecure_skip_verify:
        return
    if tls.mode == "SIMPLE" and (tls.ca_certificates or tls.credential_name or tls.subject_alt_names):
        at.into("insecureSkipVerify").error("cannot be used with caCertificates, credentialName or subjectAltNames")
    if tls.mode == "MUTUAL" and (tls.ca_certificates or tls.subject_alt_names):
        at.into("insecureSkipVerify").error("cannot be used with caCertificates or subjectAltNames")


def _tls_files(at: At, tls: ClientTLSSettings) -> None:
    if tls.credential_name.startswith(_CONFIG_MAP):
        namespace, slash, name = tls.credential_name.removeprefix(_CONFIG_MAP).partition("/")
        own = at.resource.namespace
        if not (namespace and slash and name):
            message = f"write {_CONFIG_MAP}{own}/NAME: it needs the namespace, that of this rule"
            at.into("credentialName").error(message)
        elif namespace != own:
            fix = f"{_CONFIG_MAP}{own}/{name}"
            at.into("credentialName").error(Wording(f"must be of the rule's own namespace; write {fix}", fix))
    if tls.credential_name and tls.mode in ("SIMPLE", "MUTUAL"):
        if tls.client_certificate or tls.ca_certificates or tls.private_key or tls.ca_crl:
            at.into("credentialName").error("cannot be used with certificate files; the secret has them")
        return
    if tls.mode == "MUTUAL":
        for field, text in (("clientCertificate", tls.client_certificate), ("privateKey", tls.private_key)):
            if not text:
                at.into(field).error("required with mode MUTUAL")


def _tunnel(at: At, tunnel: TunnelSettings | None) -> None:
    if tunnel is None:
        return
    if tunnel.protocol not in ("", "CONNECT", "POST"):
        at.into("protocol").error(f"{shown(tunnel.protocol)} is not known; use CONNECT or POST")
    if not values.is_ip(tunnel.target_host):
        at.into("targetHost").unless(values.fqdn(tunnel.target_host))
    at.into("targetPort").unless(values.port(tunnel.target_port))
