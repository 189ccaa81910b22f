"""What one proxy can see of a mesh: services, the rules bound to it, and the DestinationRule of each host.

This is a second reading of the same resources, kept apart from `chaos.mesh` on purpose: it follows istiod step by step
and shares only the models, so that a mistake in either shows up as a difference between our gateway and Envoy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from chaos.engines.envoy.clusters import ClusterEndpoint
from chaos.engines.envoy.delegation import Find, with_delegates
from chaos.engines.envoy.names import covers, fully_qualified, is_address, namespace_of
from chaos.engines.envoy.routes import Client
from chaos.mesh.model.destination_rule import DestinationRule
from chaos.mesh.model.message import Destination, Message
from chaos.mesh.model.resources import Resource, Resources
from chaos.mesh.model.service_entry import ServiceEntry
from chaos.mesh.model.virtual_service import Delegate, HTTPMirrorPolicy, HTTPRoute, HTTPRouteDestination, VirtualService

ROOT_NAMESPACE = "istio-system"
MESH = "mesh"

Part = TypeVar("Part", HTTPRouteDestination, HTTPMirrorPolicy)


@dataclass(frozen=True, slots=True)
class Service:
    """A host of the registry with its endpoints by port."""

    host: str
    namespace: str
    ports: Mapping[int, Sequence[ClusterEndpoint]]

    def port_for(self, wanted: int | None, listener_port: int) -> int:
        """The destination's port, else the only one, else the listener's (GetDestinationCluster)."""
        if wanted is not None:
            return wanted
        return next(iter(self.ports)) if len(self.ports) == 1 else listener_port


@dataclass(frozen=True, slots=True)
class BoundRules:
    """A VirtualService as one proxy has it: names resolved, delegates merged."""

    name: str
    namespace: str
    hosts: Sequence[str]
    http: Sequence[HTTPRoute]


@dataclass(frozen=True)
class Mesh:
    resources: Resources
    services: Mapping[str, Service]
    client: Client
    _rules: dict[str, DestinationRule | None] = field(default_factory=dict)

    @classmethod
    def of(cls, resources: Resources, services: Iterable[Service], client: Client) -> Mesh:
        """`services` are added to those of the ServiceEntry documents and win over them, port by port."""
        known: dict[str, Service] = {}
        for service in (*_service_entries(resources.service_entries, client), *services):
            before = known.get(service.host)
            ports = {**(before.ports if before else {}), **service.ports}
            known[service.host] = Service(service.host, service.namespace, ports)
        return cls(resources, known, client)

    def virtual_services(self) -> list[BoundRules]:
        """Those bound to this proxy and exported to it, in the order in which they count."""
        ordered = sorted(self.resources.virtual_services, key=lambda resource: resource.precedence)
        bound = [resource for resource in ordered if resource.spec.hosts and self._is_bound(resource)]
        return [
            BoundRules(
                resource.name,
                resource.namespace,
                [fully_qualified(host, resource.namespace).lower() for host in resource.spec.hosts],
                with_delegates(_resolved(resource), self._delegates(resource)),
            )
            for resource in bound
        ]

    def _is_bound(self, resource: Resource[VirtualService]) -> bool:
        gateways = [gateway_name(name, resource.namespace) for name in resource.spec.gateways] or [MESH]
        return self.client.gateway in gateways and _exported(resource, resource.spec.export_to, self.client.namespace)

    def _delegates(self, root: Resource[VirtualService]) -> Find:
        def find(delegate: Delegate) -> Sequence[HTTPRoute] | None:
            namespace = delegate.namespace or root.namespace
            for candidate in self.resources.virtual_services:
                if (candidate.name, candidate.namespace) == (delegate.name, namespace) and not candidate.spec.hosts:
                    seen = _exported(candidate, candidate.spec.export_to, root.namespace)
                    return _resolved(candidate) if seen else None
            return None

        return find

    def destination_rule(self, host: str) -> DestinationRule | None:
        """The rule for a host: this proxy's namespace, else the service's, else the root's; exact before wildcard."""
        if host not in self._rules:
            service = self.services.get(host)
            home = service.namespace if service else namespace_of(host, self.client.namespace)
            spaces = dict.fromkeys((self.client.namespace, home, ROOT_NAMESPACE))
            self._rules[host] = next((rule for space in spaces if (rule := self._rule_in(space, host))), None)
        return self._rules[host]

    def _rule_in(self, namespace: str, host: str) -> DestinationRule | None:
        candidates = [
            (fully_qualified(resource.spec.host, namespace), resource.spec)
            for resource in sorted(self.resources.destination_rules, key=lambda resource: resource.precedence)
            if resource.namespace == namespace
            and _exported(resource, resource.spec.export_to, self.client.namespace)
            and self._selects_client(resource)
        ]
        patterns = sorted((p for p, _ in candidates if covers(p, host)), key=lambda p: (p.startswith("*"), -len(p)))
        return _merged([rule for pattern, rule in candidates if pattern == patterns[0]]) if patterns else None

    def _selects_client(self, resource: Resource[DestinationRule]) -> bool:
        selector = resource.spec.workload_selector
        if selector is None:
            return True
        return (
            resource.namespace == self.client.namespace and selector.match_labels.items() <= self.client.labels.items()
        )


