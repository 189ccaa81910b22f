"""DestinationRule as written: subsets of a service and the policies for talking to it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from chaos.mesh.model.message import Double, Duration, Flag, Int32, Message, PortSelector, Text, UInt32, UInt64

SimpleLB = Literal["UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST"]


class RingHash(Message):
    minimum_ring_size: UInt64 = 0
    """Smallest number of virtual nodes on the ring."""


class MagLev(Message):
    table_size: UInt64 = 0
    """Size of the lookup table, a prime number."""


class CookieAttribute(Message):
    name: Text
    """Name of the attribute."""
    value: Text = ""
    """Value of the attribute."""


class HTTPCookie(Message):
    """A cookie to hash; with a ttl it is made when the request has none."""

    name: Text
    """Name of the cookie."""
    path: Text = ""
    """Path of the cookie."""
    ttl: Duration | None = None
    """Life of a cookie that is made here; 0s for the session."""
    attributes: tuple[CookieAttribute, ...] = ()
    """Further attributes of a cookie that is made here."""


class ConsistentHashLB(Message):
    """The same key goes to the same endpoint; exactly one key must be set."""

    http_header_name: Text | None = None
    """Hash this header."""
    http_cookie: HTTPCookie | None = None
    """Hash this cookie."""
    use_source_ip: Flag | None = None
    """Hash the client's address."""
    http_query_parameter_name: Text | None = None
    """Hash this query parameter."""
    ring_hash: RingHash | None = None
    """Ring hash (the default algorithm)."""
    maglev: MagLev | None = None
    """Maglev hashing."""
    minimum_ring_size: UInt64 = 0
    """Deprecated: use ringHash.minimumRingSize."""


class Distribute(Message):
    from_: Text = Field("", alias="from")
    """Locality of the client, region/zone/sub-zone."""
    to: dict[str, UInt32] = {}
    """Localities and their shares, which sum to 100."""


class Failover(Message):
    from_: Text = Field("", alias="from")
    """Region that fails."""
    to: Text = ""
    """Region that takes over."""


class LocalityLoadBalancerSetting(Message):
    """Prefer endpoints by locality."""

    distribute: tuple[Distribute, ...] = ()
    """Shares between localities."""
    failover: tuple[Failover, ...] = ()
    """Which region takes over for which."""
    failover_priority: tuple[Text, ...] = ()
    """Labels that rank endpoints."""
    enabled: Flag | None = None
    """Overrides the mesh's setting."""


class ZoneAwareLoadBalancerSetting(Message):
    """Prefer endpoints of the client's zone."""

    enabled: Flag | None = None
    """Overrides the mesh's setting."""
    failover: tuple[Failover, ...] = ()
    """Which region takes over for which."""
    failover_priority: tuple[Text, ...] = ()
    """Labels that rank endpoints."""
    min_cluster_size: Annotated[UInt64, Field(ge=1)] | None = None
    """Fewest endpoints for which this applies."""


class WarmupConfiguration(Message):
    """New endpoints get their full share only after a while."""

    duration: Duration
    """How long warming up lasts."""
    minimum_percent: Annotated[Double, Field(ge=0, le=100)] | None = None
    """Share at the start."""
    aggression: Annotated[Double, Field(ge=0)] | None = None
    """How fast the share grows; 1 is linear."""


class LoadBalancerSettings(Message):
    """How an endpoint is chosen: `simple` or `consistentHash`."""

    simple: SimpleLB | None = None
    """A standard algorithm; LEAST_REQUEST when absent."""
    consistent_hash: ConsistentHashLB | None = None
    """The same key goes to the same endpoint."""
    locality_lb_setting: LocalityLoadBalancerSetting | None = None
    """Prefer endpoints by locality."""
    zone_aware_lb_setting: ZoneAwareLoadBalancerSetting | None = None
    """Prefer endpoints of the client's zone."""
    warmup_duration_secs: Duration | None = None
    """Deprecated: use warmup."""
    warmup: WarmupConfiguration | None = None
    """New endpoints get their full share only after a while."""


class TcpKeepalive(Message):
    probes: UInt32 = 0
    """Probes without an answer before the connection is dead."""
    time: Duration | None = None
    """Idle time before the first probe."""
    interval: Duration | None = None
    """Time between probes."""


class TCPSettings(Message):
    """Limits on connections."""

    max_connections: Int32 = 0
    """Most connections to a host; unlimited when 0 or absent."""
    connect_timeout: Duration | None = None
    """Time for making a connection; 10s when absent."""
    tcp_keepalive: TcpKeepalive | None = None
    """SO_KEEPALIVE."""
    max_connection_duration: Duration | None = None
    """Longest life of a connection."""
    idle_timeout: Duration | None = None
    """Longest idle time of a TCP connection."""


class ConnectionKeepalive(Message):
    interval: Duration | None = None
    """Time between pings."""
    timeout: Duration | None = None
    """Time until a ping is answered."""


class HTTPSettings(Message):
    """Limits on HTTP requests."""

    http1_max_pending_requests: Int32 = 0
    """Most requests that wait for a connection; unlimited when 0 or absent."""
    http2_max_requests: Int32 = 0
    """Most requests at a time, HTTP/1 too; unlimited when 0 or absent."""
    max_requests_per_connection: Int32 = 0
    """Requests before a connection is closed; unlimited when 0 or absent."""
    max_retries: Int32 = 0
    """Most retries at a time; unlimited when 0 or absent."""
    idle_timeout: Duration | None = None
    """Longest idle time of a connection; 1h when absent."""
    h2_upgrade_policy: Literal["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"] = "DEFAULT"
    """Whether HTTP/1 connections become HTTP/2."""
    use_client_protocol: Flag = False
    """Speak the client's protocol upstream."""
    max_concurrent_streams: Int32 = 0
    """Most streams on an HTTP/2 connection."""
    http2_keep_alive: ConnectionKeepalive | None = None
    """HTTP/2 pings."""


