"""Routes of connections as listeners of Envoy: its TCP proxy, with weighted clusters, and a line of the access log for
each connection (istio buildOutboundNetworkFilters)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chaos.engines.envoy.access_log import connection_log
from chaos.engines.envoy.bootstrap import Message, socket_address, typed
from chaos.engines.envoy.clusters import cluster_name
from chaos.engines.envoy.listeners import PREFIX, Door
from chaos.engines.envoy.values import duration
from chaos.mesh.model.destination_rule import TCPSettings
from chaos.mesh.resolve.connections import Chain, ConnectionRule, Target, tcp_chain, tls_chains
from chaos.mesh.resolve.destination_rules import MergedRule
from chaos.mesh.resolve.mesh import ResolvedMesh

STATISTICS = "connections"
"""The prefix of Envoy's statistics of all these listeners together."""

NOWHERE = "-"
"""Stands for the cluster, and in the log for the rule, of connections that no rule takes."""


def chains_of(door: Door, mesh: ResolvedMesh) -> tuple[Chain, ...]:
    """Return where connections of a listener go. The host that it stands for may be unknown to changed rules."""
    if door.protocol == "TLS":
        return tls_chains(mesh)
    host, port = door.stands_for
    service = mesh.registry.get(host)
    return (tcp_chain(mesh, host, port),) if service is not None and port in service.ports else ()


def connection_listener(door: Door, chains: Sequence[Chain], indexes: Mapping[str, int], mesh: ResolvedMesh) -> Message:
    """Return a listener. `indexes` numbers the rules by key, for the log."""
    listener: Message = {
        "name": PREFIX + door.name,
        "stat_prefix": STATISTICS,
        "address": socket_address(door.address, door.port),
        "enable_reuse_port": door.port == 0,
        "filter_chains": [_chain(each, str(indexes[each.rule.key]), mesh) for each in chains],
    }
    if not any(not each.server_names for each in chains):
        listener["default_filter_chain"] = _filters(_proxy({"cluster": NOWHERE}, NOWHERE))
    if door.protocol == "TLS":
        inspector = typed("extensions.filters.listener.tls_inspector.v3.TlsInspector")
        listener["listener_filters"] = [
            {"name": "envoy.filters.listener.tls_inspector", "typed_config": inspector},
        ]
    return listener


def _chain(chain: Chain, index: str, mesh: ResolvedMesh) -> Message:
    found = _filters(_proxy({**_clusters(chain.rule.targets), **_settings(chain.rule, mesh)}, index))
    return {**found, "filter_chain_match": {"server_names": list(chain.server_names)}} if chain.server_names else found


def _filters(proxy: Message) -> Message:
    return {"filters": [{"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}]}


def _proxy(fields: Message, index: str) -> Message:
    return typed(
        "extensions.filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix=STATISTICS,
        **connection_log(index),
        **fields,
    )


def _clusters(targets: Sequence[Target]) -> Message:
    if len(targets) == 1:
        return {"cluster": _cluster(targets[0])}
    return {
        "weighted_clusters": {"clusters": [{"name": _cluster(each), "weight": each.weight} for each in targets]},
    }


def _cluster(target: Target) -> str:
    return cluster_name(target.host, target.port, target.subset)


def _settings(rule: ConnectionRule, mesh: ResolvedMesh) -> Message:
    """Return what the DestinationRule of the first destination says of connections (istio maybeSetHashPolicy)."""
    service = mesh.registry.get(rule.owner)
    found = mesh.destination_rules.find(rule.owner, service.namespace if service is not None else "")
    if found is None:
        return {}
    pool = found.traffic_policy.connection_pool if found.traffic_policy is not None else None
    tcp = (pool.tcp if pool is not None else None) or TCPSettings()
    settings: Message = {}
    if tcp.idle_timeout is not None:
        settings["idle_timeout"] = duration(tcp.idle_timeout)
    if tcp.max_connection_duration is not None:
        settings["max_downstream_connection_duration"] = duration(tcp.max_connection_duration)
    if _by_source(found, rule.targets[0].subset if len(rule.targets) == 1 else ""):
        settings["hash_policy"] = [{"source_ip": {}}]
    return settings


def _by_source(found: MergedRule, subset: str) -> bool:
    """Return whether connections are hashed by the client's address; a subset's balancer replaces the host's."""
    own = found.subset(subset) if subset else None
    policies = (own.traffic_policy if own is not None else None, found.traffic_policy)
    balancers = (policy.load_balancer for policy in policies if policy is not None)
    nearest = next((each for each in balancers if each is not None), None)
    return bool(nearest is not None and nearest.consistent_hash and nearest.consistent_hash.use_source_ip)
