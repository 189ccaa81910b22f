"""Ask istiod's own code what it makes of a set of documents, and let a real Envoy with the outcome answer requests.

Only for recording (tests/conformance/record_istio.py): it needs the program in tests/conformance/istiod, built with
Go."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from support.istio_sets import IstioSet, Service

Json = dict[str, Any]

PLAIN = {
    "PILOT_ENABLE_ALPN_FILTER": "false",
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "PILOT_DISABLE_MX_ALPN": "true",
}
"""Istio's settings without the filters that a plain Envoy does not have."""
FILTERS = ("envoy.filters.http.fault", "envoy.filters.http.cors", "envoy.filters.http.router")
CLUSTER = "x-recorded-cluster"
"""The response header in which Envoy names the cluster that it chose."""
MANAGER = "envoy.filters.network.http_connection_manager"


def translate(program: str, sets: Sequence[IstioSet]) -> list[Json]:
    """Return what istiod makes of each set: listeners, routes, clusters, endpoints; `error` if it refuses one."""
    questions = "".join(json.dumps(_question(each)) + "\n" for each in sets)
    run = subprocess.run(
        [program], input=questions, capture_output=True, text=True, check=True, env={**os.environ, **PLAIN}
    )
    answers = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    assert len(answers) == len(sets), run.stderr[-2000:]
    return answers


def _question(each: IstioSet) -> Json:
    proxy = {"namespace": each.proxy["namespace"], "labels": each.proxy.get("labels", {})}
    kubernetes = [made for index, service in enumerate(each.services) for made in _kubernetes(index, service)]
    return {
        "op": "translate",
        "config": yaml.safe_dump_all(each.documents),
        "kube": yaml.safe_dump_all(kubernetes),
        "mesh": '{"enableAutoMtls": false}',
        "proxy": proxy | ({"type": "router"} if each.port is not None else {}),
    }


def service_document(service: Service) -> Json:
    """Return a Kubernetes Service document."""
    name, namespace, _ = service.host.split(".", 2)
    metadata: Json = {"name": name, "namespace": namespace}
    if service.export_to:
        metadata["annotations"] = {"networking.istio.io/exportTo": service.export_to}
    ports = [
        {"name": f"{protocol}-{port}", "port": port, "protocol": "TCP"} for port, protocol in service.ports.items()
    ]
    spec = {"clusterIP": service.cluster_ip, "ports": ports, "selector": {"app": name}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _kubernetes(index: int, service: Service) -> Iterable[Json]:
    """Yield the Service, its Pods and its EndpointSlice."""
    if service.entry:
        return
    made = service_document(service)
    yield made
    name, namespace = made["metadata"]["name"], made["metadata"]["namespace"]
    for pod in service.pods:
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": pod.name, "namespace": namespace, "labels": pod.labels},
            "spec": {"containers": [{"name": "main", "image": "main"}], "nodeName": "node-1"},
            "status": {
                "podIP": pod.address,
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }
    yield {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-{index}",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": [pod.address],
                "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "name": pod.name, "namespace": namespace},
            }
            for pod in service.pods
        ],
        "ports": [
            {"name": f"{protocol}-{port}", "port": port, "protocol": "TCP"} for port, protocol in service.ports.items()
        ],
    }


def listeners(answer: Json) -> dict[int, Json]:
    """Return the HTTP connection manager of each port, with its routes."""
    tables = {each["name"]: each for each in answer["routes"]}
    found: dict[int, Json] = {}
    for listener in answer["listeners"]:
        port = listener["address"]["socket_address"]["port_value"]
        for chain in listener.get("filter_chains", ()):
            for each in chain.get("filters", ()):
                table = tables.get(each["typed_config"].get("rds", {}).get("route_config_name", ""))
                if each["name"] == MANAGER and table is not None and port < 15000:
                    found[port] = _manager(each["typed_config"], table)
    return found


def _manager(config: Json, table: Json) -> Json:
    """Return a connection manager that needs nothing but itself: routes in place, filters that every Envoy has. Hosts
    that are nobody's are not passed through: there is no original destination here."""
    kept = {name: value for name, value in config.items() if name not in ("rds", "tracing", "access_log")}
    kept["http_filters"] = [each for each in config["http_filters"] if each["name"] in FILTERS]
    hosts = [each for each in table.get("virtual_hosts", ()) if each["name"] not in ("allow_any", "block_all")]
    named = {
        "header": {"key": CLUSTER, "value": "%UPSTREAM_CLUSTER_RAW%"},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
    return kept | {"route_config": {**table, "virtual_hosts": hosts, "response_headers_to_add": [named]}}


def bootstrap(answer: Json, manager: Json, ports: Mapping[str, int]) -> Json:
    """Return a static bootstrap with one listener. `ports` are those of the servers that stand for the addresses."""
    listener = {
        "name": "recorded",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": MANAGER, "typed_config": manager}]}],
    }
    placed = {each["cluster_name"]: each for each in answer["endpoints"]}
    clusters = [_cluster(each, placed.get(each["name"]), ports) for each in answer["clusters"]]
    return {
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "static_resources": {"listeners": [listener], "clusters": [each for each in clusters if each]},
    }


def _cluster(cluster: Json, placed: Json | None, ports: Mapping[str, int]) -> Json | None:
    if cluster["type"] != "EDS":
        return None
    made = {name: value for name, value in cluster.items() if name not in ("type", "eds_cluster_config")}
    groups = [
        {"lb_endpoints": [_endpoint(each, ports) for each in group.get("lb_endpoints", ())]}
        for group in (placed or {}).get("endpoints", ())
    ]
    return made | {"type": "STATIC", "load_assignment": {"cluster_name": cluster["name"], "endpoints": groups}}


def _endpoint(each: Json, ports: Mapping[str, int]) -> Json:
    address = each["endpoint"]["address"]["socket_address"]["address"]
    here = {"address": "127.0.0.1", "port_value": ports[address]}
    return {"endpoint": {"address": {"socket_address": here}}}


def addresses(answer: Json) -> dict[str, list[str]]:
    """Return the addresses of each cluster's endpoints."""
    return {
        each["cluster_name"]: [
            one["endpoint"]["address"]["socket_address"]["address"]
            for group in each.get("endpoints", ())
            for one in group.get("lb_endpoints", ())
        ]
        for each in answer["endpoints"]
    }
