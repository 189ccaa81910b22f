"""Find hosts that are claimed twice: by VirtualServices for the mesh (IST0109), by Gateways on one port (IST0145).

Source: istio analyzers virtualservice/conflictingmeshgatewayhosts.go, gateway/conflictinggateway.go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chaos.mesh.check.admission.values import overlap
from chaos.mesh.check.admission.virtual_service import bound_to_mesh
from chaos.mesh.check.cursor import At
from chaos.mesh.model.resources import Resource, Resources
from chaos.mesh.names import full_name
from chaos.mesh.resolve.workloads import Workload, selected

if TYPE_CHECKING:
    from chaos.mesh.model.gateway import Gateway
    from chaos.mesh.model.virtual_service import VirtualService

CONFLICTING_HOSTS, CONFLICTING_GATEWAYS = "IST0109", "IST0145"

EVERYBODY = "*"

Cursor = Callable[[Resource[Any]], At]


def analyze_hosts(at: Cursor, resources: Resources, pods: Sequence[Workload] = ()) -> None:
    """Report on all resources together; `pods` are those that the files name."""
    _virtual_services(at, [_Claim.of(each) for each in resources.virtual_services if bound_to_mesh(each.spec)])
    _gateways(at, resources.gateways, pods)


@dataclass(frozen=True, slots=True, eq=False)
class _Claim:
    """The hosts of one VirtualService for the mesh, in full, and the namespaces that see it."""

    service: Resource[VirtualService]
    hosts: tuple[str, ...]
    scopes: frozenset[str]

    @classmethod
    def of(cls, service: Resource[VirtualService]) -> _Claim:
        hosts = tuple(full_name(host, service.namespace) for host in service.spec.hosts)
        entries = service.spec.export_to
        if not entries or EVERYBODY in entries:
            return cls(service, hosts, frozenset((EVERYBODY,)))
        scopes = frozenset(service.namespace if entry == "." else entry for entry in entries)
        return cls(service, hosts, scopes)

    @property
    def public(self) -> bool:
        return EVERYBODY in self.scopes


def _virtual_services(at: Cursor, claims: list[_Claim]) -> None:
    """Report VirtualServices with the same host, if some namespace sees both. Where one is visible to all and the other
    is not, wildcards count too."""
    same: dict[str, list[_Claim]] = {}
    for claim in claims:
        for host in dict.fromkeys(claim.hosts):
            same.setdefault(host, []).append(claim)
    scoped = [claim for claim in claims if not claim.public]
    public = [claim for claim in claims if claim.public] if scoped else []
    for claim in claims:
        _twice(at, claim)
        for index, host in enumerate(claim.hosts):
            rivals = [other for other in same[host] if other is not claim and _meet(claim, other)]
            others = scoped if claim.public else public
            rivals += [o for o in others if o not in rivals and any(overlap(host, each) for each in o.hosts)]
            if rivals:
                message = _claimed(claim.service, index, [other.service for other in rivals])
                at(claim.service).into("hosts", index).error(message, CONFLICTING_HOSTS)
                break


def _twice(at: Cursor, claim: _Claim) -> None:
    """Report a host that one VirtualService lists short and in full: admission compares hosts as written."""
    written = claim.service.spec.hosts
    for index, host in enumerate(claim.hosts):
        if host in claim.hosts[:index] and written[index] not in written[:index]:
            message = f"this rule lists {host} already, under another name"
            at(claim.service).into("hosts", index).error(message, CONFLICTING_HOSTS)


def _meet(one: _Claim, other: _Claim) -> bool:
    return bool(one.scopes & other.scopes) or one.public or other.public


def _claimed(service: Resource[VirtualService], index: int, rivals: list[Resource[VirtualService]]) -> str:
    first = min([service, *rivals], key=lambda each: each.precedence)
    counts = "this one" if first is service else f"{first.namespace}/{first.name}"
    others = ", ".join(f"{each.namespace}/{each.name} ({each.locate(('metadata', 'name'))})" for each in rivals[:3])
    more = f" and {len(rivals) - 3} more" if len(rivals) > 3 else ""
    return f"{service.spec.hosts[index]} belongs to {others}{more} too; for a sidecar only {counts} counts"


def _gateways(at: Cursor, gateways: tuple[Resource[Gateway], ...], pods: Sequence[Workload]) -> None:
    """Report Gateways with the same pods, port and address that admit the same host.

    Of several servers of a Gateway on one port, Istio compares the last one with the servers of others."""
    admitted: dict[tuple[Any, ...], list[Resource[Gateway]]] = {}
    for gateway in gateways:
        last = {gateway.spec.servers[index].port.number: keys for index, keys in _admitted(gateway)}
        for key in dict.fromkeys(key for keys in last.values() for key in keys):
            admitted.setdefault(key, []).append(gateway)
    for gateway in gateways:
        for index, keys in _admitted(gateway):
            rivals = {
                str(rival): key
                for key in keys
                for rival in admitted.get(key, ())
                if rival is not gateway and _same_pods(gateway.spec.selector, rival.spec.selector, pods)
            }
            for rival, (_, port, host) in rivals.items():
                at(gateway).into("servers", index).error(
                    f"{rival} admits {host} on port {port} too", CONFLICTING_GATEWAYS
                )


def _same_pods(one: Mapping[str, str], other: Mapping[str, str], pods: Sequence[Workload]) -> bool:
    """Return whether two selectors are equal, or one is a part of the other and some pod meets both."""
    if one == other:
        return True
    if not (one.items() <= other.items() or other.items() <= one.items()):
        return False
    return bool(selected(pods, {**one, **other}))


def _admitted(gateway: Resource[Gateway]) -> Iterator[tuple[int, list[tuple[Any, ...]]]]:
    for index, server in enumerate(gateway.spec.servers):
        yield index, [(server.bind, server.port.number, host) for host in server.hosts]
