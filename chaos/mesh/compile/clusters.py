"""The clusters that rules lead to: which service, port and subset a destination means, and the endpoints behind it.

Source: istio GetDestinationCluster (route.go), buildOutboundClusters (cluster.go)."""

from __future__ import annotations

from chaos.mesh.decision import Cluster, HashKey
from chaos.mesh.model.message import Destination
from chaos.mesh.names import full_name
from chaos.mesh.resolve.destination_rules import DestinationRules
from chaos.mesh.resolve.hashing import consistent_hash
from chaos.mesh.upstream.policy import DEFAULT_POLICY, endpoints_with, hash_key, make_cluster, read_policy
from chaos.mesh.upstream.registry import Registry, Service


class Clusters:
    """The clusters as the rules of one listener mean them.

    Each cluster is made once for all listeners (`made`), so that its state in the gateway is one too."""

    def __init__(
        self, registry: Registry, rules: DestinationRules, listener: int, *, gateway: bool, made: dict[str, Cluster]
    ):
        self._registry = registry
        self._rules = rules
        self._listener = listener
        self._gateway = gateway
        self.made = made

    def name(self, destination: Destination, namespace: str) -> str:
        """Return `host:port` or `host:port/subset`, also for a cluster that does not exist."""
        host = full_name(destination.host, namespace)
        label = f"{host}:{self.port(host, destination)}"
        return f"{label}/{destination.subset}" if destination.subset else label

    def outbound_name(self, destination: Destination, namespace: str) -> str:
        """Return Istio's own name for the cluster, the value of %UPSTREAM_CLUSTER%."""
        host = full_name(destination.host, namespace)
        return f"outbound|{self.port(host, destination)}|{destination.subset}|{host}"

    def port(self, host: str, destination: Destination) -> int:
        """Return the port that the destination names, or the default.

        The default is the service's only port for a Gateway, and the listener's for a sidecar, which considers services
        on its own listener alone."""
        if destination.port and destination.port.number:
            return destination.port.number
        service = self._registry.destination(host)
        if self._gateway and service is not None and len(service.ports) == 1:
            return next(iter(service.ports))
        return self._listener

    def find(self, destination: Destination, namespace: str) -> Cluster | None:
        """Return the destination's cluster, without endpoints if its subset selects none; None for an unknown service,
        port or subset."""
        host = full_name(destination.host, namespace)
        return self._cluster(self._registry.destination(host), self.port(host, destination), destination)

    def hash_key(self, destination: Destination, namespace: str) -> HashKey | None:
        """Return what a destination's requests are hashed by, or None; the settings of a port count if the destination
        names it."""
        port = destination.port.number if destination.port is not None else None
        return self._hash_key(full_name(destination.host, namespace), destination.subset, port)

    def hash_key_of(self, service: Service) -> HashKey | None:
        """Return what the requests of a service's default route are hashed by, which always names the port."""
        return self._hash_key(service.host, "", self._listener)

    def _hash_key(self, host: str, subset: str, port: int | None) -> HashKey | None:
        service = self._registry.get(host)
        rule = self._rules.find(host, service.namespace if service else "")
        written = consistent_hash(rule, subset, port)
        return hash_key(written) if written is not None else None

    def of_service(self, service: Service) -> Cluster | None:
        """Return the cluster of a service's default route on this listener; None if it does not have this port."""
        return self._cluster(service, self._listener, None)

    def _cluster(self, service: Service | None, port: int, destination: Destination | None) -> Cluster | None:
        if service is None or port not in service.ports:
            return None
        subset = destination.subset if destination else ""
        name = f"{service.host}:{port}/{subset}" if subset else f"{service.host}:{port}"
        if name not in self.made:
            cluster = self._make(name, service, port, subset)
            if cluster is None:
                return None
            self.made[name] = cluster
        return self.made[name]

    def _make(self, name: str, service: Service, port: int, wanted: str) -> Cluster | None:
        rule = self._rules.find(service.host, service.namespace)
        policy = read_policy(rule.traffic_policy, port, DEFAULT_POLICY) if rule else DEFAULT_POLICY
        endpoints = service.ports[port].endpoints
        if wanted:
            subset = rule.subset(wanted) if rule else None
            if subset is None:
                return None
            endpoints = endpoints_with(endpoints, subset.labels)
            policy = read_policy(subset.traffic_policy, port, policy)
        return make_cluster(name, endpoints, policy)
