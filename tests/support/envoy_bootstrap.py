"""An experiment file, in the small form that the conformance cases need, as what `export_envoy` takes."""

from __future__ import annotations

from typing import Any

import yaml

from chaos.engines.envoy.clusters import ClusterEndpoint
from chaos.engines.envoy.export import export_envoy
from chaos.engines.envoy.mesh import Service
from chaos.engines.envoy.names import namespace_of
from chaos.mesh.read.documents import load_resources


def envoy_bootstrap(experiment: str) -> dict[str, Any]:
    """A bootstrap that listens, and offers its admin interface, on ports of the kernel's choice."""
    documents = [document for document in yaml.safe_load_all(experiment) if document["kind"] == "Experiment"]
    spec = documents[0]["spec"] if documents else {}
    proxy = spec.get("proxy", {})
    return export_envoy(
        load_resources(experiment),
        _services(spec.get("services", {})),
        gateway=proxy.get("gateway", "mesh"),
        namespace=proxy.get("namespace", "default"),
        labels=proxy.get("labels", {}),
        port=proxy.get("port"),
        listen=("127.0.0.1", 0),
        admin=("127.0.0.1", 0),
    )


def _services(services: dict[str, Any]) -> list[Service]:
    ports: dict[str, dict[int, list[ClusterEndpoint]]] = {}
    for key, service in services.items():
        host, _, port = key.rpartition(":")
        ports.setdefault(host, {})[int(port)] = [_endpoint(entry) for entry in service["endpoints"]]
    return [Service(host, namespace_of(host, "default"), found) for host, found in ports.items()]


def _endpoint(entry: dict[str, Any]) -> ClusterEndpoint:
    address, _, port = entry["address"].rpartition(":")
    return ClusterEndpoint(address, int(port), entry.get("labels", {}), entry.get("weight", 1))