class ConnectionPoolSettings(Message):
    """Circuit breakers: limits on connections and requests."""

    tcp: TCPSettings | None = None
    """For TCP and HTTP."""
    http: HTTPSettings | None = None
    """For HTTP."""


class OutlierDetection(Message):
    """Eject endpoints that fail."""

    consecutive_errors: Int32 = 0
    """Deprecated: use consecutiveGatewayErrors or consecutive5xxErrors."""
    split_external_local_origin_errors: Flag = False
    """Count failures to connect apart from errors that the service answers."""
    consecutive_local_origin_failures: UInt32 | None = None
    """Failures to connect in a row; only with splitExternalLocalOriginErrors."""
    consecutive_gateway_errors: UInt32 | None = None
    """502, 503 and 504 in a row; off when 0 or absent."""
    consecutive_5xx_errors: UInt32 | None = None
    """5xx in a row; 5 when absent, off when 0."""
    interval: Duration | None = None
    """Time between sweeps; 10s when absent."""
    base_ejection_time: Duration | None = None
    """Time of the first ejection; 30s when absent."""
    max_ejection_percent: Int32 = 0
    """Most endpoints ejected at a time; 10 % when absent, which is nobody among fewer than 10."""
    min_health_percent: Int32 = 0
    """Below this share of healthy endpoints all are used."""
    outlier_detection_http_error_codes: tuple[Annotated[UInt32, Field(ge=100, le=599)], ...] = ()
    """Statuses that count as errors instead of 5xx."""


class ClientTLSSettings(Message):
    """TLS towards the service. A local gateway speaks plain HTTP and ignores it."""

    mode: Literal["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"] = "DISABLE"
    """Whether and how TLS is used."""
    client_certificate: Text = ""
    """File with the client's certificate (MUTUAL)."""
    private_key: Text = ""
    """File with the client's key (MUTUAL)."""
    ca_certificates: Text = ""
    """File with the authorities that the service's certificate is checked against."""
    credential_name: Text = ""
    """Secret with key and certificates."""
    subject_alt_names: tuple[Text, ...] = ()
    """Names of which the certificate must carry one."""
    sni: Text = ""
    """Server name that is sent."""
    insecure_skip_verify: Flag | None = None
    """Do not check the certificate."""
    ca_crl: Text = ""
    """File with revoked certificates."""


class PortTrafficPolicy(Message):
    """Policies for one port; they replace those of the host, also the ones that are not set here."""

    port: PortSelector | None = None
    """Port of the service."""
    load_balancer: LoadBalancerSettings | None = None
    """How an endpoint is chosen."""
    connection_pool: ConnectionPoolSettings | None = None
    """Limits on connections and requests."""
    outlier_detection: OutlierDetection | None = None
    """Eject endpoints that fail."""
    tls: ClientTLSSettings | None = None
    """TLS towards the service."""


class TunnelSettings(Message):
    """Send TCP through an HTTP tunnel."""

    protocol: Text = ""
    """CONNECT (the default) or POST."""
    target_host: Text
    """Host at the end of the tunnel."""
    target_port: UInt32
    """Port at the end of the tunnel."""


class ProxyProtocol(Message):
    version: Literal["V1", "V2"] = "V1"
    """Version of the PROXY protocol."""


class RetryBudget(Message):
    """Limit retries to a share of the active requests."""

    percent: Annotated[Double, Field(ge=0, le=100)] | None = None
    """Share of the active requests that may be retries; 20 when absent."""
    min_retry_concurrency: UInt32 = 0
    """Retries that are always allowed; 3 when absent."""
    budget_interval: Duration | None = None
    """Time over which requests are counted."""


class TrafficPolicy(Message):
    """How the endpoints of a service are used."""

    load_balancer: LoadBalancerSettings | None = None
    """How an endpoint is chosen."""
    connection_pool: ConnectionPoolSettings | None = None
    """Limits on connections and requests."""
    outlier_detection: OutlierDetection | None = None
    """Eject endpoints that fail."""
    tls: ClientTLSSettings | None = None
    """TLS towards the service."""
    port_level_settings: tuple[PortTrafficPolicy, ...] = ()
    """Policies for single ports."""
    tunnel: TunnelSettings | None = None
    """Send TCP through an HTTP tunnel."""
    proxy_protocol: ProxyProtocol | None = None
    """Announce the client's address with the PROXY protocol."""
    retry_budget: RetryBudget | None = None
    """Limit retries to a share of the active requests."""


class Subset(Message):
    """A named part of the endpoints of a service."""

    name: Text
    """Name that destinations refer to."""
    labels: dict[str, Text] = {}
    """Endpoints with all of these labels; all endpoints when empty."""
    traffic_policy: TrafficPolicy | None = None
    """Policies of this subset; each replaces the host's."""


class LabelSelector(Message):
    """Which workloads, by their labels (type.v1beta1)."""

    match_labels: dict[str, Text] = {}
    """All of these labels must be set to these values."""


class DestinationRule(Message):
    """Subsets of a service and the policies for talking to it."""

    host: Text
    """Name of the service. A name without a dot belongs to the namespace of this resource."""
    traffic_policy: TrafficPolicy | None = None
    """Policies for all of its endpoints."""
    subsets: tuple[Subset, ...] = ()
    """Named parts of its endpoints."""
    export_to: tuple[Text, ...] = ()
    """Namespaces that see this rule: `.` this one, `*` all (the default)."""
    workload_selector: LabelSelector | None = None
    """Client workloads this rule applies to; all when absent."""
