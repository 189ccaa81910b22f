"""An experiment file, in the small form that the conformance cases need, as what `export_envoy` takes."""

from __future__ import annotations

from typing import Any

import yaml

from chaos.engines.envoy.export import export_envoy
from chaos.mesh.decision import Endpoint
from chaos.mesh.names import Proxy
from chaos.mesh.upstream.registry import Registry
from support.mesh import load_resources


def envoy_bootstrap(experiment: str) -> dict[str, Any]:
    """A bootstrap that listens, and offers its admin interface, on ports of the kernel's choice."""
    documents = [document for document in yaml.safe_load_all(experiment) if document["kind"] == "Experiment"]
    spec = documents[0]["spec"] if documents else {}
    proxy = Proxy(**spec.get("proxy", {}))
    resources = load_resources(experiment)
    entries = [host for entry in resources.service_entries for host in entry.spec.hosts]
    return export_envoy(
        resources,
        Registry.of(_services(spec.get("services", {})), proxy.namespace, verbatim=entries),
        proxy,
        listen=("127.0.0.1", 0),
        admin=("127.0.0.1", 0),
    )


def _services(services: dict[str, Any]) -> list[tuple[str, int, list[Endpoint]]]:
    found = []
    for key, service in services.items():
        host, _, port = key.rpartition(":")
        found.append((host, int(port), [_endpoint(entry) for entry in service["endpoints"]]))
    return found


def _endpoint(entry: dict[str, Any]) -> Endpoint:
    address, _, port = entry["address"].rpartition(":")
    labels = tuple(sorted(entry.get("labels", {}).items()))
    return Endpoint(address, int(port), labels, entry.get("weight", 1))
