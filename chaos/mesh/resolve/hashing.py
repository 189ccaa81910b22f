"""Which consistentHash counts for a destination: what its requests are hashed by, whatever the cluster's balancer.

Source: istio HashForHTTPDestination and hashForService (pilot/pkg/networking/core/route/route.go)."""

from __future__ import annotations

from chaos.mesh.model.destination_rule import ConsistentHashLB, TrafficPolicy
from chaos.mesh.resolve.destination_rules import MergedRule


def consistent_hash(rule: MergedRule | None, subset: str, port: int | None) -> ConsistentHashLB | None:
    """Return the nearest one: the subset's for the port, the subset's, the host's for the port, the host's; None if
    there is none.

    `port` is the one that the destination itself names; None without one, and then no settings of ports count."""
    if rule is None:
        return None
    found = rule.subset(subset) if subset else None
    for policy in (found.traffic_policy if found else None, rule.traffic_policy):
        nearest = _of_port(policy, port) or _of_all(policy)
        if nearest is not None:
            return nearest
    return None


def _of_port(policy: TrafficPolicy | None, port: int | None) -> ConsistentHashLB | None:
    for settings in policy.port_level_settings if policy is not None else ():
        if settings.port is not None and settings.port.number == port:
            return settings.load_balancer.consistent_hash if settings.load_balancer is not None else None
    return None


def _of_all(policy: TrafficPolicy | None) -> ConsistentHashLB | None:
    settings = policy.load_balancer if policy is not None else None
    return settings.consistent_hash if settings is not None else None
