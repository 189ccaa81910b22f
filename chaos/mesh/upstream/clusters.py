"""Destinations to clusters: the service in the registry, the DestinationRule that applies, the subset's endpoints,
the policy.

Source: istio PushContext.destinationRule (lookup), mergeDestinationRule, MergeTrafficPolicy;
pilot/pkg/networking/core/cluster*.go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chaos.mesh.decision import Cluster
from chaos.mesh.model.destination_rule import DestinationRule, Subset, TrafficPolicy
from chaos.mesh.model.message import Destination
from chaos.mesh.model.resources import Resource
from chaos.mesh.names import ROOT_NAMESPACE, Proxy, covers, exported, full_name, is_wildcard, specificity
from chaos.mesh.upstream.policy import DEFAULT_POLICY, endpoints_with, make_cluster, read_policy
from chaos.mesh.upstream.registry import Registry


@dataclass(frozen=True, slots=True, eq=False)
class MergedRule:
    """All DestinationRules of one namespace for one host, merged."""

    host: str
    subsets: tuple[Subset, ...]
    traffic_policy: TrafficPolicy | None
    sources: tuple[Resource[DestinationRule], ...]

    def subset(self, name: str) -> Subset | None:
        return next((subset for subset in self.subsets if subset.name == name), None)


class DestinationRules:
    """Which rule applies to a service: the client's namespace first, then the service's, then the root namespace."""

    def __init__(self, rules: Iterable[Resource[DestinationRule]], proxy: Proxy):
        self._proxy = proxy
        visible = [rule for rule in sorted(rules, key=lambda rule: rule.precedence) if self._applies(rule)]
        self._merged: dict[tuple[str, str], MergedRule] = {}
        for rule in visible:
            place = rule.namespace, full_name(rule.spec.host, rule.namespace)
            self._merged[place] = _merge(self._merged.get(place), rule, place[1])
        self._wildcards = [(owner, rule) for (owner, host), rule in self._merged.items() if is_wildcard(host)]

    def _applies(self, rule: Resource[DestinationRule]) -> bool:
        selector = rule.spec.workload_selector
        if selector and any(self._proxy.labels.get(key) != value for key, value in selector.match_labels.items()):
            return False
        return exported(rule.spec.export_to, rule.namespace, self._proxy.namespace)

    def find(self, host: str, service_namespace: str) -> MergedRule | None:
        for namespace in (self._proxy.namespace, service_namespace, ROOT_NAMESPACE):
            found = self._merged.get((namespace, host)) or self._by_wildcard(namespace, host)
            if found is not None:
                return found
        return None

    def _by_wildcard(self, namespace: str, host: str) -> MergedRule | None:
        """The longest wildcard of a namespace that covers the host."""
        fitting = [rule for owner, rule in self._wildcards if owner == namespace and covers(rule.host, host)]
        return min(fitting, key=lambda rule: specificity(rule.host), default=None)


def _merge(earlier: MergedRule | None, rule: Resource[DestinationRule], host: str) -> MergedRule:
    """Subsets add up and the first of a name wins; the first traffic policy wins as a whole."""
    if earlier is None:
        return MergedRule(host, rule.spec.subsets, rule.spec.traffic_policy, (rule,))
    return MergedRule(
        host,
        earlier.subsets + rule.spec.subsets,
        earlier.traffic_policy or rule.spec.traffic_policy,
        (*earlier.sources, rule),
    )


class Clusters:
    """Every cluster that rules lead to, each made once, so that its state in the gateway is one too."""

    def __init__(self, registry: Registry, rules: Iterable[Resource[DestinationRule]], proxy: Proxy, listener: int):
        self._registry = registry
        self._rules = DestinationRules(rules, proxy)
        self._listener = listener
        self.made: dict[str, Cluster] = {}

    def name(self, destination: Destination, namespace: str) -> str:
        """`host:port` or `host:port/subset`, also for one that does not exist."""
        host = full_name(destination.host, namespace)
        label = f"{host}:{self._port(host, destination)}"
        return f"{label}/{destination.subset}" if destination.subset else label

    def outbound_name(self, destination: Destination, namespace: str) -> str:
        """Istio's own name for it, as %UPSTREAM_CLUSTER% shows it."""
        host = full_name(destination.host, namespace)
        return f"outbound|{self._port(host, destination)}|{destination.subset}|{host}"

    def _port(self, host: str, destination: Destination) -> int:
        wanted = destination.port.number if destination.port else None
        service = self._registry.get(host)
        return service.port(wanted, self._listener) if service else wanted or self._listener

    def find(self, destination: Destination, namespace: str) -> Cluster | None:
        """None for an unknown service, port or subset; a cluster without endpoints when nothing is selected."""
        name = self.name(destination, namespace)
        if name not in self.made:
            cluster = self._make(name, full_name(destination.host, namespace), destination)
            if cluster is None:
                return None
            self.made[name] = cluster
        return self.made[name]

    def _make(self, name: str, host: str, destination: Destination) -> Cluster | None:
        service = self._registry.get(host)
        port = self._port(host, destination)
        if service is None or port not in service.ports or is_wildcard(host):
            return None
        rule = self._rules.find(host, service.namespace)
        policy = read_policy(rule.traffic_policy, port, DEFAULT_POLICY) if rule else DEFAULT_POLICY
        endpoints = service.ports[port]
        if destination.subset:
            subset = rule.subset(destination.subset) if rule else None
            if subset is None:
                return None
            endpoints = endpoints_with(endpoints, subset.labels)
            policy = read_policy(subset.traffic_policy, port, policy)
        return make_cluster(name, endpoints, policy)
