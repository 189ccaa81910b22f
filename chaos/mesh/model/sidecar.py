"""Sidecar as written: what the proxies of a namespace, or of some of its workloads, see of the mesh."""

from __future__ import annotations

from typing import Literal

from chaos.mesh.model.destination_rule import ConnectionPoolSettings
from chaos.mesh.model.gateway import ServerTLSSettings
from chaos.mesh.model.message import Destination, Message, Text, UInt32, WorkloadSelector

CaptureMode = Literal["DEFAULT", "IPTABLES", "NONE"]


class SidecarPort(Message):
    """A port that the proxy listens on."""

    number: UInt32 = 0
    """Port number, 1..65535; 0 for a unix socket."""
    protocol: Text = ""
    """HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP, TLS or HTTP_PROXY."""
    name: Text = ""
    """Label of the port."""
    target_port: UInt32 = 0
    """Deprecated, no effect."""


class IstioIngressListener(Message):
    """A port for requests to the workload. A gateway that plays the caller's proxy has none."""

    port: SidecarPort
    """Where it listens."""
    bind: Text = ""
    """Address to listen on."""
    capture_mode: CaptureMode = "DEFAULT"
    """How traffic is captured."""
    default_endpoint: Text = ""
    """Address of the application."""
    tls: ServerTLSSettings | None = None
    """TLS towards the callers."""
    connection_pool: ConnectionPoolSettings | None = None
    """Limits for this port."""


class IstioEgressListener(Message):
    """Services and rules for requests that the workload makes: on one port, or on all others."""

    port: SidecarPort | None = None
    """The port; absent for all that no other entry names."""
    bind: Text = ""
    """Address to listen on."""
    capture_mode: CaptureMode = "DEFAULT"
    """How traffic is captured."""
    hosts: tuple[Text, ...]
    """What is imported: `namespace/host`, `./host`, `*/host`, wildcards in the first label; `~namespace/host` and
    `~/host` take away."""


class OutboundTrafficPolicy(Message):
    """What becomes of requests to hosts that are not imported."""

    mode: Literal["REGISTRY_ONLY", "ALLOW_ANY", "ALLOW_ANY_DYNAMIC_DNS"] = "REGISTRY_ONLY"
    """REGISTRY_ONLY refuses them, ALLOW_ANY sends them to their original address."""
    egress_proxy: Destination | None = None
    """Where ALLOW_ANY sends them instead."""


class Sidecar(Message):
    """What proxies see of the mesh."""

    workload_selector: WorkloadSelector | None = None
    """Which workloads of the namespace; all when absent."""
    ingress: tuple[IstioIngressListener, ...] = ()
    """Ports for requests to the workload."""
    egress: tuple[IstioEgressListener, ...] = ()
    """Services and rules for requests that it makes; everything when empty."""
    inbound_connection_pool: ConnectionPoolSettings | None = None
    """Limits for requests to the workload."""
    outbound_traffic_policy: OutboundTrafficPolicy | None = None
    """What becomes of requests to other hosts."""
