"""The frame around the routes: a static bootstrap with one listener, its HTTP connection manager and the clusters.

The settings of the connection manager are those that istiod sends (pilot/pkg/networking/core/listener_builder.go and
gateway.go), without telemetry, authentication and TLS, which have no effect on VirtualServices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Message = dict[str, Any]

_TYPES = "type.googleapis.com/envoy."

FAULT_FILTER = "envoy.filters.http.fault"
CORS_FILTER = "envoy.filters.http.cors"
_ROUTER_FILTER = "envoy.filters.http.router"

# Istio raises Envoy's 4 KiB for the body of a direct response to what its validation admits (route.go).
_MAX_DIRECT_RESPONSE_BYTES = 1024 * 1024


def typed(name: str, **fields: Any) -> Message:
    """Return a message for `typed_config`; `name` is like `extensions.filters.http.fault.v3.HTTPFault`."""
    return {"@type": _TYPES + name, **fields}


def bootstrap(
    virtual_hosts: Sequence[Message],
    clusters: Sequence[Message],
    *,
    address: str,
    port: int,
    gateway: bool,
    ignore_port: bool,
    admin: tuple[str, int] | None = None,
    ahead: Sequence[Message] = (),
) -> Message:
    """Return the document for `envoy -c`. `ahead` are filters in front of those of the rules.

    `gateway` is the ingress role: it trusts nothing that the client says about its own address. `ignore_port`: domains
    are names without ports, and the port in Host does not count."""
    manager = _connection_manager(virtual_hosts, gateway, ignore_port, ahead)
    listener = {
        "name": "gateway" if gateway else "outbound",
        "address": socket_address(address, port),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    whole: Message = {
        "node": {"id": "chaos", "cluster": "chaos"},
        "static_resources": {"listeners": [listener], "clusters": list(clusters)},
    }
    if admin is not None:
        whole["admin"] = {"address": socket_address(*admin)}
    return whole


def _connection_manager(
    virtual_hosts: Sequence[Message], gateway: bool, ignore_port: bool, ahead: Sequence[Message]
) -> Message:
    return typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="gateway" if gateway else "outbound",
        codec_type="AUTO",
        # MeshConfig.pathNormalization BASE, Istio's default: RFC 3986, slashes neither merged nor unescaped.
        normalize_path=True,
        merge_slashes=False,
        path_with_escaped_slashes_action="KEEP_UNCHANGED",
        use_remote_address=gateway,
        server_name="istio-envoy" if gateway else "envoy",
        stream_idle_timeout="0s",
        proxy_100_continue=True,
        upgrade_configs=[{"upgrade_type": "websocket"}],
        route_config={
            "name": "http",
            "virtual_hosts": list(virtual_hosts),
            "ignore_port_in_host_matching": ignore_port,
            # A route to a subset that nobody defined gets 503 (NC); it must not make the configuration invalid.
            "validate_clusters": False,
            "max_direct_response_body_size_bytes": _MAX_DIRECT_RESPONSE_BYTES,
        },
        http_filters=[*ahead, *_http_filters()],
    )


def _http_filters() -> list[Message]:
    """Return the filters in Istio's order, fault before CORS before the router: a preflight can be aborted, an abort
    has no CORS headers."""
    return [
        {"name": FAULT_FILTER, "typed_config": typed("extensions.filters.http.fault.v3.HTTPFault")},
        {"name": CORS_FILTER, "typed_config": typed("extensions.filters.http.cors.v3.Cors")},
        {"name": _ROUTER_FILTER, "typed_config": typed("extensions.filters.http.router.v3.Router")},
    ]


def socket_address(address: str, port: int) -> Message:
    """Return an Address of TCP."""
    return {"socket_address": {"address": address, "port_value": port}}
