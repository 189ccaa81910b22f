"""Find settings that do not do what they seem to beside those of another resource or of the same rule: infos.

Source: the order of Envoy's HTTP filters (fault before CORS before the router, which alone tells an outlier detector),
istiod's preference of a Kubernetes Service over a ServiceEntry of the same name, asked of istiod itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chaos.mesh.check.admission.values import covers
from chaos.mesh.check.cursor import At
from chaos.mesh.model.destination_rule import DestinationRule, TrafficPolicy
from chaos.mesh.model.resources import Resource, Resources
from chaos.mesh.model.virtual_service import HTTPRoute
from chaos.mesh.names import full_name

Cursor = Callable[[Resource[Any]], At]


def beside_pitfalls(at: Cursor, resources: Resources) -> None:
    """Report on all resources."""
    ejecting = [rule for rule in resources.destination_rules if _ejects(rule.spec)]
    for service in resources.virtual_services:
        for index, route in enumerate(service.spec.http):
            if _aborts(route):
                here = at(service).into("http", index)
                _cors(here, route)
                _outliers(here, route, service.namespace, ejecting)
    for gateway in resources.gateways:
        for index, server in enumerate(gateway.spec.servers):
            if server.tls is not None and server.tls.https_redirect:
                message = "not applied here: the gateway of chaos answers over http, where a mesh redirects to https"
                at(gateway).into("servers", index, "tls", "httpsRedirect").info(message, "not-served")
    _twofold(at, resources)


def _aborts(route: HTTPRoute) -> bool:
    """Return whether the rule aborts any request."""
    abort = route.fault.abort if route.fault is not None else None
    if abort is None or abort.percentage is None or abort.percentage.value <= 0:
        return False
    return abort.http_status is not None or abort.grpc_status is not None


def _cors(at: At, route: HTTPRoute) -> None:
    policy = route.cors_policy
    if policy is not None and (policy.allow_origins or policy.allow_origin):
        message = "aborts come first: a browser sees no CORS header in them, and calls them network errors"
        at.into("corsPolicy").info(message, "fault-and-cors")


def _outliers(at: At, route: HTTPRoute, namespace: str, ejecting: list[Resource[DestinationRule]]) -> None:
    """Report an abort in front of a service whose endpoints are ejected for failures."""
    for weighted in route.route:
        host = full_name(weighted.destination.host, namespace)
        rule = next((each for each in ejecting if covers(full_name(each.spec.host, each.namespace), host)), None)
        if rule is not None:
            message = (
                f"does not count for the outlierDetection of {rule}: an injected abort is the proxy's own, and ejects "
                "no endpoint"
            )
            at.into("fault", "abort").info(message, "fault-and-outliers")
            return


def _ejects(rule: DestinationRule) -> bool:
    policies = [rule.traffic_policy, *(subset.traffic_policy for subset in rule.subsets)]
    return any(policy is not None and _detects(policy) for policy in policies)


def _detects(policy: TrafficPolicy) -> bool:
    ports = policy.port_level_settings
    return policy.outlier_detection is not None or any(port.outlier_detection is not None for port in ports)


def _twofold(at: Cursor, resources: Resources) -> None:
    """Report a host that is a Kubernetes Service and a ServiceEntry."""
    services = {full_name(service.name, service.namespace): service for service in resources.services}
    for entry in resources.service_entries:
        for index, host in enumerate(entry.spec.hosts):
            service = services.get(host)
            if service is not None:
                ours = (
                    "the endpoints of both serve them" if service.namespace == entry.namespace else "this one does not"
                )
                message = f"is the {service} too: in a mesh that one's ports count, and {ours}"
                at(entry).into("hosts", index).info(message, "service-and-entry")
