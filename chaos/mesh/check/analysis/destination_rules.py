"""Check DestinationRules against the services: unknown hosts (IST0174), subsets that select no endpoint (IST0173).

And TLS without a CA, for the host (IST0128) and for a port (IST0129). Source: istio analyzers
destinationrule/{subset,ca-certificates}.go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaos.mesh.check.cursor import At
from chaos.mesh.check.known_services import KnownServices
from chaos.mesh.model.resources import Resource

if TYPE_CHECKING:
    from chaos.mesh.model.destination_rule import ClientTLSSettings, DestinationRule

UNKNOWN_HOST, SELECTS_NOTHING = "IST0174", "IST0173"
UNVERIFIED, UNVERIFIED_PORT = "IST0128", "IST0129"


def analyze_destination_rules(at: At, rule: Resource[DestinationRule], known: KnownServices) -> None:
    """Report on one DestinationRule; `at` points at its spec."""
    _tls(at, rule)
    if not known:
        return
    host = rule.spec.host
    service = known.find(host, rule.namespace)
    if service is None:
        if not host.startswith("*"):
            at.into("host").warn(f"no service {host} is known; the rule has no effect", UNKNOWN_HOST)
        return
    for index, subset in enumerate(rule.spec.subsets):
        if service.labels is None or any(subset.labels.items() <= labels.items() for labels in service.labels):
            continue
        wanted = ", ".join(f"{key}={value}" for key, value in subset.labels.items())
        at.into("subsets", index).error(f"no endpoint of {host} has the labels {wanted}", SELECTS_NOTHING)


def _tls(at: At, rule: Resource[DestinationRule]) -> None:
    policy = rule.spec.traffic_policy
    if policy is None:
        return
    here = at.into("trafficPolicy")
    _verified(here.into("tls"), policy.tls, UNVERIFIED)
    for index, port in enumerate(policy.port_level_settings):
        _verified(here.into("portLevelSettings", index, "tls"), port.tls, UNVERIFIED_PORT)


def _verified(at: At, tls: ClientTLSSettings | None, code: str) -> None:
    if tls is None or tls.mode not in ("SIMPLE", "MUTUAL") or tls.ca_certificates or tls.credential_name:
        return
    at.warn(f"mode {tls.mode} without caCertificates: the service's certificate may go unchecked", code)