def gateway_name(name: str, namespace: str) -> str:
    """`mesh`, or `namespace/name`; `./name` and the old `name.namespace.svc...` are understood (resolveGatewayName)."""
    if name == MESH:
        return name
    if "/" in name:
        space, _, rest = name.partition("/")
        return f"{namespace if space == '.' else space}/{rest}"
    if "." in name:
        short, space = name.split(".")[:2]
        return f"{space}/{short}"
    return f"{namespace}/{name}"


def _exported(resource: Resource[Message], export_to: Sequence[str], namespace: str) -> bool:
    if not export_to or "*" in export_to or namespace in export_to:
        return True
    return "." in export_to and resource.namespace == namespace


def _resolved(resource: Resource[VirtualService]) -> list[HTTPRoute]:
    """The rules with short destinations and gateways spelled out, in the namespace where they were written."""
    return [_resolved_rule(rule, resource.namespace) for rule in resource.spec.http]


def _resolved_rule(rule: HTTPRoute, namespace: str) -> HTTPRoute:
    matches = [
        match.model_copy(update={"gateways": tuple(gateway_name(name, namespace) for name in match.gateways)})
        for match in rule.match
    ]
    changes = {
        "match": tuple(matches),
        "route": tuple(_with_full_name(part, namespace) for part in rule.route),
        "mirrors": tuple(_with_full_name(mirror, namespace) for mirror in rule.mirrors),
        "mirror": _full_name(rule.mirror, namespace) if rule.mirror is not None else None,
    }
    return rule.model_copy(update=changes)


def _with_full_name(part: Part, namespace: str) -> Part:
    return part.model_copy(update={"destination": _full_name(part.destination, namespace)})


def _full_name(destination: Destination, namespace: str) -> Destination:
    return destination.model_copy(update={"host": fully_qualified(destination.host, namespace).lower()})


def _merged(rules: Sequence[DestinationRule]) -> DestinationRule:
    """Several rules for one host: the first policy, and the first subset of each name."""
    with_selector = [rule for rule in rules if rule.workload_selector is not None]
    rules = with_selector or rules
    subsets = {subset.name: subset for rule in reversed(rules) for subset in reversed(rule.subsets)}
    policy = next((rule.traffic_policy for rule in rules if rule.traffic_policy is not None), None)
    return rules[0].model_copy(update={"subsets": tuple(subsets.values()), "traffic_policy": policy})


def _service_entries(entries: Sequence[Resource[ServiceEntry]], client: Client) -> list[Service]:
    return [
        Service(host.lower(), entry.namespace, _ports(entry.spec, host))
        for entry in sorted(entries, key=lambda resource: resource.precedence, reverse=True)
        if _exported(entry, entry.spec.export_to, client.namespace)
        for host in entry.spec.hosts
    ]


def _ports(entry: ServiceEntry, host: str) -> dict[int, list[ClusterEndpoint]]:
    """DNS resolution without endpoints means the host itself."""
    ports: dict[int, list[ClusterEndpoint]] = {}
    for port in entry.ports:
        target = port.target_port or port.number
        ports[port.number] = [
            ClusterEndpoint(point.address, point.ports.get(port.name, target), point.labels, point.weight or 1)
            for point in entry.endpoints
        ]
        if not entry.endpoints and entry.resolution.startswith("DNS") and not (is_address(host) or "*" in host):
            ports[port.number] = [ClusterEndpoint(host, target, {})]
    return ports
