"""ServiceEntry as written: services added to the registry by hand."""

from __future__ import annotations

from typing import Literal

from chaos.mesh.model.message import Message, Text, UInt32, WorkloadSelector


class ServicePort(Message):
    """A port of the service."""

    number: UInt32
    """Port that callers use, 1..65535."""
    protocol: Text = ""
    """HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP or TLS."""
    name: Text
    """Label of the port."""
    target_port: UInt32 = 0
    """Port of the endpoints; `number` when absent."""


class WorkloadEntry(Message):
    """One endpoint of the service."""

    address: Text = ""
    """IP address, DNS name (DNS resolution) or unix:// path, without a port."""
    ports: dict[str, UInt32] = {}
    """Port of this endpoint by the name of the service's port."""
    labels: dict[str, Text] = {}
    """Labels that subsets select by."""
    network: Text = ""
    """Network of the endpoint."""
    locality: Text = ""
    """Locality, region/zone/sub-zone."""
    weight: UInt32 = 0
    """Share of the endpoint; 1 when absent."""
    service_account: Text = ""
    """Service account of the workload."""


class ServiceEntry(Message):
    """A service that is not found by itself: its hosts, ports and endpoints."""

    hosts: tuple[Text, ...]
    """Names of the service."""
    addresses: tuple[Text, ...] = ()
    """Virtual addresses or CIDR ranges."""
    ports: tuple[ServicePort, ...] = ()
    """Ports of the service."""
    location: Literal["MESH_EXTERNAL", "MESH_INTERNAL"] = "MESH_EXTERNAL"
    """Whether the service belongs to the mesh."""
    resolution: Literal["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"] = "NONE"
    """How endpoints are found: STATIC takes `endpoints`."""
    endpoints: tuple[WorkloadEntry, ...] = ()
    """The endpoints."""
    workload_selector: WorkloadSelector | None = None
    """Takes workloads of the mesh as endpoints."""
    export_to: tuple[Text, ...] = ()
    """Namespaces that see this service: `.` this one, `*` all (the default)."""
    subject_alt_names: tuple[Text, ...] = ()
    """Names that the server's certificate must carry."""
